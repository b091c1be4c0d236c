"""From tags to intervals and back, for random schedules; every reason for which tags are refused."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from actionbench.datasets.annotations.intervals import Refusal, TaggedInterval, start_end_tags, tag_runs
from actionbench.datasets.annotations.tags import Tag

RATES = st.sampled_from([Fraction(1), Fraction(5), Fraction(15), Fraction(30000, 1001)])
LABELS = st.sampled_from(["falling", "walking", "standing"])
PIECES = st.lists(st.tuples(st.none() | LABELS, st.integers(1, 30)), min_size=1, max_size=12)
"""A schedule: label, or none, and how many samples it lasts."""


def tags_at(rate: Fraction, labels: Sequence[tuple[str, ...] | None]) -> list[Tag]:
    """A tag for each sample that is visited, which None is not."""
    return [Tag(k / rate, each) for k, each in enumerate(labels) if each is not None]


@given(PIECES, RATES)
def test_a_schedule_that_is_tagged_at_every_sample_comes_back(
    pieces: list[tuple[str | None, int]], rate: Fraction
) -> None:
    labels: list[tuple[str, ...] | None] = []
    expected: list[tuple[str, Fraction, Fraction]] = []
    for label, length in pieces:
        begin = len(labels)
        labels += [() if label is None else (label,)] * length
        if label is None:
            continue
        start = max(Fraction(0), (begin - Fraction(1, 2)) / rate)
        end = (len(labels) - Fraction(1, 2)) / rate
        if expected and expected[-1][0] == label and expected[-1][2] == start:
            expected[-1] = (label, expected[-1][1], end)
        else:
            expected.append((label, start, end))
    inference = tag_runs(tags_at(rate, labels), rate)
    assert [(each.label, each.start_s, each.end_s) for each in inference.intervals] == expected
    assert not inference.refusals
    assert not any(each.closed for each in inference.intervals)


@given(st.lists(st.tuples(LABELS, st.integers(0, 20), st.integers(1, 40)), max_size=8), RATES)
def test_a_schedule_of_first_and_last_frames_comes_back(
    pieces: list[tuple[str, int, int]], rate: Fraction
) -> None:
    labels: list[tuple[str, ...] | None] = []
    expected = []
    for label, pause, length in pieces:
        labels += [None] * pause + [(label,)] + [()] * (length - 1) + [("end",)]
        expected.append((label, (len(labels) - 1 - length) / rate, (len(labels) - 1) / rate))
    inference = start_end_tags(tags_at(rate, labels), "end")
    assert [(each.label, each.start_s, each.end_s) for each in inference.intervals] == expected
    assert not inference.refusals
    assert all(each.closed for each in inference.intervals)


@given(
    st.lists(st.none() | st.sets(LABELS).map(lambda names: tuple(sorted(names))), max_size=60),
    RATES,
    st.integers(1, 3),
)
def test_no_tag_is_lost_and_no_two_clips_overlap(
    labels: list[tuple[str, ...] | None], rate: Fraction, max_gap: int
) -> None:
    tags = tags_at(rate, labels)
    inference = tag_runs(tags, rate, max_gap)
    for before, after in zip(inference.intervals, inference.intervals[1:], strict=False):
        assert before.end_s <= after.start_s
    found: list[TaggedInterval | Refusal] = [*inference.intervals, *inference.refusals]
    for tag in tags:
        for label in tag.labels:
            assert any(x.label == label and x.start_s <= tag.time_s <= x.end_s for x in found)
    for interval in inference.intervals:
        inside = [tag for tag in tags if interval.start_s <= tag.time_s < interval.end_s]
        assert all(tag.labels == (interval.label,) for tag in inside)


def test_a_gap_in_what_was_visited_ends_a_run() -> None:
    rate = Fraction(10)
    labels = [("a",), ("a",), ("a",), None, None, ("a",), ("a",), ("a",)]
    whole = tag_runs(tags_at(rate, labels), rate, max_gap=3)
    assert [(float(each.start_s), float(each.end_s)) for each in whole.intervals] == [(0, 0.75)]
    parts = tag_runs(tags_at(rate, labels), rate, max_gap=2)
    assert [(float(each.start_s), float(each.end_s)) for each in parts.intervals] == [(0, 0.25), (0.45, 0.75)]


def test_an_interval_never_reaches_beyond_the_middle_to_the_next_visited_sample() -> None:
    tags = [Tag(Fraction(0), ()), Tag(Fraction(1, 10), ("a",)), Tag(Fraction(2, 10), ())]
    (interval,) = tag_runs(tags, Fraction(1)).intervals
    assert (interval.start_s, interval.end_s) == (Fraction(5, 100), Fraction(15, 100))


def test_overlapping_runs_are_refused_with_what_they_overlap() -> None:
    labels: list[tuple[str, ...] | None] = [("a",), ("a",), ("a", "b"), ("b",), (), ("c",)]
    inference = tag_runs(tags_at(Fraction(1), labels), Fraction(1))
    assert [each.label for each in inference.intervals] == ["c"]
    assert [(each.label, each.reason) for each in inference.refusals] == [
        ("a", "overlaps 'b' at 1.50–3.50 s"),
        ("b", "overlaps 'a' at 0.00–2.50 s"),
    ]


def refusals(*labels: tuple[str, ...]) -> list[tuple[str, float, str]]:
    inference = start_end_tags(tags_at(Fraction(1), labels), "end")
    return [(each.label, float(each.start_s), each.reason) for each in inference.refusals]


def test_starts_and_ends_without_each_other_are_refused() -> None:
    assert refusals(("a",), ("b",), ("end",)) == [("a", 0, "no end before the next start, 'b' at 1 s")]
    assert refusals(("a",), ("a",), ("end",)) == [("a", 0, "no end before the next start, 'a' at 1 s")]
    assert refusals(("end",), ("a",), ("end",)) == [("end", 0, "an end without a start before it")]
    assert refusals(("a",), ("end",), ("a",)) == [("a", 2, "no end until the end of the video")]
    several = "several tags at one frame: it starts or ends one action"
    assert refusals(("a", "b"), ("end",)) == [
        ("a + b", 0, several),
        ("end", 1, "an end without a start before it"),
    ]
    assert refusals(("a",), ("a", "end")) == [
        ("a", 0, "no end before 1 s, where the frame has several tags"),
        ("a + end", 1, several),
    ]
    assert refusals((), ("a",), (), ("end",)) == []
