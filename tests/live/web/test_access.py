"""Who gets an answer, and what every answer forbids a browser."""

from __future__ import annotations

import hmac
import logging
import socket

import pytest

from actionbench.live.web.access import Access
from actionbench.live.web.address import WebAddress
from actionbench.tests.live.web.fake_session import TOKEN, FakeSession

PATHS = ("/", "/live.css", "/live.js", "/events", "/picture", "/metrics", "/health", "/nothing")


def test_every_answer_is_secured(session: FakeSession) -> None:
    session.frame()
    for path in ("/", "/live.js", "/picture", "/metrics", "/health", "/nothing", "/picture?after=x"):
        answer, _ = session.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_the_page_loads_nothing_from_elsewhere(session: FakeSession) -> None:
    for path in ("/", "/live.css", "/live.js"):
        answer, body = session.get(path)
        assert answer.status == 200
        assert b"http:" not in body
        assert b"https:" not in body
        assert b"<script>" not in body
        assert b"style=" not in body
        assert b"innerHTML" not in body


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/live.html", "/../server.py", "/%2e%2e/app.py"]
)
def test_there_is_nothing_else(session: FakeSession, path: str) -> None:
    assert session.get(path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_only_get(session: FakeSession, method: str) -> None:
    for path in ("/", "/nothing"):
        answer, _ = session.get(path, method)
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1234", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("evil.example:8765", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(session: FakeSession, host: str, status: int) -> None:
    assert session.get("/health", Host=host)[0].status == status


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["no host", "two hosts", "NUL"],
)
def test_what_is_no_plain_request_is_refused(session: FakeSession, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", session.port), timeout=10) as connection:
        connection.sendall(request_)
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def allowed(bound: str, host: str) -> bool:
    async def nothing(*_: object) -> None: ...

    return Access(nothing, WebAddress(bound, 1, TOKEN))._names_us(host)


@pytest.mark.parametrize("bound", ["0.0.0.0", "::"])
def test_all_addresses_are_ours_where_all_are_listened_at(bound: str) -> None:
    assert allowed(bound, "192.0.2.1:8765")
    assert allowed(bound, "[2001:db8::1]:8765")
    assert not allowed(bound, "evil.example")


def test_the_name_that_was_bound_is_ours() -> None:
    assert allowed("camera.example", "Camera.Example:8765")
    assert allowed("192.0.2.1", "192.0.2.1:8765")
    assert not allowed("192.0.2.1", "192.0.2.2:8765")


@pytest.mark.parametrize(
    "host", [":", "[", "]", "[]", "[::1", "@", "a:b:c", "1.2.3", "٣.0.0.1", "x" * 999, "\x00"]
)
def test_odd_host_headers_are_refused(host: str) -> None:
    assert not allowed("127.0.0.1", host)


def test_without_the_token_nothing_is_shown(guarded: FakeSession) -> None:
    guarded.frame()
    wrong = ("", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}")
    for path in PATHS:
        for authorization in wrong:
            answer, body = guarded.get(path, Authorization=authorization)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert b"actionbench_live" not in body
    assert guarded.get("/?token=wrong")[0].status == 401
    assert guarded.get("/", Cookie=f"actionbench_live_{guarded.port}={TOKEN}")[0].status == 401
    assert guarded.get("/", Cookie=f"actionbench_live_{guarded.port}=")[0].status == 401


def test_programs_send_the_token(guarded: FakeSession) -> None:
    assert guarded.get("/metrics", Authorization=f"Bearer {TOKEN}")[0].status == 200
    assert guarded.get("/health", Authorization=f"bearer {TOKEN}")[0].status == 200


def test_a_browser_presents_the_token_once(guarded: FakeSession) -> None:
    answer, body = guarded.get(f"//evil.example?token={TOKEN}")
    assert (answer.status, answer.headers["Location"], body) == (303, "/", b"")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    # A browser sends it to every port of this host.
    assert TOKEN not in cookie
    assert guarded.get("/", Cookie=cookie.partition(";")[0])[0].status == 200


def test_a_token_does_not_make_a_foreign_name_ours(guarded: FakeSession) -> None:
    answer, _ = guarded.get("/metrics", Authorization=f"Bearer {TOKEN}", Host="evil.example")
    assert answer.status == 421


def test_the_token_is_compared_in_constant_time(
    guarded: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def noted(given: bytes, expected: bytes) -> bool:
        compared.append((given, expected))
        return compare(given, expected)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    assert guarded.get("/?token=wrong")[0].status == 401
    assert guarded.get("/", Authorization="Bearer wrong")[0].status == 401
    assert compared.count((b"wrong", TOKEN.encode())) == 2


def test_nothing_is_logged_of_a_request_which_may_hold_the_token(
    guarded: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []

    class Log(logging.Handler):  # not pytest's, which also hears loggers that are cut off
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())

    monkeypatch.setattr(logging.root, "handlers", [Log()])
    monkeypatch.setattr(logging.root, "level", logging.DEBUG)
    logging.getLogger("uvicorn.error").warning("heard")
    assert guarded.get(f"/?token={TOKEN}")[0].status == 303
    assert "heard" in logged
    assert not [message for message in logged if TOKEN in message]
