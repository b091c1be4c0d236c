"""Descriptions that make no sense are refused when they are made."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from actionbench.errors import UsageError
from actionbench.models.spec import Preprocessing, Views
from actionbench.models.weights.descriptions import description

PIXELS = Preprocessing("rgb", Fraction(30), 128, "torch-bilinear", "floor", 112, "half-even")
VIEWS = Views(16, 16, "loop", "softmax", 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stretch": (128, 171)}, "expected `short_side` or `stretch`; found both"),
        ({"short_side": None}, "found neither"),
        ({"short_side": 111}, "the crop is larger than the resized frames; expected `crop` of 111 at most"),
        ({"short_side": None, "stretch": (100, 171)}, "expected `crop` of 100 at most; found 112"),
        ({"short_side": None, "stretch": (128, 0)}, "`stretch` makes no sense"),
        ({"short_side": None, "stretch": (128,)}, "expected height, width"),
        ({"every": 0}, "`every` makes no sense; expected a whole number from 1 on; found 0"),
        ({"every": True}, "`every` makes no sense"),
        ({"crop": 1.5}, "`crop` makes no sense"),
        ({"rate": Fraction(0)}, "no such frame rate"),
        ({"rate": 2000}, "no such frame rate"),
        ({"resize": "bicubic"}, "`resize` is unknown; expected opencv-bilinear or"),
        ({"colour": "grb"}, "`colour` is unknown; expected rgb or bgr; found grb"),
        ({"std": (1.0, 0.0, 1.0)}, "must be positive"),
        ({"mean": (1.0, float("nan"), 1.0)}, "three finite numbers"),
        ({"mean": (1.0, 2.0)}, "three finite numbers"),
        ({"flow_bound": -1.0}, "must be positive"),
    ],
)
def test_preprocessing_that_makes_no_sense(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(PIXELS, **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clips": 0}, "`clips` makes no sense"),
        ({"clips": 1001}, "`clips` of a video: are too many; expected 1000 at most; found 1001"),
        ({"crops": 2}, "`crops` is unknown; expected 1 or 3; found 2"),
        ({"window": 0}, "`window` makes no sense"),
        ({"stride": -1}, "`stride` makes no sense"),
        ({"tail": "cut"}, "`tail` is unknown"),
        ({"window": None, "clips": 5}, "clips of a video have a length"),
        ({"min_frames": 17}, "`window`: is too short for the network; expected at least 17 frames; found 16"),
        ({"min_frames": 9, "single": 8}, "`single`: is too short"),
    ],
)
def test_views_that_make_no_sense(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(VIEWS, **changed)


def test_weights_say_how_long_a_single_view_is() -> None:
    whole = Views(None, None, "loop", "logits", 9)
    with pytest.raises(UsageError, match="expected `single`"):
        replace(description("deepmind-rgb-imagenet"), views=whole)


def test_the_rate_that_a_network_sees() -> None:
    assert PIXELS.frame_rate == 30
    assert replace(PIXELS, every=4).frame_rate == Fraction(15, 2)
    assert replace(PIXELS, rate=None, every=4).frame_rate is None


def test_clips_in_place_of_what_is_published() -> None:
    published = replace(VIEWS, window=32, stride=8, clips=10, crops=3)
    assert published.with_clips(4) == replace(VIEWS, window=32, stride=None, clips=4)
    assert published.with_window(8) == replace(published, window=8, stride=8)
    assert Views(None, None, "loop", "logits", 9, single=64).with_clips(2).window == 64
