"""One file over HTTP: resumed after a break, retried, bounded in time and size."""

from __future__ import annotations

import json
import shutil
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from ...atomic import write_file
from ...errors import WeightsError
from ...parsing import parse_json
from .formats.impostors import impostor

TransferProgress = Callable[[int, "int | None"], None]
"""Called with the bytes received and the bytes in all, None if the server does not send their number."""

_SPARE_BYTES: Final = 64 << 20  # left free on the disk
_TRANSIENT: Final = {408, 425, 429, 500, 502, 503, 504}
_MAX_WAIT_S: Final = 60.0
_HEADERS: Final = {"User-Agent": "actionbench", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Limits of a download.

    - `timeout_s`: seconds to connect, or without data from the server.
    - `attempts`: attempts in a row without any new data.
    - `pause_s`: seconds before the second attempt; doubled for each later one.
    - `max_bytes`: largest file that is accepted.
    """

    timeout_s: float = 30.0
    attempts: int = 5
    pause_s: float = 1.0
    max_bytes: int = 4 << 30


class NotFound(WeightsError):
    """The server has no file at this address."""


class _Transient(Exception):
    """A failure that may not occur at the next attempt. `after_s`: seconds that the server asks to wait."""

    def __init__(self, why: object, after_s: float = 0.0) -> None:
        super().__init__(str(why))
        self.after_s = after_s


def _refuse_insecure(response: httpx2.Response) -> None:
    if not response.has_redirect_location or response.url.scheme != "https":
        return
    target = response.url.join(response.headers["Location"])
    if target.scheme != "https":
        raise WeightsError("the server redirects to an insecure address", where=response.url, found=target)


REDIRECTS: Final[dict[str, Any]] = {
    "follow_redirects": True,
    "event_hooks": {"response": [_refuse_insecure]},
}
"""Options of an `httpx2.Client`: redirects are followed, but not from HTTPS to anything less. A password is
not passed on to another host."""


def web_client(policy: RetryPolicy, auth: tuple[str, str] | None = None) -> httpx2.Client:
    """A client for `download`, with the proxy and the certificates that the environment names.

    - `auth`: name and password, which are for the host of the address alone.
    """
    return httpx2.Client(timeout=policy.timeout_s, auth=auth, **REDIRECTS)


def download(
    url: str,
    part: Path,
    *,
    client: httpx2.Client,
    size: int | None = None,
    pinned: bool = False,
    progress: TransferProgress,
    policy: RetryPolicy,
) -> None:
    """Download a file, continuing a partial download.

    - `url`: its address.
    - `part`: the partial file. Its bytes are used if the server still has the same file, by its ETag or date,
      or if `pinned` is True. However the download ends, the bytes received stay there.
    - `client`: from `web_client`, or a similar one.
    - `size`: bytes that the file must have, None if unknown.
    - `pinned`: whether the caller compares a checksum afterwards.
    - `progress`: called after each chunk.
    - `policy`: limits.

    Raises WeightsError if the server refuses, cannot be reached, has a file of another size, sends a web page
    instead, or if the disk is full; OSError if the file cannot be written.
    """
    attempt, best = 0, _have(part)
    while True:
        try:
            return _attempt(client, url, part, size, pinned, progress, policy)
        except _Transient as error:
            attempt = 0 if _have(part) > best else attempt + 1
            best = max(best, _have(part))
            if attempt >= policy.attempts:
                raise WeightsError(
                    f"could not be fetched in {policy.attempts} attempts",
                    where=url,
                    found=error,
                    remedy="What was received is kept: run the same command again, or use --from",
                ) from error
            time.sleep(min(max(error.after_s, policy.pause_s * 2**attempt), _MAX_WAIT_S))


def _attempt(
    client: httpx2.Client,
    url: str,
    part: Path,
    size: int | None,
    pinned: bool,
    progress: TransferProgress,
    policy: RetryPolicy,
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
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code == 416 and response.headers.get("Content-Range") == f"bytes */{have}":
                return
            if response.status_code >= 400:
                _refused(response, url, part)
            if response.status_code == 206 and not _continues(response.headers, have):
                _forget(part)
                raise _Transient("the server sent another part of the file than requested")
            have = have if response.status_code == 206 else 0
            _receive(response, url, part, have, size, progress, policy)
    except httpx2.TransportError as error:
        _unreachable(error, url)
    except httpx2.HTTPError as error:  # too many redirects, an answer that is no HTTP
        raise WeightsError("could not be fetched", where=url, found=error) from error


def _receive(
    response: httpx2.Response,
    url: str,
    part: Path,
    have: int,
    size: int | None,
    progress: TransferProgress,
    policy: RetryPolicy,
) -> None:
    length = response.headers.get("Content-Length", "")
    total = have + int(length) if length.isdecimal() else size
    if size is not None and total != size:
        raise WeightsError("has another size than expected", where=url, expected=f"{size} bytes", found=total)
    limit = policy.max_bytes if total is None else total
    if limit > policy.max_bytes:
        raise WeightsError(
            "is too large", where=url, expected=f"at most {policy.max_bytes} bytes", found=f"{limit} bytes"
        )
    if total is not None:
        _check_space(part, total - have)
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
        raise _Transient(f"the connection ended after {have} of {total} bytes")
    if have == 0:
        raise WeightsError("the server sent an empty file", where=url)


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed + _SPARE_BYTES:
        raise disk_full(part.parent, f"{needed + _SPARE_BYTES} bytes", f"{free} bytes free")


def disk_full(folder: Path, expected: str | None = None, found: str | None = None) -> WeightsError:
    """The error for a full disk: `folder` is on it, `expected` and `found` are free bytes, as text."""
    return WeightsError(
        "the disk is full",
        where=folder,
        expected=expected,
        found=found,
        remedy="Make room and run the same command again, or name another folder in ACTIONBENCH_HOME",
    )


def _refused(response: httpx2.Response, url: str, part: Path) -> None:
    code, headers = response.status_code, response.headers
    if code == 416:
        _forget(part)
        raise _Transient("the server has another file than the one that was begun")
    found = f"HTTP {code} {response.reason_phrase}"
    if code in _TRANSIENT:
        after = headers.get("Retry-After", "")
        raise _Transient(found, float(after) if after.isdecimal() else 0.0)
    by_hand = "Fetch it by other means and use --from FOLDER"
    if code in (404, 410):
        raise NotFound("the server does not have it", where=url, found=found, remedy=by_hand)
    limited = headers.get("X-RateLimit-Remaining") == "0"
    raise WeightsError(
        "the server's rate limit is reached" if limited else "the server refuses the request",
        where=url,
        found=found,
        remedy=f"Try again in an hour. {by_hand}" if limited else by_hand,
    )


def _unreachable(error: httpx2.TransportError, url: str) -> None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            raise WeightsError("the server's certificate is not trusted", where=url, found=error) from error
        cause = cause.__cause__ or cause.__context__
    raise _Transient(str(error) or type(error).__name__) from error


def _continues(headers: Mapping[str, str], have: int) -> bool:
    return str(headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _have(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _remember(part: Path, headers: Mapping[str, str]) -> None:
    """Keep what identifies the server's file. A weak ETag (`W/`) does not promise the same bytes."""
    etag = headers.get("ETag", "")
    validator = headers.get("Last-Modified", "") if not etag or etag.startswith("W/") else etag
    write_file(_notes(part), json.dumps({"validator": validator}), sync=False)


def _validator(part: Path) -> str:
    try:
        return str(parse_json(_notes(part).read_text(encoding="utf-8"))["validator"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ""


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)
