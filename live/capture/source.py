"""What a live session watches: the number of a camera, a video file, or the address of a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ...errors import UsageError, did_you_mean

PROTOCOLS = {
    "rtsp": "rtsp,rtp,udp,tcp",
    "http": "http,tcp",
    "https": "https,tls,tcp",
    "udp": "udp",
    "tcp": "tcp",
}
"""Scheme of an address → the protocols that FFmpeg may use for it: none that leads to files."""


_CAMERA = re.compile(r"\d{1,9}", re.ASCII)
"""The number of a camera."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of frames.

    - `kind`: "camera", "file" or "stream".
    - `address`: number, path or address. It may hold a password: it is not to be shown or logged.
    - `public`: for people: of a file its name; of an address scheme, host and port, since the rest of it may
      give access (`rtsp://HOST/user=admin_password=…`).
    """

    kind: Literal["camera", "file", "stream"]
    address: str = field(repr=False)
    public: str

    @property
    def live(self) -> bool:
        """Whether it goes on for ever, and is opened again when it is lost."""
        return self.kind != "file"


def parse_source(text: str) -> Source:
    """The source that a user named. Raises UsageError for what is none."""
    if _CAMERA.fullmatch(text):
        return Source("camera", str(int(text)), f"camera {int(text)}")
    scheme, colons, _ = text.partition("://")
    if colons:
        return _stream(scheme.lower(), text)
    path = Path(text)
    if not path.exists():
        raise UsageError("file does not exist", where=text, remedy=_EXPECTED)
    if path.is_dir():
        raise UsageError("is a folder", where=text, remedy=_EXPECTED)
    return Source("file", str(path.absolute()), path.name)


_EXPECTED = (
    f"Name a camera by its number, a video file, or an address: {', '.join(f'{p}://' for p in PROTOCOLS)}"
)


def _stream(scheme: str, text: str) -> Source:
    # The text may hold a password, so that no error shows more of it than the scheme.
    if scheme not in PROTOCOLS:
        raise UsageError(
            f"unknown scheme '{scheme}'",
            where="the address of the stream",
            remedy=f"{did_you_mean(scheme, PROTOCOLS)}{_EXPECTED}",
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = None
    if parts is None or (not host and scheme != "udp"):
        raise UsageError(
            "cannot be read", where=f"the {scheme} address", expected=f"{scheme}://HOST:PORT/PATH"
        )
    if "@" in text and "@" not in parts.netloc:
        # Of a password with an unescaped `/`, `?` or `#`, the rest looks like a port or a path.
        return Source("stream", f"{scheme}{text[len(scheme) :]}", f"{scheme}://…")
    host = f"[{host}]" if host and ":" in host else host or ""
    place = host if port is None else f"{host}:{port}"
    hidden = "/…" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return Source("stream", f"{scheme}{text[len(scheme) :]}", f"{scheme}://{place}{hidden}")
