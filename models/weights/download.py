"""One file over HTTP: resumed after a break, retried, bounded in time and size."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final

from ...errors import WeightsError
from ...parsing import parse_json
from .impostors import impostor

Progress = Callable[[int, "int | None"], None]
"""Told the bytes that are here and the bytes that there will be, None if the server does not say."""

_CHUNK_BYTES: Final = 1 << 18
_SPARE_BYTES: Final = 64 << 20  # left free on the disk
_TRANSIENT: Final = {408, 425, 429, 500, 502, 503, 504}
_MAX_WAIT_S: Final = 60.0
_HEADERS: Final = {"User-Agent": "actionbench", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Patience:
    """`timeout_s` for a connection or a silent server; `attempts` that bring nothing new; first pause."""

    timeout_s: float = 30.0
    attempts: int = 5
    pause_s: float = 1.0
    max_bytes: int = 4 << 30


class NotFound(WeightsError):
    """The server has nothing at this address."""


class _Transient(Exception):
    """Something that may be over at the next attempt. `after_s`: how long the server asks to wait."""

    def __init__(self, why: object, after_s: float = 0.0) -> None:
        super().__init__(str(why))
        self.after_s = after_s


def download(
    url: str,
    part: Path,
    *,
    size: int | None = None,
    pinned: bool = False,
    progress: Progress,
    patience: Patience,
) -> None:
    """Fetch `url` into `part`, going on from what is already there.

    What is there is kept only if the server still has the same file, by its ETag or date, or if the caller
    will compare a checksum (`pinned`). Whatever ends the download, the bytes received stay in `part`.

    - `size`: bytes that it must have, None if unknown.

    Raises WeightsError if the server refuses, cannot be reached, has another size, sends a page instead of
    a file, or if the disk has no room for it; OSError if it cannot be written.
    """
    attempt, best = 0, _have(part)
    while True:
        try:
            return _attempt(url, part, size, pinned, progress, patience)
        except _Transient as error:
            attempt = 0 if _have(part) > best else attempt + 1
            best = max(best, _have(part))
            if attempt >= patience.attempts:
                raise WeightsError(
                    f"could not be fetched in {patience.attempts} attempts",
                    where=url,
                    found=error,
                    remedy="What was received is kept: run the same command again, or use --from",
                ) from error
            time.sleep(min(max(error.after_s, patience.pause_s * 2**attempt), _MAX_WAIT_S))


def _attempt(
    url: str, part: Path, size: int | None, pinned: bool, progress: Progress, patience: Patience
) -> None:
    have, validator = _have(part), _validator(part)
    if have and not (pinned or validator):
        have = 0
    headers = dict(_HEADERS)
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = _OPENER.open(urllib.request.Request(url, headers=headers), timeout=patience.timeout_s)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{have}":
                return
            _refused(error, url, part)
    except urllib.error.URLError as error:
        _unreachable(error.reason, url)
    except (OSError, http.client.HTTPException) as error:
        _unreachable(error, url)
    else:
        with response:
            if response.status == 206 and not _continues(response.headers, have):
                _forget(part)
                raise _Transient("the server sent another part than was asked for")
            have = have if response.status == 206 else 0
            _receive(response, url, part, have, size, progress, patience)


def _receive(
    response: Any, url: str, part: Path, have: int, size: int | None, progress: Progress, patience: Patience
) -> None:
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdecimal() else size
    if size is not None and total != size:
        raise WeightsError("has another size than expected", where=url, expected=f"{size} bytes", found=total)
    limit = patience.max_bytes if total is None else total
    if limit > patience.max_bytes:
        raise WeightsError("is larger than any weights", where=url, found=f"{limit} bytes")
    if total is not None:
        _check_space(part, total - have)
    _remember(part, response.headers)
    with part.open("ab" if have else "wb") as file:
        while chunk := _next(response):
            if not have and (sign := impostor(chunk[:512])) is not None:
                raise WeightsError("the server sent something else", where=url, found=sign[0])
            have += len(chunk)
            if have > limit:
                raise WeightsError("more bytes than announced", where=url, expected=limit, found=have)
            file.write(chunk)
            progress(have, total)
    if total is not None and have < total:
        raise _Transient(f"the connection ended after {have} of {total} bytes")
    if have == 0:
        raise WeightsError("the server sent an empty file", where=url)


def _next(response: Any) -> bytes:
    try:
        chunk: bytes = response.read1(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _Transient(repr(error)) from error
    return chunk


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed + _SPARE_BYTES:
        raise disk_full(part.parent, f"{needed + _SPARE_BYTES} bytes", f"{free} bytes free")


def disk_full(folder: Path, expected: str | None = None, found: str | None = None) -> WeightsError:
    return WeightsError(
        "the disk is full",
        where=folder,
        expected=expected,
        found=found,
        remedy="Make room and run the same command again, or name another folder in ACTIONBENCH_HOME",
    )


def _refused(error: urllib.error.HTTPError, url: str, part: Path) -> None:
    if error.code == 416:
        _forget(part)
        raise _Transient("the server has another file than the one that was begun") from error
    if error.code in _TRANSIENT:
        after = error.headers.get("Retry-After", "")
        raise _Transient(f"HTTP {error.code} {error.reason}", float(after) if after.isdecimal() else 0.0)
    found = f"HTTP {error.code} {error.reason}"
    by_hand = "Fetch it by other means and use --from FOLDER"
    if error.code in (404, 410):
        raise NotFound("the server does not have it", where=url, found=found, remedy=by_hand) from error
    limited = error.headers.get("X-RateLimit-Remaining") == "0"
    raise WeightsError(
        "the server limits how often it may be asked" if limited else "the server refuses",
        where=url,
        found=found,
        remedy=f"Try again in an hour. {by_hand}" if limited else by_hand,
    ) from error


def _unreachable(reason: object, url: str) -> None:
    if isinstance(reason, ssl.SSLCertVerificationError):
        raise WeightsError("the server's certificate is not trusted", where=url, found=reason)
    raise _Transient(reason)


def _continues(headers: Message, have: int) -> bool:
    return str(headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _have(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _remember(part: Path, headers: Message) -> None:
    """Keep what identifies the server's file. A weak ETag (`W/`) does not promise the same bytes."""
    etag = headers.get("ETag", "")
    validator = headers.get("Last-Modified", "") if not etag or etag.startswith("W/") else etag
    _notes(part).write_text(json.dumps({"validator": validator}), encoding="utf-8")


def _validator(part: Path) -> str:
    try:
        return str(parse_json(_notes(part).read_text(encoding="utf-8"))["validator"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ""


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from HTTPS to anything less."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise WeightsError(
                "the server redirects to an insecure address", where=req.full_url, found=newurl
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


_OPENER: Final = urllib.request.build_opener(_SafeRedirects)
