"""Each flaw is found where it is, with its number and n, and nothing is found in a set without any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from actionbench.records.composition import Composition, Duplicate, Shortcut
from actionbench.reports.composition.flaws import Finding, judge

Row = tuple[str, str, str | None, tuple[str | None, ...]]

Made = Callable[..., Composition]
LABELS = ("falling", "running")
SOUND = [
    (label, f"{source}/{label} {n}", None, ("train",))
    for label in LABELS
    for source in ("a", "b")
    for n in range(10)
]


def named(composition: Composition) -> dict[str, Finding]:
    return {flaw.name: flaw for flaw in judge(composition).flaws}


def test_a_sound_set_has_none(made: Made) -> None:
    assert judge(made(SOUND)).flaws == ()


def test_duplicates(made: Made) -> None:
    pairs = (
        Duplicate("a/1", "b/1", True, True),
        Duplicate("a/2", "a/3", True, False),
        Duplicate("a/4", "b/4", False, True),
    )
    found = named(made(SOUND, duplicates=pairs))
    assert found["duplicates"].measured == (
        "2 pairs of clips, 1 of them in two groups, are the same bytes: a/1 and b/1 and a/2 and a/3"
    )
    assert found["same pictures"].measured.startswith(
        "1 pair of clips, 1 of them in two groups, show the same"
    )


def test_groups_across_the_official_split(made: Made) -> None:
    rows = [*SOUND, ("falling", "a/x", "train", ("train",)), ("falling", "a/x", "train", ("train",))]
    rows += [("running", "a/x", "test", ("test",)), ("running", "a/y", "test", ("test",))]
    assert named(made(rows))["groups cross the official split"].measured == (
        "1 of 2 groups are on more than one side of their source's own list: a/x"
    )


def test_a_group_that_is_much_of_a_class(made: Made) -> None:
    rows = SOUND + [("falling", "a/large", None, ("train",))] * 20
    found = named(made(rows))["one group dominates a class"]
    assert found.measured == "20 of 40 clips of falling (50 %) come from a/large (20)"
    assert "--max-share falling=" in found.remedy


def test_few_groups(made: Made) -> None:
    rows = [*SOUND, *(("walking", f"{'ab'[n % 2]}/w{n % 4}", None, ("train",)) for n in range(12))]
    found = named(made(rows))
    assert found["few groups"].measured == "the clips of walking (n = 12) come from few groups (4)"
    assert "one group dominates a class" not in found


def test_classes_and_sources_that_belong_together(made: Made) -> None:
    rows = [*SOUND, *(("walking", f"c/{n}", None, ("train",)) for n in range(10))]
    found = named(made(rows))
    assert found["a class of one source"].measured.startswith(
        "every clip of walking (n = 10) comes from c, while"
    )
    assert found["a source of one class"].measured.startswith("every clip of c (n = 10) is walking, while")
    one_source = [(label, f"a/{label} {n}", None, ("train",)) for label in LABELS for n in range(10)]
    assert judge(made(one_source)).flaws == ()


def shortcut(feature: str, right: float, clips: int = 200) -> Shortcut:
    generator = np.random.default_rng(0)
    truth = tuple(LABELS[n % 2] for n in range(clips))
    predicted = tuple(label if generator.random() < right else LABELS[label == LABELS[0]] for label in truth)
    return Shortcut(feature, LABELS, truth, predicted, tuple(map(str, range(clips))))


@pytest.mark.parametrize("feature", ["source", "length", "brightness"])
def test_shortcuts_above_chance_are_reported_with_their_interval(made: Made, feature: str) -> None:
    found = shortcut(feature, 0.8)
    flaw = named(made(SOUND, shortcuts=(found,)))[f"{feature} predicts the class"]
    value = balanced_accuracy_score(found.truth, found.predicted)
    assert flaw.measured.startswith(f"by {feature} alone {100 * value:.0f} % [")
    assert "always naming one class recognises 50 %" in flaw.measured
    assert "n = 200; bootstrap of the groups, 95 %; fitted on other groups" in flaw.measured
    assert flaw.measured.count("falling") == 1
    assert flaw.remedy


@pytest.mark.parametrize("right", [0.5, 0.3])
def test_chance_is_no_flaw(made: Made, right: float) -> None:
    assert judge(made(SOUND, shortcuts=(shortcut("length", right),))).flaws == ()


def test_too_few_groups_are_not_judged_and_said_to_be(made: Made) -> None:
    """Where no interval can be given, neither "found" nor "not found" is known."""
    found = judge(made(SOUND, shortcuts=(shortcut("length", 1.0, 18), shortcut("brightness", 1.0, 40))))
    assert [flaw.name for flaw in found.flaws] == ["brightness predicts the class"]
    assert "brightness alone" in found.checked
    (unjudged,) = found.not_judged
    assert str(unjudged) == (
        "length alone: recognises 100 % of a class's clips on average, where always naming one class "
        "recognises 50 % (n = 18), but cannot be judged: an interval needs 10 groups of each class, and "
        "there are 9 of falling and 9 of running. Add clips of other films or subjects; until then a "
        "shortcut is neither found nor excluded."
    )
    assert "length alone" not in (*found.checked, *found.not_checked)
    assert " Not judged: length alone." in found.scope


@pytest.mark.parametrize("groups", range(2, 14))
def test_no_shortcut_vanishes_whatever_the_number_of_groups(made: Made, groups: int) -> None:
    """A perfect shortcut is a flaw, or not judged with its figure: never neither."""
    found = judge(made(SOUND, shortcuts=(shortcut("length", 1.0, 2 * groups),)))
    assert [flaw.name for flaw in found.flaws] == ["length predicts the class"] * (groups >= 10)
    assert [each.name for each in found.not_judged] == ["length alone"] * (groups < 10)


def test_guessing_counts_the_classes_that_are_there(made: Made) -> None:
    """A third label without a clip does not make guessing among two easier to beat."""
    two = shortcut("length", 0.5)
    assert judge(made(SOUND, shortcuts=(replace(two, labels=(*LABELS, "walking")),))).flaws == ()


def test_what_was_not_checked_is_said(made: Made) -> None:
    whole = [shortcut(feature, 0.5) for feature in ("source", "length", "brightness")]
    listed = [*SOUND, ("falling", "a/x", "train", ("train",))]
    assert "Not" not in judge(made(listed, shortcuts=tuple(whole))).scope
    one_source = [row for row in SOUND if row[1].startswith("a/")]
    found = judge(made(one_source, shortcuts=(whole[1],), pictures_compared=False))
    assert found.checked == ("the same bytes", "few or large groups", "length alone")
    assert found.scope.endswith(
        "length alone. Not checked: the same pictures (the clips were not decoded), groups across the "
        "official split (no source says which clips are for test), classes of one source (the set has one "
        "source), source alone (the set has one source), brightness alone (the clips were not decoded)."
    )
    too_few = judge(made(one_source))
    assert too_few.not_checked["length alone"] == "too few clips or groups to predict one from others"


def test_no_text_needs_escaping_as_code(made: Made) -> None:
    """The same sentences stand in the terminal and in Markdown, where a backtick is escaped."""
    pairs = (Duplicate("a/1", "b/1", True, True),)
    rows: list[Row] = [("running", "a/x", "test", ("test",))]
    rows += [("falling", "a/x", "train", ("train",))] * 20
    rows += [("falling", f"b/{n}", None, ("train",)) for n in range(5)]
    shortcuts = tuple(shortcut(feature, 0.9) for feature in ("source", "length", "brightness"))
    flaws = judge(made(rows, duplicates=pairs, shortcuts=shortcuts)).flaws
    assert len(flaws) >= 7
    assert not any("`" in flaw.name + flaw.measured + flaw.remedy for flaw in flaws)
