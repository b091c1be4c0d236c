"""Who may see the page, and what a browser may do with it: around every answer of the server."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .address import WebAddress

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer: own scripts and styles only, in no frame, readable by no other site, kept nowhere."""

_UNAUTHORISED = (
    "This page needs its token. Open the address with `?token=…` at its end once; if you followed a link "
    "here, load the page again. Programs send `Authorization: Bearer …`.\n"
)


class Access:
    """Lets GET requests pass that name this server and, where there is a token, present it.

    - `app`: what answers them.
    - `address`: where the server listens; its `port` is the one in effect.

    A browser presents the token once, by `?token=…`, and gets a cookie in return: a random value of this
    server, not the token, because a browser sends a cookie to every port of the host.
    """

    def __init__(self, app: ASGIApp, address: WebAddress) -> None:
        self._app = app
        self._address = address
        self._cookie = f"actionbench_live_{address.port}"
        self._visit = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        if scope["type"] != "http":
            return

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await (self._answer(Request(scope)) or self._app)(scope, receive, send_secured)

    def _answer(self, request: Request) -> Response | None:
        """What a request gets instead of what it asks for; None if it may pass."""
        if request.method != "GET":
            return PlainTextResponse("Only GET is answered.\n", 405, {"Allow": "GET"})
        if not self._names_us(request.headers.get("host", "")):
            return PlainTextResponse("This server has another name.\n", 421)
        if self._address.token is None:
            return None
        given = request.query_params.get("token")
        if given is not None and _same(given, self._address.token):
            # A fixed place: what the request says of it may lead elsewhere.
            clean = RedirectResponse("/", 303)
            clean.set_cookie(self._cookie, self._visit, httponly=True, samesite="strict")
            return clean
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        visit = request.cookies.get(self._cookie, "")
        known = scheme.lower() == "bearer" and _same(bearer.strip(), self._address.token)
        if given is None and (known or _same(visit, self._visit)):
            return None
        return PlainTextResponse(_UNAUTHORISED, 401, {"WWW-Authenticate": "Bearer"})

    def _names_us(self, host: str) -> bool:
        """Whether a Host header is ours.

        A page elsewhere whose name was made to resolve to this machine (DNS rebinding) sends its own name. It
        cannot do so with an IP address: `localhost` and loopback addresses are always ours, however a tunnel
        changes the port, and any address is if all of them are listened at.
        """
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        address = self._address
        names = {"localhost", address.host.lower()}
        if address.anywhere:
            machine = socket.gethostname().lower()
            names |= {machine, f"{machine}.local"}
        if name in names:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback or address.anywhere
        except ValueError:
            return False


def _same(given: str, expected: str) -> bool:
    """Equality in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())
