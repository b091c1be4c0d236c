"""A server of archives on the loopback that behaves in every bad way that is known."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from actionbench.downloads.web import RetryPolicy

HASTE = RetryPolicy(timeout_s=0.4, attempts=3, pause_s=0.01)
"""For tests: gives up soon."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer; without arguments, nothing is.

    - `status`: answered instead of the file; `retry_after` is the header that goes with it.
    - `cut`: bytes of the answer after which the connection ends.
    - `stall_s`: seconds of silence at that point, before the connection ends.
    - `ranges`: "ignored", the whole file is sent; "shifted", the part begins a byte later than was asked for,
      and says so; "unstated", without Content-Range.
    - `etag`: another one than the server's; "" for none.
    - `ignores_if_range`: a part is sent even though the file is another one.
    - `total`: size of the file as Content-Range states it.
    - `unsized`: no Content-Length: the answer ends where the connection does.
    - `extra`: bytes that are sent behind the file.
    """

    status: int = 0
    retry_after: str = ""
    cut: int | None = None
    stall_s: float = 0.0
    ranges: Literal["honoured", "ignored", "shifted", "unstated"] = "honoured"
    etag: str | None = None
    ignores_if_range: bool = False
    total: int | None = None
    unsized: bool = False
    extra: bytes = b""


@dataclass
class Server:
    """A server's state, which tests change.

    - `address`: of the server, "http://127.0.0.1:PORT".
    - `files`: path without leading slash → bytes.
    - `faults`: of the next answers, one each; `always` is that of all later ones.
    - `etag`: of every file; "" for none.
    - `headers`: further ones of every answer.
    - `requests`: path and Range header of those that came.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    always: Fault = Fault()
    etag: str = '"1"'
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        """Address of a file."""
        return f"{self.address}/{path}"


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs inside the block."""
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.stopped.set()
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, wanted = self.path.lstrip("/"), self.headers.get("Range", "")
            server.requests.append((path, wanted))
            fault = server.faults.pop(0) if server.faults else server.always
            data = server.files.get(path)
            if fault.status or data is None:
                after = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                self.answer(fault.status or 404, b"", Fault(), after)
                return
            etag = server.etag if fault.etag is None else fault.etag
            same = self.headers.get("If-Range", etag) == etag or fault.ignores_if_range
            begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            headers = {"ETag": etag} if etag else {}
            if not wanted or not same or fault.ranges == "ignored":
                self.answer(200, data, fault, headers)
                return
            if begin >= len(data):
                self.answer(416, b"", Fault(), {"Content-Range": f"bytes */{len(data)}"})
                return
            begin += fault.ranges == "shifted"
            if fault.ranges != "unstated":
                total = len(data) if fault.total is None else fault.total
                headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{total}"
            self.answer(206, data[begin:], fault, headers)

        def answer(self, status: int, data: bytes, fault: Fault, headers: dict[str, str]) -> None:
            data += fault.extra
            self.send_response(status)
            for key, value in (server.headers | headers).items():
                self.send_header(key, value)
            if not fault.unsized:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(OSError):  # a client that did not wait
                self.wfile.write(data if fault.cut is None else data[: fault.cut])
                if fault.stall_s:
                    self.wfile.flush()
                    server.stopped.wait(fault.stall_s)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
