"""How long a transfer waits, and what is worth another attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx2
import pytest

from actionbench.downloads.web import (
    RetryPolicy,
    Transient,
    netrc_auth,
    refusal,
    secure_redirects,
    unreachable,
    validator,
    without_secrets,
)
from actionbench.errors import ArchiveError, WeightsError

URL = "https://host/part"


def answered(status: int, **headers: str) -> Transient | Exception:
    response = httpx2.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()})
    return refusal(response, URL, ArchiveError, "Look elsewhere")


def test_pauses_double_up_to_a_minute_and_servers_may_ask_for_ten() -> None:
    policy = RetryPolicy(pause_s=1)
    assert [policy.wait_s(attempt, 0) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [policy.wait_s(2, after) for after in (1, 90, 1e9, float("inf"))] == [4, 90, 600, 600]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_temporary_statuses(status: int) -> None:
    assert isinstance(answered(status), Transient)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", 0), ("17", 17), ("soon", 0), ("-1", 0), ("1.5", 0), ("9" * 5000, float("inf"))],
)
def test_seconds_to_wait(value: str, seconds: float) -> None:
    failure = answered(429, Retry_After=value)
    assert isinstance(failure, Transient)
    assert failure.after_s == seconds


def test_a_date_to_wait_for() -> None:
    for offset, least, most in ((120, 100, 120), (-120, 0, 0)):
        then = datetime.now(UTC) + timedelta(seconds=offset)
        failure = answered(503, Retry_After=format_datetime(then, usegmt=True))
        assert isinstance(failure, Transient)
        assert least <= failure.after_s <= most


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (403, {}, "the server refuses the request; found HTTP 403 Forbidden. Look elsewhere"),
        (404, {}, "the server does not have it; found HTTP 404 Not Found. Look elsewhere"),
        (410, {}, "the server does not have it"),
        (403, {"X_RateLimit_Remaining": "0"}, "rate limit is reached; .* Try again in an hour. Look"),
    ],
)
def test_refusals(status: int, headers: dict[str, str], text: str) -> None:
    with pytest.raises(ArchiveError, match=text) as caught:
        raise answered(status, **headers)
    assert caught.value.where == URL


def test_failures_of_the_connection() -> None:
    assert isinstance(unreachable(httpx2.ReadTimeout(""), URL, WeightsError), Transient)
    assert str(unreachable(httpx2.ReadTimeout(""), URL, WeightsError)) == "ReadTimeout"
    assert isinstance(unreachable(httpx2.TooManyRedirects("20"), URL, WeightsError), WeightsError)
    untrusted = httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    assert "certificate is not trusted" in str(unreachable(untrusted, URL, WeightsError))


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"ETag": '"1"', "Last-Modified": "then"}, '"1"'),
        ({"ETag": 'W/"1"', "Last-Modified": "then"}, "then"),
        ({"ETag": 'W/"1"'}, ""),
        ({"ETag": '"é"', "Last-Modified": "then"}, ""),  # it could not be sent back
        ({}, ""),
    ],
)
def test_what_identifies_a_file(headers: dict[str, str], found: str) -> None:
    assert validator(headers) == found


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:secret@host:80/a/part.tar?X-Amz-Signature=1&b=/", "https://host:80/a/part.tar?…"),
        ("https://host/a@b.tar", "https://host/a@b.tar"),
        ("s3://bucket/part.tar", "s3://bucket/part.tar"),
        ("/videos/what?.tar", "/videos/what?.tar"),
        ("http://", "http://"),
    ],
)
def test_messages_hold_no_secrets(address: str, shown: str) -> None:
    assert without_secrets(address) == shown


@pytest.mark.parametrize(
    ("scheme", "location", "message"),
    [
        ("https", "http://host/x?signature=hidden", "insecure address; found http://host/x\\?…"),
        ("https", "file:///etc/passwd", "insecure address"),
        ("https", "https://[::1", "no address"),
        ("http", "\x7f", "no address"),
    ],
)
def test_a_redirect_that_is_refused_shows_no_secret(scheme: str, location: str, message: str) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(302, headers={"Location": location})

    asked: list[str] = []
    transport = httpx2.MockTransport(answer)
    url = f"{scheme}://me:hidden@host/part"
    with (
        httpx2.Client(transport=transport, **secure_redirects(ArchiveError)) as client,
        pytest.raises(ArchiveError, match=message) as caught,
    ):
        client.get(url)
    assert len(asked) == 1
    assert "hidden" not in str(caught.value)


def test_passwords_of_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(file))
    assert netrc_auth(ArchiveError) is None
    file.write_text("machine host login me password hidden\n")
    seen: list[str | None] = []
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(200, text=seen.append(request.headers.get("Authorization")))  # type: ignore[func-returns-value]
    )
    with httpx2.Client(transport=transport, auth=netrc_auth(ArchiveError)) as client:
        client.get("https://host/")
        client.get("https://other/")
    assert seen == ["Basic bWU6aGlkZGVu", None]
    for content in (b"machine host login me password hidden hidden", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(ArchiveError, match="is no netrc file") as caught:
            netrc_auth(ArchiveError)
        assert "hidden" not in str(caught.value)
