"""What the tests of live sessions share: small frames and videos, a preparer without a network."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from actionbench.live.frame import Frame
from actionbench.models.spec import Preprocessing, Views
from actionbench.preprocessing.preparer import Preparer

RGB = Preprocessing(
    modality="rgb",
    rate=Fraction(25),
    short_side=16,
    resize="opencv-bilinear",
    long_side="round",
    crop=16,
    crop_offset="floor",
    scale=1 / 255,
)


@pytest.fixture
def preparer() -> Preparer:
    """Of an RGB stream of 16×16 pixels."""
    return Preparer({"rgb": RGB}, Views(4, 4, "loop", "softmax", 1))


MakeFrame = Callable[..., Frame]


@pytest.fixture
def frame() -> MakeFrame:
    """Function that makes a grey frame, whose grey value is its number modulo 256."""

    def make(
        number: int, time_s: float, continues: bool = True, side: int = 16, grey: int | None = None
    ) -> Frame:
        value = number % 256 if grey is None else grey
        return Frame(np.full((side, side, 3), value, np.uint8), number, time_s, 100 + time_s, continues)

    return make


def encode(
    path: Path,
    pictures: Sequence[np.ndarray],
    rate: int = 25,
    stamps_s: Sequence[float] | None = None,
    codec: str = "libx264",
) -> Path:
    """Write pictures (H, W, 3) uint8 as a video, each 12th as a key frame; the ending names the container."""
    with av.open(str(path), "w") as container:
        options = {"bf": "0", "g": "12", "preset": "ultrafast"} if codec == "libx264" else {"g": "12"}
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        if path.suffix != ".avi":  # which has no stamps, but one tick a frame
            stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
        for number, pixels in enumerate(pictures):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            picture.time_base = Fraction(1, 90_000)
            picture.pts = round(90_000 * (number / rate if stamps_s is None else stamps_s[number]))
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def grey_pictures(number: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Pictures whose grey value rises by 4 from one to the next, from 20 to 220 and over again."""
    return [np.full((height, width, 3), 20 + 4 * n % 200, np.uint8) for n in range(number)]


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """`encode`."""
    return encode


@pytest.fixture(scope="session")
def pictures() -> Callable[..., list[np.ndarray]]:
    """`grey_pictures`."""
    return grey_pictures


@contextmanager
def serve_over_http(content: bytes, parts: list[slice]) -> Iterator[str]:
    """Serves the n-th part of `content` at the n-th request, in pieces, and then closes; its address.

    After the last part it answers 404.
    """
    left = iter(parts)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            part = next(left, None)
            if part is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            data = content[part]
            for begin in range(0, len(data), 1880):
                self.wfile.write(data[begin : begin + 1880])

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://viewer:s3cret@127.0.0.1:{server.server_address[1]}/live.ts?token=s3cret"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def http_server() -> Callable[..., AbstractContextManager[str]]:
    """`serve_over_http`."""
    return serve_over_http


@pytest.fixture(scope="session")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate of "localhost" that no authority has signed, and what serves with it."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    words = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words.split(), *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
