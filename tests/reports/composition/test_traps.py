"""Each trap is found where it is, with its number and n, and nothing is found in a set without any."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from actionbench.records.composition import Composition, Duplicate, Shortcut
from actionbench.reports.composition.export import looked_for
from actionbench.reports.composition.traps import Trap, traps

Made = Callable[..., Composition]
LABELS = ("falling", "running")
SOUND = [
    (label, f"{source}/{label} {n}", None, ("train",))
    for label in LABELS
    for source in ("a", "b")
    for n in range(10)
]


def named(composition: Composition) -> dict[str, Trap]:
    return {trap.name: trap for trap in traps(composition)}


def test_a_sound_set_has_none(made: Made) -> None:
    assert traps(made(SOUND)) == ()


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
        "1 of 2 groups have clips on both sides of their source's own list, 2 of them for training: a/x"
    )


def test_a_group_that_is_much_of_a_class(made: Made) -> None:
    rows = SOUND + [("falling", "a/large", None, ("train",))] * 20
    found = named(made(rows))["a group is much of a class"]
    assert found.measured == "20 of 40 clips of falling (50 %) come from a/large (20)"
    assert "--max-share falling=" in found.remedy


def test_few_groups(made: Made) -> None:
    rows = [*SOUND, *(("walking", f"{'ab'[n % 2]}/w{n % 4}", None, ("train",)) for n in range(12))]
    found = named(made(rows))
    assert found["few groups"].measured == "the clips of walking (n = 12) come from few groups (4)"
    assert "a group is much of a class" not in found


def test_classes_and_sources_that_belong_together(made: Made) -> None:
    rows = [*SOUND, *(("walking", f"c/{n}", None, ("train",)) for n in range(10))]
    found = named(made(rows))
    assert found["a class of one source"].measured.startswith(
        "every clip of walking (n = 10) comes from c, while"
    )
    assert found["a source of one class"].measured.startswith("every clip of c (n = 10) is walking, while")
    one_source = [(label, f"a/{label} {n}", None, ("train",)) for label in LABELS for n in range(10)]
    assert traps(made(one_source)) == ()


def shortcut(feature: str, right: float, clips: int = 200) -> Shortcut:
    generator = np.random.default_rng(0)
    truth = tuple(LABELS[n % 2] for n in range(clips))
    predicted = tuple(label if generator.random() < right else LABELS[label == LABELS[0]] for label in truth)
    return Shortcut(feature, LABELS, truth, predicted, tuple(map(str, range(clips))))


@pytest.mark.parametrize("feature", ["source", "length", "brightness"])
def test_shortcuts_above_chance_are_told_with_their_interval(made: Made, feature: str) -> None:
    found = shortcut(feature, 0.8)
    trap = named(made(SOUND, shortcuts=(found,)))[f"{feature} tells the class"]
    value = balanced_accuracy_score(found.truth, found.predicted)
    assert trap.measured.startswith(f"by {feature} alone {100 * value:.0f} % [")
    assert "naming one class always recognises 50 %" in trap.measured
    assert "n = 200; bootstrap of 200 groups, 95 %; fitted on other groups" in trap.measured
    assert trap.measured.count("falling") == 1
    assert trap.remedy


@pytest.mark.parametrize(("right", "clips"), [(0.5, 200), (0.3, 200), (0.9, 8)])
def test_chance_and_small_samples_are_no_trap(made: Made, right: float, clips: int) -> None:
    assert traps(made(SOUND, shortcuts=(shortcut("length", right, clips),))) == ()


def test_what_was_not_looked_for_is_said(made: Made) -> None:
    whole = [shortcut(feature, 0.5) for feature in ("source", "length", "brightness")]
    assert "Not looked for" not in looked_for(made(SOUND, shortcuts=tuple(whole)))
    text = looked_for(made(SOUND, shortcuts=(whole[0],), pictures_compared=False))
    assert text.endswith("source alone. Not looked for: length, brightness, the same pictures.")
