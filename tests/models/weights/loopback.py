"""A server on the loopback that behaves in every bad way that is known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from actionbench.downloads.web import RetryPolicy

HASTE = RetryPolicy(timeout_s=0.4, attempts=3, pause_s=0.01)


@dataclass
class Server:
    """A server's state.

    - `files`: path → bytes. `types`: "/path" → content type. `redirects`: path → address it redirects to.
    - `cut`: bytes after which the next answers end. `status`: of the next answers.
    - `requests`: (path, range) of those that came; `authorizations`: their headers.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: str = '"1"'
    delay_s: float = 0.0
    requests: list[tuple[str, str]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].lstrip("/")
            wanted = self.headers.get("Range", "")
            server.requests.append((path, wanted))
            server.authorizations.append(self.headers.get("Authorization"))
            time.sleep(server.delay_s)
            data = server.files.get(path)
            status = server.status.pop(0) if server.status else 200 if data is not None else 404
            if path in server.redirects:
                self.answer(302, b"", {"Location": server.redirects[path]})
                return
            if status != 200 or data is None:
                self.answer(status, b"")
                return
            begin = 0
            if server.ranges and wanted and self.headers.get("If-Range", server.etag) == server.etag:
                begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(data) > 0 and wanted:
                self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            elif begin:
                extent = {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
                self.answer(206, data[begin:], extent)
            else:
                self.answer(200, data)

        def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {
                "Content-Length": str(len(data)),
                "ETag": server.etag,
                "Content-Type": server.types.get(self.path, "application/octet-stream"),
                **(headers or {}),
            }.items():
                if value:
                    self.send_header(key, value)
            self.end_headers()
            sent = data[: server.cut.pop(0)] if server.cut and status in (200, 206) else data
            with suppress(ConnectionError):  # a client that did not wait
                self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs inside the block."""
    state = Server("")
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    state.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()
