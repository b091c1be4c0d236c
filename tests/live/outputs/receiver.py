"""A receiver of webhooks on the loopback that behaves in every bad way that is known."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from actionbench.parsing import parse_json


@dataclass
class Receiver:
    """A receiver's state.

    - `statuses`: of the next answers, then 200; 0 closes the connection without one.
    - `redirect`: address that a 3xx answer names.
    - `holding`: answers wait until it is set.
    - `received`: the values that came. `headers`: those of each request.
    """

    address: str
    statuses: list[int] = field(default_factory=list)
    redirect: str = ""
    holding: threading.Event = field(default_factory=threading.Event)
    received: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


def handler(state: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.begun.release()
            state.holding.wait(10)
            state.received.append(parse_json(body))
            state.headers.append(dict(self.headers))
            status = state.statuses.pop(0) if state.statuses else 200
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", state.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that answers inside the block."""
    state = Receiver("")
    state.holding.set()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    state.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    state.holding.set()
    http.shutdown()
    thread.join()
    http.server_close()
