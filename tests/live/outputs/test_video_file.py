"""Videos with their overlay: times, sizes, and an end at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from actionbench.errors import UsageError
from actionbench.live.outputs.overlay import drawn
from actionbench.live.outputs.video_encoder import VideoEncoder
from actionbench.live.outputs.video_file import VideoFile

from ..making import event, frame, picture, shown


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(each.time, each.to_ndarray(format="rgb24")) for each in container.decode(video=0)]


def test_frames_keep_their_times_and_their_overlay(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    times = [5.0, 5.04, 5.2, 5.7, 7.7]
    output = VideoFile(path)
    for number, time_s in enumerate(times):
        output.frame(frame(number, time_s, picture(121, 161)), shown())
    output.event(event())
    output.close()
    found = decoded(path)
    assert [time_s for time_s, _ in found] == pytest.approx([time_s - 5 for time_s in times], abs=1e-4)
    expected = drawn(picture(121, 161), shown())[:120, :160].astype(int)
    for _, pixels in found:
        assert pixels.shape == expected.shape
        assert np.abs(pixels.astype(int) - expected).mean() < 8


def test_times_that_stand_still_are_kept_in_order(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    encoder = VideoEncoder(path)
    for time_s in (1.0, 1.0, 1.0, 1.5):
        encoder.add(picture(), time_s)
    encoder.close()
    times = [time_s for time_s, _ in decoded(path)]
    assert times == sorted(set(times))


def test_another_size_is_fitted_into_the_first(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    encoder = VideoEncoder(path)
    for number, size in enumerate([(48, 64), (96, 128), (96, 64)]):
        encoder.add(picture(*size, grey=200), number / 25)
    encoder.close()
    first, second, third = (pixels for _, pixels in decoded(path))
    assert {pixels.shape for pixels in (first, second, third)} == {(48, 64, 3)}
    assert second.mean() == pytest.approx(200, abs=5)
    assert third[:, 20:44].mean() == pytest.approx(200, abs=5)
    assert third[:, :12].mean() == third[:, -12:].mean() == pytest.approx(0, abs=5)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_without_h264_there_is_mpeg4(tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {codec})
    path = tmp_path / "out.mp4"
    encoder = VideoEncoder(path)
    for number in range(30):
        encoder.add(picture(grey=8 * number), number / 10)
    encoder.close()
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec.name == {"libx264": "h264", "mpeg4": "mpeg4"}[codec]
    assert len(decoded(path)) == 30


def test_a_killed_process_leaves_a_video_that_plays(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    code = (
        "import os, pathlib, signal, numpy; from actionbench.live.outputs.video_encoder import VideoEncoder;"
        f"encoder = VideoEncoder(pathlib.Path({str(path)!r}));"
        "[encoder.add(numpy.full((48, 64, 3), n, 'uint8'), n / 25) for n in range(200)];"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert len(decoded(path)) > 200 - 3 * 25


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_it_can_be_played_from_the_second_frame_on(
    tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies on the disk then is what a process leaves that is killed."""
    monkeypatch.setattr(av, "codecs_available", {codec})
    encoder = VideoEncoder(tmp_path / "out.mp4")
    for number in range(2):
        encoder.add(picture(), number / 25)
    assert len(decoded(tmp_path / "out.mp4")) == 1
    encoder.close()
    assert len(decoded(tmp_path / "out.mp4")) == 2


def test_a_session_without_a_frame_leaves_no_file(tmp_path: Path) -> None:
    VideoEncoder(tmp_path / "out.mp4").close()
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_an_error_before_the_session(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--video .*: cannot be written"):
        VideoFile(tmp_path / "none" / "out.mp4")
