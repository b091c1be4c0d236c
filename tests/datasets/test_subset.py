"""Drawing N videos of each class."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.datasets.clip import Clip, ClipSet
from actionbench.datasets.subset import draw_subset
from actionbench.errors import UsageError


def clip_set(per_class: dict[str | None, int], order: int = 0) -> ClipSet:
    clips = [
        Clip(f"{label}/{k}.mp4", Path(f"{label}/{k}.mp4"), label)
        for label, count in per_class.items()
        for k in range(count)
    ]
    random.Random(order).shuffle(clips)
    return ClipSet("set", tuple(clips))


def always(_: Clip) -> bool:
    return True


def test_four_hundred_classes_of_ten() -> None:
    clips = clip_set({f"class {k:03d}": 30 for k in range(400)})
    subset = draw_subset(clips, 10, seed=0, decodes=always)
    assert len(subset.clips) == 4000
    assert len({clip.id for clip in subset.clips}) == 4000
    assert subset.shortfalls == {}


@given(seed=st.integers(0, 5), order=st.integers(0, 50), n=st.integers(1, 12))
def test_the_draw_depends_on_seed_and_ids_alone(seed: int, order: int, n: int) -> None:
    counts: dict[str | None, int] = {"a": 20, "b": 5, None: 4}
    reference = draw_subset(clip_set(counts), n, seed, decodes=always)
    shuffled = draw_subset(clip_set(counts, order), n, seed, decodes=always)
    assert shuffled.clips == reference.clips
    more = draw_subset(clip_set(counts, order), n + 1, seed, decodes=always)
    for label in ("a", "b"):
        drawn = [clip for clip in reference.clips if clip.label == label]
        assert [clip for clip in more.clips if clip.label == label][: len(drawn)] == drawn
    assert reference.shortfalls == ({"b": 5} if n > 5 else {})


def test_a_known_draw_stays() -> None:
    """From the sha256sum of "1:jogging/0.mp4" and so on; other machines and versions draw the same."""
    subset = draw_subset(clip_set({"jogging": 6}), 3, seed=1, decodes=always)
    assert [clip.id for clip in subset.clips] == ["jogging/2.mp4", "jogging/0.mp4", "jogging/1.mp4"]


def test_seeds_differ() -> None:
    clips = clip_set({"a": 50})
    assert (
        draw_subset(clips, 10, seed=0, decodes=always).clips
        != draw_subset(clips, 10, seed=1, decodes=always).clips
    )


def test_every_video_is_drawn_equally_often() -> None:
    """2000 seeds, 4 of 12: each is expected 667 times, with a standard deviation of 21."""
    clips = clip_set({"a": 12})
    counts = dict.fromkeys((clip.id for clip in clips), 0)
    for seed in range(2000):
        for clip in draw_subset(clips, 4, seed, decodes=always).clips:
            counts[clip.id] += 1
    assert all(abs(count - 2000 / 3) < 5 * 21 for count in counts.values())


def test_only_what_decodes_and_no_more_is_asked_than_needed() -> None:
    clips = clip_set({"a": 10, "b": 10, "c": 0})
    asked: list[str] = []

    def decodes(clip: Clip) -> bool:
        asked.append(clip.id)
        return not (clip.label == "a" and int(clip.path.stem) % 2)

    subset = draw_subset(clips, 4, seed=3, classes=["a", "c", "nowhere"], decodes=decodes)
    assert [clip.label for clip in subset.clips] == ["a"] * 4
    assert all(int(clip.path.stem) % 2 == 0 for clip in subset.clips)
    assert {clip.id for clip in (*subset.clips, *subset.rejected)} == set(asked)
    assert len(asked) == len(set(asked))
    assert subset.shortfalls == {"c": 0, "nowhere": 0}
    everything = draw_subset(clips, 8, seed=3, classes=["a"], decodes=decodes)
    assert everything.shortfalls == {"a": 5}
    assert len(everything.rejected) == 5


def test_classes_may_be_written_as_people_write_them() -> None:
    clips = clip_set({"arm wrestling": 2, "jogging": 2})
    subset = draw_subset(clips, 1, classes=["Arm_Wrestling", "arm wrestling"], decodes=always)
    assert [clip.label for clip in subset.clips] == ["arm wrestling"]
    assert subset.shortfalls == {}


def test_unknown_labels_are_those_drawn() -> None:
    clips = replace(clip_set({"a": 3, "b": 3, "c": 3}), unknown_labels=("b", "c"))
    assert draw_subset(clips, 1, classes=["a", "b"], decodes=always).clips.unknown_labels == ("b",)


def test_no_videos_per_class_is_nonsense() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        draw_subset(clip_set({"a": 1}), 0, decodes=always)
