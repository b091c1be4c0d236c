"""Splits: no group on two sides, each clip tested once, the same seed the same split, classes even."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.splits import (
    Split,
    folds,
    official_split,
    splits_of,
    thesis_split,
    with_max_share,
)
from actionbench.datasets.sources.split_lists import Side
from actionbench.errors import UsageError

MakeSet = Callable[..., ComposedSet]
Row = tuple[str, str, Side | None]

LABELS = ("falling", "running", "walking")
rows = st.lists(
    st.tuples(
        st.sampled_from(LABELS),
        st.integers(0, 14).map(lambda number: f"films/{number}"),
        st.sampled_from(["train", "validation", "test", None]),
    ),
    min_size=2,
    max_size=60,
)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def ids(examples: Iterable[Example]) -> list[str]:
    return [example.clip.id for example in examples]


def no_group_is_divided(split: Split) -> bool:
    parts = [{example.group for example in part} for part in (split.train, split.validation, split.test)]
    return sum(map(len, parts)) == len(set.union(*parts))


def of_label(examples: Iterable[Example], label: str) -> list[Example]:
    return [example for example in examples if example.clip.label == label]


@given(rows, st.integers(2, 6), st.integers(0, 3))
@quick
def test_folds_test_each_clip_once_and_divide_no_group(
    make_set: MakeSet, rows: list[Row], count: int, seed: int
) -> None:
    composed = make_set(rows)
    assume(len({group for _, group, _ in rows}) >= count)
    assume(max(Counter(label for label, *_ in rows).values()) >= count)
    made = folds(composed, count, seed)
    assert made == folds(composed, count, seed)
    assert len(made) == count
    tested = [name for split in made for name in ids(split.test)]
    assert sorted(tested) == sorted(ids(composed.examples))
    for split in made:
        assert no_group_is_divided(split)
        everything = ids((*split.train, *split.validation, *split.test))
        assert sorted(everything) == sorted(ids(composed.examples))


@given(rows, st.integers(0, 3))
@quick
def test_thesis_and_official_divide_no_group(make_set: MakeSet, rows: list[Row], seed: int) -> None:
    composed = make_set(rows)
    try:
        thesis = thesis_split(composed, seed)
    except UsageError as error:
        assert "no group is small enough for a test of 10 %" in str(error)  # noqa: PT017
    else:
        assert thesis.test
        assert thesis == thesis_split(composed, seed)
        assert no_group_is_divided(thesis)
    if not any(side == "test" for _, _, side in rows):
        with pytest.raises(UsageError, match="no source's list has test clips"):
            official_split(composed, seed)
        return
    official = official_split(composed, seed)
    assert official == official_split(composed, seed)
    assert no_group_is_divided(official)
    assert ids(official.test) == ids(e for e in composed.examples if e.official == "test")
    assert all(e.official == "train" for e in official.train)
    published = any(e.official == "validation" for e in composed.examples)
    assert all(e.official == ("validation" if published else "train") for e in official.validation)


def test_folds_are_stratified(make_set: MakeSet) -> None:
    rows = [(label, f"films/{label} {number // 2}", None) for label in LABELS for number in range(100)]
    for split in folds(make_set(rows), 5):
        assert Counter(example.clip.label for example in split.test) == dict.fromkeys(LABELS, 20)
        assert Counter(example.clip.label for example in split.validation) == dict.fromkeys(LABELS, 16)
        assert split.notes == ()


def test_another_seed_is_another_split(make_set: MakeSet) -> None:
    composed = make_set([(LABELS[n % 3], f"films/{n}", None) for n in range(90)])
    for make in (folds, thesis_split):
        assert make(composed, seed=0) != make(composed, seed=1)


def test_validation_differs_from_test_and_is_about_its_share(make_set: MakeSet) -> None:
    composed = make_set([(LABELS[n % 3], f"films/{n}", None) for n in range(300)])
    split = thesis_split(composed)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [243, 27, 30]


def test_thesis_tells_how_near_it_came(make_set: MakeSet) -> None:
    """One film holds 8 of 10 falls: a tenth of them can only be one of the others."""
    rows = [("falling", "films/large", None)] * 8 + [("falling", f"films/{n}", None) for n in range(2)]
    rows += [("running", f"films/run {n}", None) for n in range(15)]
    split = thesis_split(make_set(rows))
    assert len(of_label(split.test, "falling")) == 1
    assert "falling: 1 of 10 clips tested, 10.0 % where 10 % are asked for" in split.notes
    assert {
        "running: 1 of 15 clips tested, 6.7 % where 10 % are asked for",
        "running: 2 of 15 clips tested, 13.3 % where 10 % are asked for",
    } & set(split.notes)


def test_groups_too_large_for_thesis_are_refused(make_set: MakeSet) -> None:
    with pytest.raises(UsageError, match=r"no group is small enough.*found 2 groups"):
        thesis_split(make_set([("falling", f"films/{n % 2}", None) for n in range(10)]))


def test_a_part_without_a_class_is_told(make_set: MakeSet) -> None:
    rows = [("falling", "films/only", None)] * 3 + [("running", f"films/{n}", None) for n in range(10)]
    made = folds(make_set(rows), 5)
    assert sum(any("no clip of falling in test" in note for note in split.notes) for split in made) == 4
    assert sum(any("no clip of falling in training" in note for note in split.notes) for split in made) >= 1


def test_official_leaves_out_what_would_leak(make_set: MakeSet) -> None:
    composed = make_set(
        [
            ("falling", "films/a", "test"),
            ("falling", "films/a", "train"),
            *(("running", f"films/{n}", "train") for n in range(20)),
            ("running", "films/unused", None),
            *(("walking", f"own/{n}", None) for n in range(20)),
        ]
    )
    split = official_split(composed)
    assert ids(split.test) == ["clip 0"]
    trained = set(ids((*split.train, *split.validation)))
    assert trained == set(ids(composed.examples)) - {"clip 0", "clip 1", "clip 22"}
    notes = "\n".join(split.notes)
    assert "do not use them: 1 of 43 clips" in notes
    assert (
        "left out, because other clips of their groups are for test or validation: 1 of 42 clips, of films/a"
    ) in notes
    assert "own has no official list: all of it is trained on" in notes


def test_published_validation_is_kept_and_drawn_where_there_is_none(make_set: MakeSet) -> None:
    composed = make_set(
        [
            ("falling", "lab/a", "test"),
            ("falling", "lab/b", "validation"),
            ("falling", "lab/a", "validation"),
            ("falling", "lab/b", "train"),
            *(("running", f"lab/{n}", "train") for n in range(20)),
            *(("running", f"own/{n}", "train") for n in range(20)),
        ]
    )
    split = official_split(composed)
    assert ids(split.test) == ["clip 0"]
    assert [example.group for example in split.validation if example.source == "lab"] == ["lab/b"]
    assert sum(example.source == "own" for example in split.validation) == 2
    assert not {"clip 2", "clip 3"} & set(ids((*split.train, *split.validation)))
    assert any("2 of 44 clips, of lab/a, lab/b" in note for note in split.notes)


def test_clips_without_a_label_are_in_no_part(make_set: MakeSet) -> None:
    composed = make_set([("", "films/x", None)] + [("falling", f"films/{n}", None) for n in range(9)])
    split = folds(composed, 3)[0]
    assert "clip 0" not in ids((*split.train, *split.validation, *split.test))
    assert "left out, without a label: 1 of 10 clips" in split.notes


@pytest.mark.parametrize("count", [1, 4])
def test_more_folds_than_groups_are_refused(make_set: MakeSet, count: int) -> None:
    composed = make_set([("falling", f"films/{n % 3}", None) for n in range(9)])
    with pytest.raises(UsageError, match="expected 2 to 3, for its groups and classes"):
        folds(composed, count)


@given(rows, st.floats(0.02, 0.6), st.floats(0.02, 0.35), st.integers(1, 4), st.integers(0, 3))
@quick
def test_max_share_is_kept_in_training_alone(
    make_set: MakeSet, rows: list[Row], falling: float, running: float, cap: int, seed: int
) -> None:
    assume(len({group for _, group, _ in rows}) >= 3)
    assume(max(Counter(label for label, *_ in rows).values()) >= 3)
    split = folds(make_set(rows), 3, seed)[0]
    assume({"falling", "running", "walking"} == {e.clip.label for e in split.train})
    shares = {"falling": falling, "running": running}
    try:
        less = with_max_share(split, shares, cap, seed)
    except UsageError as error:
        assert "no clip would be left" in str(error)  # noqa: PT017
        return
    assert less == with_max_share(split, shares, cap, seed)
    assert (less.validation, less.test) == (split.validation, split.test)
    assert set(less.train) <= set(split.train)
    assert of_label(less.train, "walking") == of_label(split.train, "walking")
    for label, share in shares.items():
        kept = of_label(less.train, label)
        assert 0 < len(kept) <= share * len(less.train) + 1e-6
        assert max(Counter(example.group for example in kept).values()) <= cap


def test_max_share_takes_as_many_as_it_may_and_from_all_groups(make_set: MakeSet) -> None:
    """153 others allow 17 of 170; the film of 40 gives no more than its turn."""
    rows = [("falling", "films/large", None)] * 40 + [("falling", f"films/{n}", None) for n in range(16)]
    rows += [("running", f"films/run {n}", None) for n in range(153)]
    composed = make_set(rows)
    whole = splits_of(composed, "folds", 2)[0]
    split = type(whole)("all", composed.examples, (), (), ())
    less = with_max_share(split, {"falling": 0.1}, None, 0)
    groups = Counter(example.group for example in of_label(less.train, "falling"))
    assert sum(groups.values()) == 17
    assert set(groups.values()) == {1}
    assert less.notes == ("falling: 17 of 56 training clips kept, 10.0 % of all that are trained on",)


def test_shares_that_mean_nothing_are_refused(make_set: MakeSet) -> None:
    split = folds(make_set([("falling", f"films/{n}", None) for n in range(9)]), 3)[0]
    for shares in ({"faling": 0.1}, {"falling": 1.0}, {"falling": 0.0}):
        with pytest.raises(UsageError, match="not a share of a class that is trained on"):
            with_max_share(split, shares, None, 0)
    with pytest.raises(UsageError, match="no clip would be left"):
        with_max_share(split, {"falling": 0.1}, None, 0)


def test_an_unknown_split_is_answered_with_the_known(make_set: MakeSet) -> None:
    with pytest.raises(UsageError, match="Did you mean: thesis"):
        splits_of(make_set([]), "tesis")
