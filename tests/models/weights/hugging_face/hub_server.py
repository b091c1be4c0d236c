"""A server on the loopback that answers as the Hugging Face Hub does, as far as fetching a network needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = ".safetensors"
"""End of the names of files that have a SHA-256; others have Git's digest."""


@dataclass
class Hub:
    """One repository.

    - `files`: name → bytes; `announced`: name → bytes whose digest is given, where these are others.
    - `card`: metadata of the model card. `revisions`: name → commit.
    - `cut`: bytes after which the next answers of a large file end.
    - `requests`: (method, path, range) of those that came.
    """

    address: str = ""
    repository: str = "someone/network"
    files: dict[str, bytes] = field(default_factory=dict)
    announced: dict[str, bytes] = field(default_factory=dict)
    card: dict[str, object] | None = None
    revisions: dict[str, str] = field(default_factory=lambda: {"main": COMMIT, COMMIT: COMMIT})
    cut: list[int] = field(default_factory=list)
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def etag(self, name: str) -> str:
        data = self.announced.get(name, self.files[name])
        if name.endswith(LARGE):
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
            | (
                {"lfs": {"oid": self.etag(name), "size": len(data), "pointerSize": 130}}
                if name.endswith(LARGE)
                else {"oid": self.etag(name)}
            )
            for name, data in self.files.items()
        ]

    def info(self, revision: str) -> dict[str, object]:
        return {
            "id": self.repository,
            "sha": self.revisions[revision],
            "siblings": [{"rfilename": name} for name in self.files],
            "tags": [],
        } | ({} if self.card is None else {"cardData": self.card})


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.respond(body=False)

        def do_GET(self) -> None:
            self.respond(body=True)

        def respond(self, body: bool) -> None:
            path = self.path.partition("?")[0].lstrip("/")
            hub.requests.append((self.command, path, self.headers.get("Range", "")))
            api, file = f"api/models/{hub.repository}", f"{hub.repository}/resolve/"
            if path.startswith(f"{api}/revision/"):
                revision = path.removeprefix(f"{api}/revision/").replace("%2F", "/")
                if revision not in hub.revisions:
                    return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"}, body)
                return self.send(200, json.dumps(hub.info(revision)).encode(), {}, body)
            if path.startswith(f"{api}/tree/"):
                return self.send(200, json.dumps(hub.tree()).encode(), {}, body)
            commit, _, name = path.removeprefix(file).partition("/")
            if path.startswith(file) and commit == COMMIT and name in hub.files:
                return self.serve(name, body)
            return self.send(404, b"", {"X-Error-Code": "RepoNotFound"}, body)

        def serve(self, name: str, body: bool) -> None:
            data, wanted = hub.files[name], self.headers.get("Range", "")
            headers = {"ETag": f'"{hub.etag(name)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            begin = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
            if begin:
                headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            cut = hub.cut.pop(0) if body and hub.cut and name.endswith(LARGE) else None
            self.send(206 if begin else 200, data[begin:], headers, body, cut)

        def send(
            self, status: int, data: bytes, headers: dict[str, str], body: bool, cut: int | None = None
        ) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                with suppress(ConnectionError):
                    self.wfile.write(data[:cut])

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving_hub() -> Iterator[Hub]:
    """A hub that runs inside the block."""
    hub = Hub()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    http.shutdown()
    thread.join()
    http.server_close()
