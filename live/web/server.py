"""The web server of a live session: an output beside the others, in a thread of its own."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from ...errors import MeasurementError
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


SILENT_S = 10.0
"""Seconds without a whole request after which a connection that gets no answer is closed: uvicorn would keep
it, and MOST_CONNECTIONS of them would close the page to everybody."""


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, whose connections do not stay silent."""

    def connection_made(self, transport: Any) -> None:  # as asyncio calls it
        super().connection_made(transport)
        self._look_later()

    def _look_later(self) -> None:
        self.loop.call_later(SILENT_S, self._close_if_silent, self.cycle)

    def _close_if_silent(self, before: RequestResponseCycle | None) -> None:
        """`before`: the last request when it was looked at before; None for none."""
        if self.transport.is_closing():
            return
        answered = self.cycle is None or self.cycle.response_complete
        if answered and self.cycle is before:
            self.transport.close()
        else:
            self._look_later()


class WebServer:
    """Serves the page of a session (an `Output`), from when it is made until it is closed.

    The session's threads only leave the newest frame here; they never wait for a viewer, and nothing is
    encoded while nobody looks.

    - `address`: where to listen.
    - `header`: what the page says of the session.
    - `labels`: the network's classes, in the order of its probabilities.
    - `measurements`: of the session.

    Raises UsageError if nothing can listen at `address`. `frame` and `event` raise MeasurementError when the
    server has ended by itself.
    """

    def __init__(
        self, address: WebAddress, header: SessionHeader, labels: Sequence[str], measurements: Measurements
    ) -> None:
        listening = listen(address)
        self.address = dataclasses.replace(address, port=listening.getsockname()[1])
        self._state = LiveState(header, labels, measurements)
        config = uvicorn.Config(
            Access(make_app(self._state, header), self.address),
            http=_Protocol,
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
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, args=(listening,), name="web", daemon=True)
        self._thread.start()

    def _serve(self, listening: socket.socket) -> None:
        with listening:
            try:
                self._server.run(sockets=[listening])
            except BaseException as error:
                self._problem = error

    def _check(self) -> None:
        if not self._thread.is_alive():
            raise MeasurementError(
                "the page is not served any more", where=self.url, found=repr(self._problem)
            ) from self._problem

    @property
    def url(self) -> str:
        """The page's address, without the token."""
        return f"http://{self.address}/"

    def frame(self, frame: Frame, shown: Shown) -> None:
        """Show a frame, as soon as somebody looks."""
        self._check()
        self._state.show(frame, shown)

    def event(self, event: ActionEvent) -> None:
        """Add an event to the list, or replace what is known of it."""
        self._check()
        self._state.add(event)

    def close(self) -> None:
        """Tell the viewers that the session is over, and stop."""
        self._state.end()
        self._server.should_exit = True
        self._thread.join(CLOSING_S)
