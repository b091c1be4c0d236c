"""Shortcuts and leaks of a composed set, which make its results worth less: what was measured, what to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ...records.composition import Composition, Duplicate, Shortcut
from ..numbers import few, listed, percent, share
from ..statistics.group_bootstrap import FEWEST_GROUPS, balanced_accuracy
from ..statistics.intervals import Estimate

LARGEST_GROUP = 0.2
"""Share of a class above which a group is more than one of five folds can take."""

FEWEST_OF_CLASS = 5
"""Groups of a class below which some of five folds test none of it."""

MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Flaw:
    """`measured`: what was found, with its number and n. `remedy`: what to do about it."""

    name: str
    measured: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found in a set, and by which checks.

    - `flaws`: the gravest first.
    - `checked`: names of the checks that were made.
    - `not_judged`: of those that were measured on too few groups to be judged.
    - `not_checked`: of those that were not made.
    """

    flaws: tuple[Flaw, ...]
    checked: tuple[str, ...]
    not_judged: tuple[str, ...]
    not_checked: tuple[str, ...]

    @property
    def scope(self) -> str:
        """The checks in words."""
        text = f"Checked: {', '.join(self.checked)}."
        if self.not_judged:
            few = f"a class comes from fewer than {FEWEST_GROUPS} groups"
            text += f" Not judged: {', '.join(self.not_judged)} ({few})."
        return text + (f" Not checked: {', '.join(self.not_checked)}." if self.not_checked else "")


def judge(composition: Composition) -> Judgement:
    """All flaws that can be found in what was measured."""
    accuracies = {
        shortcut: balanced_accuracy(shortcut.truth, shortcut.predicted, shortcut.groups)
        for shortcut in composition.shortcuts
    }
    judged = {shortcut: found for shortcut, found in accuracies.items() if found and found.interval}
    measured = [shortcut.feature for shortcut in accuracies]
    made = {
        "the same bytes": True,
        "the same pictures": composition.pictures_compared,
        "groups across the official split": any(member.official for member in composition.members),
        "few or large groups": True,
        "classes of one source": len({member.source for member in composition.members}) > 1,
        **{f"{feature} alone": feature in measured for feature in REMEDIES},
    }
    not_judged = tuple(f"{shortcut.feature} alone" for shortcut in accuracies if shortcut not in judged)
    return Judgement(
        (
            *_duplicates(composition),
            *_crossing_groups(composition),
            *_few_groups(composition),
            *_large_groups(composition),
            *_classes_of_one_source(composition),
            *(flaw for shortcut, found in judged.items() for flaw in _shortcut(shortcut, found)),
        ),
        tuple(name for name, done in made.items() if done and name not in not_judged),
        not_judged,
        tuple(name for name, done in made.items() if not done),
    )


def _duplicates(composition: Composition) -> Iterator[Flaw]:
    for same_bytes, name, what in (
        (True, "duplicates", "are the same bytes"),
        (False, "same pictures", "show the same pictures in another encoding"),
    ):
        pairs = [pair for pair in composition.duplicates if pair.same_bytes == same_bytes]
        if pairs:
            yield Flaw(
                name,
                f"{_pairs(pairs)} {what}: {few([f'{p.first} and {p.second}' for p in pairs])}",
                "Leave one of each pair out (exclude, in the recipe): in two groups it may be on both sides",
            )


def _pairs(pairs: list[Duplicate]) -> str:
    apart = sum(pair.in_two_groups for pair in pairs)
    return f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'} of clips, {apart} of them in two groups,"


def _crossing_groups(composition: Composition) -> Iterator[Flaw]:
    sides: dict[str, Counter[str]] = defaultdict(Counter)
    for member in composition.members:
        if member.official is not None:
            sides[member.group][member.official] += 1
    crossing = [group for group, counts in sides.items() if len(counts) == 2]
    if crossing:
        clips = sum(sides[group]["train"] for group in crossing)
        yield Flaw(
            "groups cross the official split",
            f"{len(crossing)} of {len(sides)} groups have clips on both sides of their source's own list, "
            f"{clips} of them for training: {few(sorted(crossing), MOST_NAMED)}",
            "The split official leaves those training clips out; the other splits never divide a group",
        )


