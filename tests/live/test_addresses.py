"""What of an address may be shown."""

from __future__ import annotations

import pytest

from actionbench.live.addresses import origin, without_secrets


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("0", "0"),
        ("/dev/video0", "/dev/video0"),
        ("a folder/clip.mp4", "a folder/clip.mp4"),
        ("C:\\clips\\a.mp4", "C:\\clips\\a.mp4"),
        ("rtsp://10.0.0.7:554/live?channel=1", "rtsp://10.0.0.7:554/live?channel=1"),
        ("rtsp://me:secret@10.0.0.7/live", "rtsp://me:***@10.0.0.7/live"),
        ("rtsp://me:se@cret@10.0.0.7/live", "rtsp://me:***@10.0.0.7/live"),
        ("rtsp://me@10.0.0.7/live", "rtsp://me@10.0.0.7/live"),
        ("http://cam/video?user=me&pwd=secret&fps=5", "http://cam/video?user=me&pwd=***&fps=5"),
        ("http://cam/video?Access_Token=secret#frag", "http://cam/video?Access_Token=***"),
        ("rtsp://me:secret@[10.0.0/live", "rtsp:***"),
        ("rtsp://cam/\x1b[2Jlive", "rtsp://cam/\ufffd[2Jlive"),
    ],
)
def test_passwords_and_tokens_are_hidden(address: str, shown: str) -> None:
    assert without_secrets(address) == shown
    assert "secret" not in without_secrets(address)


def test_of_a_webhook_only_the_origin_is_shown() -> None:
    assert origin("https://me:secret@hooks.example.org:8443/T0/secret") == "https://hooks.example.org:8443"
