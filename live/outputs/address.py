"""Addresses that events are sent to: checked before the session, and shown without what gives access."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ...errors import UsageError


@dataclass(frozen=True, slots=True)
class Address:
    """Where a receiver is.

    - `scheme`, `host`, `port`: of the receiver.
    - `user`, `password`: that the address names, decoded; not to be shown.
    """

    scheme: str
    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def public(self) -> str:
        """For messages: without user, password and path; that of a webhook often is its secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_address(option: str, text: str, ports: Mapping[str, int]) -> Address:
    """The address that a text stands for.

    - `option`: names it in the error. `ports`: each scheme that is allowed → its usual port.

    Raises UsageError for any other text; of the text, which may hold a password, it shows the scheme alone.
    """
    try:
        parts = urlsplit(text)
        if parts.scheme in ports and parts.hostname:
            port = ports[parts.scheme] if parts.port is None else parts.port
            user, password = (
                None if each is None else unquote(each) for each in (parts.username, parts.password)
            )
            return Address(parts.scheme, parts.hostname, port, user, password)
        found = parts.scheme or "no scheme"
    except ValueError:
        found = f"{text.partition(':')[0]}://, and what cannot be read after it"
    raise UsageError(
        "is not an address that events can be sent to",
        where=option,
        expected=" or ".join(f"{scheme}://HOST" for scheme in ports),
        found=found,
    )