def _few_groups(composition: Composition) -> Iterator[Flaw]:
    for label in composition.labels:
        members = [member for member in composition.members if member.label == label]
        groups = len({member.group for member in members})
        if groups < FEWEST_OF_CLASS:
            yield Flaw(
                "few groups",
                f"the clips of {label} (n = {len(members)}) come from few groups ({groups})",
                "Add clips of other films or subjects: results for this class rest on few independent groups",
            )


def _large_groups(composition: Composition) -> Iterator[Flaw]:
    for label in composition.labels:
        groups = Counter(member.group for member in composition.members if member.label == label)
        total = sum(groups.values())
        large = [(group, clips) for group, clips in groups.most_common() if clips > LARGEST_GROUP * total]
        if large and len(groups) >= FEWEST_OF_CLASS:
            held = sum(clips for _, clips in large)
            names = few([f"{group} ({clips})" for group, clips in large], MOST_NAMED)
            yield Flaw(
                "one group dominates a class",
                f"{held} of {total} clips of {label} ({percent(held / total)}) come from {names}",
                f"Cap it in training (--max-share {label}=… --group-cap N), and expect wide intervals",
            )


def _classes_of_one_source(composition: Composition) -> Iterator[Flaw]:
    sources = list(dict.fromkeys(member.source for member in composition.members))
    if len(sources) < 2:
        return
    by_label = {
        label: {member.source for member in composition.members if member.label == label}
        for label in composition.labels
    }
    for label, of_label in by_label.items():
        clips = sum(member.label == label for member in composition.members)
        if len(of_label) == 1:
            (source,) = of_label
            yield Flaw(
                "a class of one source",
                f"every clip of {label} (n = {clips}) comes from {source}, while the set has "
                f"{len(sources)} sources",
                "Add such clips of another source: otherwise the network can learn the source's appearance",
            )
    for source in sources:
        labels = [label for label in composition.labels if source in by_label[label]]
        clips = sum(member.source == source for member in composition.members)
        if len(labels) == 1:
            yield Flaw(
                "a source of one class",
                f"every clip of {source} (n = {clips}) is {labels[0]}, while the set has "
                f"{len(composition.labels)} classes",
                "Add clips of other classes from it, or keep it for a test of its own",
            )


REMEDIES = {
    "source": "Take each class from several sources, and report results per source",
    "length": "Train on windows of one length for all classes (the default), and report this figure too",
    "brightness": "Vary the brightness in training (augmentations add, multiply), or balance the sources",
}
"""Feature that can predict the class → what to do."""


def _shortcut(shortcut: Shortcut, found: Estimate) -> Iterator[Flaw]:
    """A flaw where the interval of the accuracy lies above what guessing reaches."""
    guessing = 1 / len(set(shortcut.truth))
    if found.interval is None or found.interval.low <= guessing:
        return
    yield Flaw(
        f"{shortcut.feature} predicts the class",
        f"by {shortcut.feature} alone {share(found)} of a class's clips are recognised on average, where "
        f"always naming one class recognises {percent(guessing)} (n = {found.n}; "
        f"{found.interval.method}; fitted on other groups){_recalls(shortcut)}",
        REMEDIES[shortcut.feature],
    )


def _recalls(shortcut: Shortcut) -> str:
    totals = Counter(shortcut.truth)
    right = Counter(
        true for true, answer in zip(shortcut.truth, shortcut.predicted, strict=True) if true == answer
    )
    shares = [
        f"{label} {percent(right[label] / totals[label])}" for label in shortcut.labels if totals[label]
    ]
    return f": {listed(shares)}"
