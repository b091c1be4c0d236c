"""Where the page of a live session is served: on this machine alone, or anywhere with a token."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import UsageError
from .packages import require_web

DEFAULT_ADDRESS = "127.0.0.1:8765"

PATIENCE_S = 10
"""Seconds after which the system drops a connection that takes nothing of what was sent (where it can)."""

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")
"""RFC 3986's unreserved characters, which stand in an address as they are."""

_MAKE_A_TOKEN = (
    "Make one: `(umask 077; python -c 'import secrets; print(secrets.token_urlsafe())' > token.txt)`, "
    "and give --token token.txt"
)


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where to listen, and what a visitor must know.

    - `host`: a name or an IP address. `port`: 0 for any that is free.
    - `token`: what visitors must present; None: nothing.
    """

    host: str
    port: int
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def anywhere(self) -> bool:
        """Whether it stands for all addresses of the machine, as 0.0.0.0 does."""
        try:
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False


def web_address(text: str = DEFAULT_ADDRESS, token_file: Path | None = None) -> WebAddress:
    """The address of options `--web` and `--token`, checked.

    - `text`: HOST:PORT, HOST or PORT; an IPv6 address in brackets.
    - `token_file`: a file that holds the token: on the command line itself, every user of the machine could
      read it.

    Raises BackendUnavailable if a package is missing; UsageError if the address is invalid or unknown, if it
    can be reached from other machines and there is no token, or if the file holds none.
    """
    require_web()
    address = _parsed(text, None if token_file is None else _token(token_file))
    _endpoint(address)
    return address


def listen(address: WebAddress) -> socket.socket:
    """A socket that listens at `address`. Raises UsageError where that is not possible or not allowed."""
    family, where = _endpoint(address)
    try:
        listening = socket.create_server(where, family=family, backlog=64)
    except OSError as error:
        raise UsageError(
            "cannot listen there",
            where=f"--web {address}",
            found=error.strerror or str(error),
            remedy="Give another port, or port 0 for any that is free.",
        ) from error
    # A phone that has left the network must not keep a viewer's place; connections inherit it (Linux).
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE_S * 1000)
    return listening


def _parsed(text: str, token: str | None) -> WebAddress:
    default = urlsplit(f"//{DEFAULT_ADDRESS}")
    try:
        given = urlsplit(f"//{default.hostname}:{text}" if text.isdecimal() else f"//{text}")
        host, port = given.hostname, default.port if given.port is None else given.port
    except ValueError:
        host = port = None
    if host is None or port is None or re.search(r"[@/?#\s]", text):
        raise UsageError("is no address", where="--web", expected="HOST:PORT, HOST or PORT", found=repr(text))
    return WebAddress(host, port, token)


def _endpoint(address: WebAddress) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The socket address to listen at. Raises UsageError where a token is needed and none is given."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError("the host is unknown", where=f"--web {address}") from error
    family, _, _, _, where = found[0]
    here = ipaddress.ip_address(str(where[0]).partition("%")[0]).is_loopback
    if not here and address.token is None:
        raise UsageError(
            "can be reached from other machines, and has no token",
            where=f"--web {address}",
            remedy=f"{_MAKE_A_TOKEN}; or listen on this machine alone: --web {DEFAULT_ADDRESS}.",
        )
    return family, (str(where[0]), int(where[1]))


def _token(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) else "other characters than ASCII"
        raise UsageError(
            "the token cannot be read", where=f"--token {file}", found=found, remedy=f"{_MAKE_A_TOKEN}."
        ) from error
    if not _TOKEN.fullmatch(token):
        # What stands there is a secret: the message does not repeat it.
        raise UsageError(
            "holds no token that can be used",
            where=f"--token {file}",
            expected="16 to 256 letters, digits and characters of `._~-`, on one line",
            found=f"{len(token)} characters",
            remedy=f"{_MAKE_A_TOKEN}.",
        )
    return token
