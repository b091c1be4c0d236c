"""What can be watched, and what is shown of its address."""

from __future__ import annotations

from pathlib import Path

import pytest

from actionbench.errors import UsageError
from actionbench.live.capture.source import PROTOCOLS, parse_source


def test_a_number_is_a_camera() -> None:
    assert parse_source("007").address == "7"
    assert parse_source("0").public == "camera 0"
    assert parse_source("0").live


def test_a_path_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "walk.mp4"
    path.touch()
    source = parse_source(str(path))
    assert (source.kind, source.address, source.public) == ("file", str(path), "walk.mp4")
    assert not source.live


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://user:s3cret@10.0.0.7:554/stream1", "rtsp://10.0.0.7:554/…"),
        ("http://cam.local/video.ts?token=s3cret", "http://cam.local/…"),
        ("HTTPS://s3cret@cam/x", "https://cam/…"),
        ("tcp://[::1]:9000", "tcp://[::1]:9000"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("udp://:1234", "udp://:1234"),
        ("http://cam.local/", "http://cam.local"),
        ("http://cam.local?token=s3cret", "http://cam.local/…"),
        ("rtsp://10.0.0.7/user=admin_password=s3cret_channel=1", "rtsp://10.0.0.7/…"),
        ("rtsp://10.0.0.7/#s3cret", "rtsp://10.0.0.7/…"),
        ("rtsp://user:12/s3cret@cam/x", "rtsp://…"),
        ("rtsp://user:12#s3cret@cam/x", "rtsp://…"),
        ("rtsp://user?s3cret@cam/x", "rtsp://…"),
    ],
)
def test_addresses_are_shown_without_what_gives_access(address: str, shown: str) -> None:
    source = parse_source(address)
    assert (source.kind, source.public) == ("stream", shown)
    assert source.address.partition("://")[2] == address.partition("://")[2]
    assert "s3cret" not in repr(source)
    assert "s3cret" not in source.public


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nothing.mp4", "nothing.mp4: file does not exist"),
        ("rtps://user:s3cret@cam/", "Did you mean: rtsp"),
        ("file:///etc/passwd", "unknown scheme 'file'"),
        ("concat://a|b", "unknown scheme 'concat'"),
        ("http:///s3cret", "expected http://HOST:PORT/PATH"),
        ("http://cam:s3cret/", "expected http://HOST:PORT/PATH"),
        ("-1", "file does not exist"),
        ("1234567890", "file does not exist"),
    ],
)
def test_what_cannot_be_watched_is_one_clear_error(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_source(text)
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_folder_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        parse_source(str(tmp_path))


def test_no_address_has_ffmpeg_use_files_or_give_up_encryption() -> None:
    used = {scheme: set(protocols.split(",")) for scheme, protocols in PROTOCOLS.items()}
    assert set().union(*used.values()) <= {"rtsp", "rtp", "udp", "tcp", "tls", "http", "https"}
    assert used["https"] == {"https", "tls", "tcp"}
