"""How a video is cut into views, in words."""

from __future__ import annotations

import pytest

from actionbench.models.spec import Views

WHOLE = Views(None, None, "loop", "logits", 9, single=64)
CLIPS = Views(16, None, "loop", "softmax", 16, clips=10, crops=3)


@pytest.mark.parametrize(
    ("views", "words"),
    [
        (WHOLE, "whole video in one pass"),
        (
            Views(16, 16, "loop", "softmax", 1),
            "windows of 16 frames without overlap, last one looped, softmax averaged",
        ),
        (
            Views(16, 8, "drop", "logits", 1),
            "windows of 16 frames every 8 frames, remainder left out, logits averaged",
        ),
        (CLIPS, "10 windows of 16 frames, evenly spaced, 3 crops of each, softmax averaged"),
        (Views(128, None, "loop", "softmax", 1, clips=1), "1 window of 128 frames"),
        (
            Views(8, None, "loop", "logits", 1, clips=1, crops=3),
            "1 window of 8 frames, 3 crops of it, logits averaged",
        ),
    ],
)
def test_views_in_words(views: Views, words: str) -> None:
    assert str(views) == words
