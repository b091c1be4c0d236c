"""Videos of which the disk refuses a part, at their beginning, in the middle and at their end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from actionbench.errors import MeasurementError
from actionbench.live.outputs.fragment_file import FragmentFile
from actionbench.live.outputs.video_encoder import VideoEncoder

from ...file_sizes import limited

FRAMES = 60
"""At 25 a second: fragments of 1, 25, 25 and 9 frames."""


def written(path: Path) -> list[str]:
    """Write the frames of a video, whatever happens, as a session does; the errors of that."""
    draw = np.random.default_rng(0)
    encoder = VideoEncoder(path)
    pictures = [draw.integers(0, 60, (48, 64, 3), dtype=np.uint8) for _ in range(FRAMES)]
    steps: list[Callable[[], None]]
    steps = [partial(encoder.add, picture, number / 25) for number, picture in enumerate(pictures)]
    errors = []
    for step in [*steps, encoder.close]:
        try:
            step()
        except MeasurementError as error:
            errors.append(str(error))
    return errors


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize(
    ("share", "kept"), [(0.0, 0), (0.001, 0), (0.1, 1), (0.6, 26), (0.9, 51), (0.9995, FRAMES), (1.0, FRAMES)]
)
def test_what_is_whole_is_kept_and_the_rest_is_one_error(tmp_path: Path, share: float, kept: int) -> None:
    whole, path = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    assert written(whole) == []
    assert frames(whole) == FRAMES
    with limited(int(share * whole.stat().st_size)):
        errors = written(path)
    left = "What came before can be played." if kept else "It is removed: nothing of it could be played."
    error = f"{path}: the video cannot be written: File too large. {left}"
    assert errors == ([] if share == 1 else [error])
    assert path.exists() == (kept > 0)
    assert not kept or frames(path) == kept


def test_a_disk_that_refuses_a_file_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: FragmentFile) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(FragmentFile, "close", refuse)
    path = tmp_path / "out.mp4"
    (error,) = written(path)
    assert error.startswith(f"{path}: the video cannot be written: No space left on device. What came before")
    assert frames(path) == FRAMES
