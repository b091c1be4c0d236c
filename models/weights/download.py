"""One file over HTTP: resumed after a break, retried, bounded in time and size."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import httpx2

from ...atomic import write_file
from ...downloads.space import require_space
from ...downloads.web import HEADERS, RetryPolicy, Transient, refusal, sendable, unreachable, validator
from ...errors import WeightsError
from ...parsing import parse_json
from .formats.impostors import impostor

TransferProgress = Callable[[int, "int | None"], None]
"""Called with the bytes received and the bytes in all, None if the server does not send their number."""

_BY_HAND: Final = "Fetch it by other means and use --from FOLDER"
OTHER_HOME: Final = "name another folder in ACTIONBENCH_HOME"
"""What to do where the disk is full, beside making room."""

_MAX_BYTES: Final = 4 << 30


class NotFound(WeightsError):
    """The server has no file at this address."""


def download(
    url: str,
    part: Path,
    *,
    client: httpx2.Client,
    size: int | None = None,
    pinned: bool = False,
    progress: TransferProgress,
    policy: RetryPolicy,
    max_bytes: int = _MAX_BYTES,
) -> None:
    """Download a file, continuing a partial download.

    - `url`: its address.
    - `part`: the partial file. Its bytes are used if the server still has the same file, by its ETag or date,
      or if `pinned` is True. However the download ends, the bytes received stay there.
    - `client`: from `downloads.web.web_client`, or a similar one.
    - `size`: bytes that the file must have, None if unknown.
    - `pinned`: whether the caller compares a checksum afterwards.
    - `progress`: called after each chunk.
    - `policy`: when to try again.
    - `max_bytes`: largest file that is accepted.

    Raises WeightsError if the server refuses, cannot be reached, has a file of another size, sends a web page
    instead, or if the disk is full; OSError if the file cannot be written.
    """
    attempt, best = 0, _have(part)
    while True:
        try:
            return _attempt(client, url, part, size, pinned, progress, max_bytes)
        except Transient as error:
            attempt = 0 if _have(part) > best else attempt + 1
            best = max(best, _have(part))
            if attempt >= policy.attempts:
                raise WeightsError(
                    f"could not be fetched in {policy.attempts} attempts",
                    where=url,
                    found=error,
                    remedy="What was received is kept: run the same command again, or use --from",
                ) from error
            time.sleep(policy.wait_s(attempt, error.after_s))


def _attempt(
    client: httpx2.Client,
    url: str,
    part: Path,
    size: int | None,
    pinned: bool,
    progress: TransferProgress,
    max_bytes: int,
) -> None:
    have, begun = _have(part), _validator(part)
    if have and not (pinned or begun):
        have = 0
    headers = dict(HEADERS)
    if have:
        headers["Range"] = f"bytes={have}-"
        if begun:
            headers["If-Range"] = begun
    try:
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code == 416 and response.headers.get("Content-Range") == f"bytes */{have}":
                return
            if response.status_code >= 400:
                _refused(response, url, part)
            if response.status_code == 206 and not _continues(response.headers, have):
                _forget(part)
                raise Transient("the server sent another part of the file than requested")
            have = have if response.status_code == 206 else 0
            _receive(response, url, part, have, size, progress, max_bytes)
    except httpx2.HTTPError as error:
        raise unreachable(error, url, WeightsError) from error


def _receive(
    response: httpx2.Response,
    url: str,
    part: Path,
    have: int,
    size: int | None,
    progress: TransferProgress,
    max_bytes: int,
) -> None:
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdecimal() else size
    if size is not None and total != size:
        raise WeightsError("has another size than expected", where=url, expected=f"{size} bytes", found=total)
    limit = max_bytes if total is None else total
    if limit > max_bytes:
        raise WeightsError(
            "is too large", where=url, expected=f"at most {max_bytes} bytes", found=f"{limit} bytes"
        )
    if total is not None:
        require_space(part.parent, total - have, WeightsError, OTHER_HOME)
    _remember(part, response.headers)
    with part.open("ab" if have else "wb") as file:
        for chunk in response.iter_raw():
            if not have and (sign := impostor(chunk[:512])) is not None:
                raise WeightsError("the server sent something else", where=url, found=sign[0])
            have += len(chunk)
            if have > limit:
                raise WeightsError("more bytes than announced", where=url, expected=limit, found=have)
            file.write(chunk)
            progress(have, total)
    if total is not None and have < total:
        raise Transient(f"the connection ended after {have} of {total} bytes")
    if have == 0:
        raise WeightsError("the server sent an empty file", where=url)


def _refused(response: httpx2.Response, url: str, part: Path) -> None:
    if response.status_code == 416:
        _forget(part)
        raise Transient("the server has another file than the one that was begun")
    raise refusal(response, url, NotFound if response.status_code in (404, 410) else WeightsError, _BY_HAND)


def _continues(headers: Mapping[str, str], have: int) -> bool:
    return str(headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _have(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _remember(part: Path, headers: Mapping[str, str]) -> None:
    """Keep what identifies the server's file."""
    write_file(_notes(part), json.dumps({"validator": validator(headers)}), sync=False)


def _validator(part: Path) -> str:
    try:
        return sendable(str(parse_json(_notes(part).read_text(encoding="utf-8"))["validator"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ""


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)
