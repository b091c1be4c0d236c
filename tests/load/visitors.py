"""Who takes part in a live session from outside: viewers of its page, and the receiver of its events."""

from __future__ import annotations

import http.client
import re
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

STAYS_S = 5.0
"""Seconds after which a viewer leaves, and comes again."""


class Receiver:
    """The web address that events are sent to; a context manager. `received`: how many came."""

    def __init__(self) -> None:
        self.received = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """Of its webhook."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Viewer:
    """Looks at a page as a browser does, over and over; a context manager.

    - `page`: its address. `visits`, `pictures`: how many there were.
    """

    def __init__(self, page: str) -> None:
        self._place = urlsplit(page).netloc
        self.visits = self.pictures = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(OSError, http.client.HTTPException):
                self._visit()
                self.visits += 1

    def _visit(self) -> None:
        for path in ("/", "/live.js", "/live.css", "/health"):
            self._get(path)
        news = http.client.HTTPConnection(self._place, timeout=10)
        news.request("GET", "/events")
        answer = news.getresponse()
        leaves, number = time.monotonic() + STAYS_S, "-1"
        while time.monotonic() < leaves and not self._over.is_set():
            answer.readline()
            headers = self._get(f"/picture?after={number}")[0]
            number = headers.get("X-Frame-Number", number)
            self.pictures += 1
        news.close()

    def _get(self, path: str) -> tuple[http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self._place, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.headers, answer.read()
        finally:
            connection.close()

    def counters(self) -> dict[str, int]:
        """The session's counters by their names in /metrics, without prefix and ending."""
        _, text = self._get("/metrics")
        found = re.findall(r"^actionbench_live_(\w+)_total (\S+)$", text.decode(), re.MULTILINE)
        return {name: int(float(value)) for name, value in found}
