"""From a clip to what a network takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.transform import normalise
from actionbench.preprocessing.preparer import Preparer


def test_pixels_of_a_network_that_normalises_them_itself_are_only_cropped(
    coloured_videos: Callable[[list[int], int], Path], tiny_module: ModuleType
) -> None:
    (video,) = coloured_videos([9], 1).rglob("*.mp4")
    clip = Clip(id="clip", path=video, label=None)
    streams = {"rgb": tiny_module.PIXELS}
    expected = Preparer(streams, tiny_module.VIEWS)(clip).views
    pixels = Preparer(streams, tiny_module.VIEWS, uint8_streams=frozenset({"rgb"}))(clip).views
    assert len(pixels) == len(expected) == 2
    for found, right in zip(pixels, expected, strict=True):
        assert found["rgb"].dtype == np.uint8
        assert right["rgb"].dtype == np.float32
        np.testing.assert_array_equal(
            normalise(found["rgb"].astype(np.uint8), tiny_module.PIXELS.scale), right["rgb"]
        )
