"""The videos that we write: without loss, or for people to look at."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import read_frames
from actionbench.datasets.video.sampling import TimedFrame
from actionbench.datasets.video.writer import write_video

RATE = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("lossless", "size", "pixel_format"), [(True, (33, 47), "gbrp"), (False, (32, 46), "yuv420p")]
)
def test_frames_and_times_are_kept(
    tmp_path: Path, lossless: bool, size: tuple[int, int], pixel_format: str
) -> None:
    ramp = np.linspace(0, 200, 33 * 47 * 3).reshape(33, 47, 3)
    pictures = [(ramp + 5 * k).astype(np.uint8) for k in range(10)]
    frames = [
        TimedFrame(k / RATE, (k + 1) / RATE, partial(pictures.__getitem__, k)) for k in range(len(pictures))
    ]
    path = tmp_path / "video.mp4"
    assert write_video(path, frames, RATE, lossless=lossless) == len(pictures)
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == pixel_format
    with read_frames(Clip("x", path)) as reader:
        read = np.stack(list(reader))
        assert reader.native_rate == RATE
        assert reader.video_s == pytest.approx(float(10 / RATE), abs=1e-4)
    assert read.shape == (10, *size, 3)
    expected = np.stack(pictures)[:, : size[0], : size[1]].astype(int)
    difference = np.abs(read.astype(int) - expected)
    assert difference.max() == 0 if lossless else difference.mean() < 3
