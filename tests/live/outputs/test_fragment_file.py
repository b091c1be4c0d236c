"""Videos of which the disk refuses a part, at their beginning, in the middle and at their end."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from actionbench.errors import MeasurementError
from actionbench.live.outputs.video_encoder import VideoEncoder

FRAMES = 60
"""At 25 a second: fragments of 1, 25, 25 and 9 frames."""


@contextmanager
def limited(most: int) -> Iterator[None]:
    """No file may become larger, in bytes: a write is refused as by a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def written(path: Path) -> None:
    draw = np.random.default_rng(0)
    encoder = VideoEncoder(path)
    try:
        for number in range(FRAMES):
            encoder.add(draw.integers(0, 60, (48, 64, 3), dtype=np.uint8), number / 25)
    finally:
        encoder.close()  # as a session does, whatever happened


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize(
    ("share", "kept"), [(0.0, 0), (0.001, 0), (0.1, 1), (0.6, 26), (0.9, 51), (0.9995, FRAMES), (1.0, FRAMES)]
)
def test_what_is_whole_is_kept_and_the_rest_is_an_error(tmp_path: Path, share: float, kept: int) -> None:
    whole, path = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    written(whole)
    assert frames(whole) == FRAMES
    with limited(int(share * whole.stat().st_size)):
        if share == 1:
            written(path)
        else:
            with pytest.raises(MeasurementError) as caught:
                written(path)
            said = f"{path}: the video cannot be written: File too large. "
            left = (
                "What came before can be played." if kept else "It is removed: nothing of it could be played."
            )
            assert str(caught.value) == said + left
    assert path.exists() == (kept > 0)
    assert not kept or frames(path) == kept
