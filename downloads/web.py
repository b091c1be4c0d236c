"""HTTP as every transfer uses it: the client, how often it tries again, and which answers are refusals.

Functions that make errors are given their class, so that who fetches weights reports a WeightsError.
"""

from __future__ import annotations

import netrc
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2

from ..errors import ActionBenchError

HEADERS: Final = {"User-Agent": "actionbench", "Accept-Encoding": "identity"}
"""Headers of every request: the file's own bytes are wanted, not compressed ones."""

_TRANSIENT: Final = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_PAUSE_S: Final = 60.0
_LONGEST_WAIT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a transfer is tried again, and when it is given up.

    - `timeout_s`: seconds to connect, or without data from the server.
    - `attempts`: attempts in a row without any new data.
    - `pause_s`: seconds before the second attempt; doubled for each later one, up to a minute.
    """

    timeout_s: float = 30.0
    attempts: int = 5
    pause_s: float = 1.0

    def wait_s(self, attempt: int, after_s: float) -> float:
        """Seconds to wait before the next attempt.

        - `attempt`: failed attempts in a row so far.
        - `after_s`: seconds that the server asks to wait; more than ten minutes are cut to that.
        """
        pause: float = min(self.pause_s * 2**attempt, _LONGEST_PAUSE_S)
        return max(pause, min(after_s, _LONGEST_WAIT_S))


class Transient(Exception):
    """A failure that may not occur at the next attempt. `after_s`: seconds that the server asks to wait."""

    def __init__(self, why: object, after_s: float = 0.0) -> None:
        super().__init__(str(why))
        self.after_s = after_s


def secure_redirects(error: type[ActionBenchError]) -> dict[str, Any]:
    """Options of an `httpx2.Client`: redirects are followed, but not from HTTPS to anything less.

    A password is not passed on to another host. `error`: class of the error for a redirect that is insecure,
    or leads to what is no address.
    """

    def refuse(response: httpx2.Response) -> None:
        if not response.has_redirect_location:
            return
        where = without_secrets(str(response.url))
        try:
            target = response.url.join(response.headers["Location"])
        except httpx2.InvalidURL as problem:
            raise error("the server redirects to what is no address", where=where, found=problem) from problem
        if response.url.scheme == "https" != target.scheme:
            found = without_secrets(str(target))
            raise error("the server redirects to an insecure address", where=where, found=found)

    return {"follow_redirects": True, "event_hooks": {"response": [refuse]}}


def web_client(
    policy: RetryPolicy,
    error: type[ActionBenchError],
    auth: tuple[str, str] | httpx2.Auth | None = None,
) -> httpx2.Client:
    """A client with the proxy and the certificates that the environment names.

    - `policy`: gives the timeout.
    - `error`: class of the error for a redirect that is refused.
    - `auth`: name and password, which are for the host of the address alone.
    """
    return httpx2.Client(timeout=policy.timeout_s, auth=auth, **secure_redirects(error))


def netrc_auth(error: type[ActionBenchError]) -> httpx2.Auth | None:
    """The passwords by host in the file that the variable NETRC names, or else in ~/.netrc; None without one.

    `error`: class of the error for a file that cannot be read.
    """
    file = os.environ.get("NETRC")
    where = file or "~/.netrc"
    try:
        return httpx2.NetRCAuth(file)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise error("cannot be read", where=where, found=problem.strerror) from problem
    except (netrc.NetrcParseError, UnicodeDecodeError) as problem:
        # The message of a parser may repeat what it stumbled over, which may be a password.
        line = getattr(problem, "lineno", None)
        raise error("is no netrc file", where=where if line is None else f"{where}:{line}") from None


def refusal(
    response: httpx2.Response, url: str, error: type[ActionBenchError], remedy: str
) -> Transient | ActionBenchError:
    """The exception for an answer with a status from 400 on.

    - `response`: the answer.
    - `url`: the address that was asked for.
    - `error`: class of the error for a refusal that no further attempt changes.
    - `remedy`: what to do about that.
    """
    code, headers = response.status_code, response.headers
    found = f"HTTP {code} {response.reason_phrase}"
    if code in _TRANSIENT:
        return Transient(found, _retry_after_s(headers.get("Retry-After", "")))
    if code in (404, 410):
        return error("the server does not have it", where=url, found=found, remedy=remedy)
    if headers.get("X-RateLimit-Remaining") == "0":
        what, remedy = "the server's rate limit is reached", f"Try again in an hour. {remedy}"
        return error(what, where=url, found=found, remedy=remedy)
    return error("the server refuses the request", where=url, found=found, remedy=remedy)


def _retry_after_s(value: str) -> float:
    """Seconds that a Retry-After header asks for, as a number or as a date; 0 if it says neither.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date, or one without a time zone
        return 0.0


def unreachable(
    failure: httpx2.HTTPError, url: str, error: type[ActionBenchError]
) -> Transient | ActionBenchError:
    """The exception for a failure of the connection.

    - `failure`: what httpx2 raised.
    - `url`: the address that was asked for.
    - `error`: class of the error for a failure that no further attempt changes.
    """
    wrong_request = isinstance(failure, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError)
    if wrong_request or not isinstance(failure, httpx2.TransportError):  # or too many redirects
        return error("could not be fetched", where=url, found=failure)
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            return error("the server's certificate is not trusted", where=url, found=failure)
        cause = cause.__cause__ or cause.__context__
    return Transient(str(failure) or type(failure).__name__)


def without_secrets(address: str) -> str:
    """`address` for messages: without a password and without its query, which may hold a signature."""
    begin, separator, rest = address.partition("://")
    rest, question, _ = rest.partition("?")
    host, slash, path = rest.partition("/")
    hidden = "?…" if question else ""
    return f"{begin}{separator}{host.rpartition('@')[2]}{slash}{path}{hidden}" if separator else address


def validator(headers: Mapping[str, str]) -> str:
    """What identifies the server's file, for If-Range: its ETag or its date; empty if there is neither.

    A weak ETag (`W/`) does not promise the same bytes, and what `sendable` refuses cannot be sent back.
    """
    etag = headers.get("ETag", "")
    return sendable(headers.get("Last-Modified", "") if not etag or etag.startswith("W/") else etag)


def sendable(text: str) -> str:
    """`text` where it may be the value of a header that is sent; else an empty one."""
    return text if text.isascii() and text.isprintable() else ""
