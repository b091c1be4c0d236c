"""Files and streams: real ones, damaged, changed in mid-stream, and cut."""

from __future__ import annotations

import itertools
import shutil
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from actionbench.live.capture import video
from actionbench.live.capture.capture import Capture
from actionbench.live.capture.picture import Picture, SourceLost
from actionbench.live.capture.source import parse_source
from actionbench.live.capture.video import read_video
from actionbench.live.frame import Frame
from actionbench.live.measurements import Measurements

WriteVideo = Callable[..., Path]
Pictures = Callable[..., list[np.ndarray]]
HttpServer = Callable[[bytes, list[slice]], AbstractContextManager[str]]


def read_all(address: object) -> tuple[list[Picture], int]:
    damage: list[None] = []
    found = list(read_video(parse_source(str(address)), lambda: damage.append(None)))
    return found, len(damage)


def greys(pictures: list[Picture]) -> list[int]:
    return [round(float(picture.pixels.mean())) for picture in pictures]


@pytest.mark.parametrize("ending", ["mp4", "ts", "mkv", "avi"])
def test_a_file_gives_its_pictures_with_their_times(
    tmp_path: Path, write_video: WriteVideo, pictures: Pictures, ending: str
) -> None:
    path = write_video(tmp_path / f"v.{ending}", pictures(30))
    found, damage = read_all(path)
    assert damage == 0
    assert greys(found) == pytest.approx([20 + 4 * n for n in range(30)], abs=3)
    stamps = np.array([picture.stamp_s for picture in found], float)
    np.testing.assert_allclose(stamps - stamps[0], np.arange(30) / 25, atol=2e-3)
    assert found[0].step_s == pytest.approx(0.04)
    assert all(picture.decode_s > 0 for picture in found)


def test_a_variable_rate_is_in_the_stamps(
    tmp_path: Path, write_video: WriteVideo, pictures: Pictures
) -> None:
    times = [0, 0.04, 0.08, 0.5, 0.51, 0.52, 1.2]
    found, _ = read_all(write_video(tmp_path / "v.mkv", pictures(7), stamps_s=times))
    assert [picture.stamp_s for picture in found] == pytest.approx(times, abs=2e-3)


def test_a_stream_that_changes_its_size_goes_on_in_the_new_one(
    tmp_path: Path, write_video: WriteVideo, pictures: Pictures
) -> None:
    """Raw H.264 after H.264, as a camera sends it that is set to another size."""
    one = write_video(tmp_path / "a.h264", pictures(15, 48, 64))
    two = write_video(tmp_path / "b.h264", pictures(15, 96, 80))
    both = tmp_path / "c.h264"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    found, _ = read_all(both)
    assert [picture.pixels.shape for picture in found] == [(48, 64, 3)] * 15 + [(96, 80, 3)] * 15


def test_damaged_packets_are_counted_and_the_rest_is_shown(tmp_path: Path, write_video: WriteVideo) -> None:
    noise = np.random.default_rng(0)
    shown = [noise.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(60)]
    path = write_video(tmp_path / "v.ts", shown)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = noise.bytes(4000)
    path.write_bytes(bytes(content))
    found, damage = read_all(path)
    assert damage == 1
    assert 40 <= len(found) <= 60


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "not a video"), (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "not a video")]
)
def test_what_is_no_video_says_so(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.ts"
    path.write_bytes(content)
    with pytest.raises(SourceLost, match=says):
        read_all(path)


def test_a_stream_over_http_that_is_cut_in_mid_run_comes_back(
    tmp_path: Path,
    write_video: WriteVideo,
    pictures: Pictures,
    monkeypatch: pytest.MonkeyPatch,
    http_server: HttpServer,
) -> None:
    monkeypatch.setattr("actionbench.live.capture.capture.FIRST_WAIT_S", 0.05)
    content = write_video(tmp_path / "v.ts", pictures(60)).read_bytes()
    frames: list[Frame] = []
    said: list[str] = []
    measured = Measurements()
    stop = threading.Event()

    def give(frame: Frame) -> None:
        frames.append(frame)
        if len([each for each in frames if not each.continues]) == 2 and frame.number >= 70:
            stop.set()

    # The first time it breaks off in the middle of a packet.
    with http_server(content, [slice(0, len(content) * 3 // 5 + 77), slice(None)]) as address:
        Capture(parse_source(address), give, measured, stop, say=said.append).run()
    starts = [frame for frame in frames if not frame.continues]
    assert [starts[0].number, len(starts)] == [0, 2]
    assert 20 <= starts[1].number <= 40
    assert all(a.time_s <= b.time_s for a, b in itertools.pairwise(frames))
    assert measured.status().reconnects == 1
    assert "is lost (the stream " in said[0]  # "ended", or "broke off: Input/output error"
    assert not any("s3cret" in words for words in said)


@pytest.mark.parametrize("known_by", ["file", "folder"])
def test_a_password_goes_to_a_server_with_a_known_certificate_only(
    own_certificate: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    known_by: str,
) -> None:
    """The folder is as on Debian, where Python knows no file."""
    certificate, context = own_certificate
    shutil.copy(certificate, tmp_path / "ca-certificates.crt")
    requests: list[bytes] = []
    with socket.create_server(("localhost", 0)) as server:

        def serve() -> None:
            with suppress(OSError), context.wrap_socket(server.accept()[0], server_side=True) as connection:
                requests.extend(filter(None, [connection.recv(1000)]))

        address = f"https://me:s3cret@localhost:{server.getsockname()[1]}/v.ts"
        for trusted in (False, True):
            if trusted:
                monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path if known_by == "folder" else "none"))
                monkeypatch.setenv("SSL_CERT_FILE", str(certificate if known_by == "file" else "none"))
            thread = threading.Thread(target=serve)
            thread.start()
            with pytest.raises(SourceLost):
                read_all(address)
            thread.join()
            assert len(requests) == trusted


def test_a_playlist_has_no_further_address_opened() -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.apple.mpegurl")
            self.end_headers()
            self.wfile.write(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/further.ts\n#EXT-X-ENDLIST\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        with pytest.raises(SourceLost):
            read_all(f"http://127.0.0.1:{server.server_address[1]}/live.m3u8")
        server.shutdown()
    assert set(asked) == {"/live.m3u8"}


def test_a_stream_over_tcp(tmp_path: Path, write_video: WriteVideo, pictures: Pictures) -> None:
    content = write_video(tmp_path / "v.ts", pictures(25)).read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(content)

        thread = threading.Thread(target=serve)
        thread.start()
        found, damage = read_all(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert (len(found), damage) == (25, 0)


def test_a_stream_that_falls_silent_is_lost(
    tmp_path: Path, write_video: WriteVideo, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "READ_TIMEOUT_S", 0.3)
    content = write_video(tmp_path / "v.ts", pictures(50)).read_bytes()
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(content)
                over.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        found: list[Picture] = []
        source = parse_source(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(SourceLost, match=r"broke off: no data for 0\.3 s"):
            found.extend(read_video(source, lambda: None))
        over.set()
        thread.join()


@pytest.mark.parametrize("answers", [True, False])
def test_nobody_there(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "OPEN_TIMEOUT_S", 0.2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers:
            server.listen()
        says = "no answer in time" if answers else "Connection refused"
        with pytest.raises(SourceLost, match=says):
            read_all(f"tcp://127.0.0.1:{server.getsockname()[1]}")
