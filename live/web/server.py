"""The web server of a live session: an output beside the others, in a thread of its own."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence

import uvicorn

from ..events import ActionEvent, SessionHeader
from ..frame import Frame
from ..measurements import Measurements
from ..outputs.output import Shown
from .access import Access
from .address import WebAddress, listen
from .app import make_app
from .state import LiveState

MOST_CONNECTIONS = 64
"""Connections at a time: a browser opens up to six for a page. Others are refused (503)."""

CLOSING_S = 1.0
"""Seconds that closing takes at most; streams that are open end by themselves in less."""


class WebServer:
    """Serves the page of a session (an `Output`), from when it is made until it is closed.

    The session's threads only leave the newest frame here; they never wait for a viewer, and nothing is
    encoded while nobody looks.

    - `address`: where to listen.
    - `header`: what the page says of the session.
    - `labels`: the network's classes, in the order of its probabilities.
    - `measurements`: of the session.

    Raises UsageError if nothing can listen at `address`.
    """

    def __init__(
        self, address: WebAddress, header: SessionHeader, labels: Sequence[str], measurements: Measurements
    ) -> None:
        listening = listen(address)
        self.address = dataclasses.replace(address, port=listening.getsockname()[1])
        self._state = LiveState(header, labels, measurements)
        config = uvicorn.Config(
            Access(make_app(self._state, header), self.address),
            lifespan="off",
            ws="none",
            log_config=None,
            # A request may hold the token.
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="web", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The page's address, without the token."""
        return f"http://{self.address}/"

    def frame(self, frame: Frame, shown: Shown) -> None:
        """Show a frame, as soon as somebody looks."""
        self._state.show(frame, shown)

    def event(self, event: ActionEvent) -> None:
        """Add an event to the list, or replace what is known of it."""
        self._state.add(event)

    def close(self) -> None:
        """Tell the viewers that the session is over, and stop."""
        self._state.end()
        self._server.should_exit = True
        self._thread.join(CLOSING_S)
