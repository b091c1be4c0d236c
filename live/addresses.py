"""Addresses of sources and receivers as they may be shown and stored: without what gives access."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..plain_text import plain_line

HIDDEN = "***"

_SECRET = re.compile(r"pass|pwd|token|key|secret|auth|sig|credential", re.IGNORECASE)
"""What the name of a query parameter has in it whose value gives access."""


def without_secrets(address: str) -> str:
    """`address` with its password, and the values of query parameters that give access, replaced by `***`.

    - `address`: a URL; anything else (a path, the number of a camera) is returned as it is, on one line.
    """
    address = plain_line(address)
    try:
        parts = urlsplit(address)
        if not parts.netloc:
            return address
        user, at, host = parts.netloc.rpartition("@")
        if ":" in user:
            user = f"{user.partition(':')[0]}:{HIDDEN}"
        query = parts.query
        if _SECRET.search(query):
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode(
                [(name, HIDDEN if _SECRET.search(name) else value) for name, value in pairs], safe="*"
            )
        return urlunsplit((parts.scheme, f"{user}{at}{host}", parts.path, query, ""))
    except ValueError:  # not an address that can be taken apart: nothing of it is shown that may be secret
        return f"{address.partition(':')[0]}:{HIDDEN}"


def origin(address: str) -> str:
    """Scheme, host and port of a URL alone: the path of a webhook often is its secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
