"""Shortcuts and leaks of a composed set, which make its results worth less: what was measured, what to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
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
class Finding:
    """A flaw, or a check whose result decides nothing.

    - `measured`: what was found, with its number and n. `remedy`: what to do about it.
    """

    name: str
    measured: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.measured}. {self.remedy}."


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found in a set, and by which checks.

    - `flaws`: the gravest first.
    - `checked`: names of the checks that were made.
    - `not_judged`: of those that were measured on too few groups to be judged: what they gave, and what
      would be needed.
    - `not_checked`: name → reason, of those that were not made.
    """

    flaws: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_judged: tuple[Finding, ...]
    not_checked: Mapping[str, str]

    @property
    def scope(self) -> str:
        """The checks in words."""
        parts = {
            "Checked": self.checked,
            "Not judged": [each.name for each in self.not_judged],
            "Not checked": [f"{name} ({reason})" for name, reason in self.not_checked.items()],
        }
        return " ".join(f"{what}: {', '.join(names)}." for what, names in parts.items() if names)


def judge(composition: Composition) -> Judgement:
    """All flaws that can be found in what was measured, and what could not be judged or checked."""
    accuracies = [
        (shortcut, found)
        for shortcut in composition.shortcuts
        if (found := balanced_accuracy(shortcut.truth, shortcut.predicted, shortcut.groups)) is not None
    ]
    flaws = (
        *_duplicates(composition),
        *_crossing_groups(composition),
        *_few_groups(composition),
        *_large_groups(composition),
        *_classes_of_one_source(composition),
        *(flaw for shortcut, found in accuracies for flaw in _shortcut(shortcut, found)),
    )
    not_judged = tuple(_not_judged(*each) for each in accuracies if each[1].interval is None)
    not_checked = dict(_not_checked(composition, {shortcut.feature for shortcut, _ in accuracies}))
    left = {*not_checked, *(each.name for each in not_judged)}
    return Judgement(flaws, tuple(name for name in CHECKS if name not in left), not_judged, not_checked)


def _not_checked(composition: Composition, measured: set[str]) -> Iterator[tuple[str, str]]:
    """Name of each check that was not made, and the reason."""
    undecoded = None if composition.pictures_compared else "the clips were not decoded"
    one_source = None
    if len({member.source for member in composition.members}) < 2:
        one_source = "the set has one source"
    if undecoded:
        yield "the same pictures", undecoded
    if all(member.official is None for member in composition.members):
        yield "groups across the official split", "no source says which clips are for test"
    if one_source:
        yield "classes of one source", one_source
    for feature in REMEDIES:
        if feature not in measured:
            reason = one_source if feature == "source" else undecoded
            yield f"{feature} alone", reason or "too few clips or groups to predict one from others"


def _duplicates(composition: Composition) -> Iterator[Finding]:
    for same_bytes, name, what in (
        (True, "duplicates", "are the same bytes"),
        (False, "same pictures", "show the same pictures in another encoding"),
    ):
        pairs = [pair for pair in composition.duplicates if pair.same_bytes == same_bytes]
        if pairs:
            yield Finding(
                name,
                f"{_pairs(pairs)} {what}: {few([f'{p.first} and {p.second}' for p in pairs])}",
                "Leave one of each pair out (exclude, in the recipe): in two groups it may be on both sides",
            )


def _pairs(pairs: list[Duplicate]) -> str:
    apart = sum(pair.in_two_groups for pair in pairs)
    return f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'} of clips, {apart} of them in two groups,"


def _crossing_groups(composition: Composition) -> Iterator[Finding]:
    sides: dict[str, set[str]] = defaultdict(set)
    for member in composition.members:
        if member.official is not None:
            sides[member.group].add(member.official)
    crossing = sorted(group for group, of_group in sides.items() if len(of_group) > 1)
    if crossing:
        yield Finding(
            "groups cross the official split",
            f"{len(crossing)} of {len(sides)} groups are on more than one side of their source's own list: "
            f"{few(crossing, MOST_NAMED)}",
            "The split official uses them on one side only, test before validation before training; the "
            "other splits never divide a group",
        )


def _few_groups(composition: Composition) -> Iterator[Finding]:
    for label in composition.labels:
        members = [member for member in composition.members if member.label == label]
        groups = len({member.group for member in members})
        if groups < FEWEST_OF_CLASS:
            yield Finding(
                "few groups",
                f"the clips of {label} (n = {len(members)}) come from few groups ({groups})",
                "Add clips of other films or subjects: results for this class rest on few independent groups",
            )


def _large_groups(composition: Composition) -> Iterator[Finding]:
    for label in composition.labels:
        groups = Counter(member.group for member in composition.members if member.label == label)
        total = sum(groups.values())
        large = [(group, clips) for group, clips in groups.most_common() if clips > LARGEST_GROUP * total]
        if large and len(groups) >= FEWEST_OF_CLASS:
            held = sum(clips for _, clips in large)
            names = few([f"{group} ({clips})" for group, clips in large], MOST_NAMED)
            yield Finding(
                "one group dominates a class",
                f"{held} of {total} clips of {label} ({percent(held / total)}) come from {names}",
                f"Cap it in training (--max-share {label}=… --group-cap N), and expect wide intervals",
            )


def _classes_of_one_source(composition: Composition) -> Iterator[Finding]:
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
            yield Finding(
                "a class of one source",
                f"every clip of {label} (n = {clips}) comes from {source}, while the set has "
                f"{len(sources)} sources",
                "Add such clips of another source: otherwise the network can learn the source's appearance",
            )
    for source in sources:
        labels = [label for label in composition.labels if source in by_label[label]]
        clips = sum(member.source == source for member in composition.members)
        if len(labels) == 1:
            yield Finding(
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

CHECKS = (
    "the same bytes",
    "the same pictures",
    "groups across the official split",
    "few or large groups",
    "classes of one source",
    *(f"{feature} alone" for feature in REMEDIES),
)


def _guessing(shortcut: Shortcut) -> float:
    """Balanced accuracy of always naming one class."""
    return 1 / len(set(shortcut.truth))


def _shortcut(shortcut: Shortcut, found: Estimate) -> Iterator[Finding]:
    """A flaw where the interval of the accuracy lies above what guessing reaches."""
    guessing = _guessing(shortcut)
    if found.interval is None or found.interval.low <= guessing:
        return
    yield Finding(
        f"{shortcut.feature} predicts the class",
        f"by {shortcut.feature} alone {share(found)} of a class's clips are recognised on average, where "
        f"always naming one class recognises {percent(guessing)} (n = {found.n}; "
        f"{found.interval.method}; fitted on other groups){_recalls(shortcut)}",
        REMEDIES[shortcut.feature],
    )


def _not_judged(shortcut: Shortcut, found: Estimate) -> Finding:
    """What was measured without an interval, why it has none, and what would be needed."""
    groups = Counter(label for label, _ in set(zip(shortcut.truth, shortcut.groups, strict=True)))
    fewer = [f"{groups[label]} of {label}" for label in shortcut.labels if 0 < groups[label] < FEWEST_GROUPS]
    return Finding(
        f"{shortcut.feature} alone",
        f"recognises {percent(found.value)} of a class's clips on average, where always naming one class "
        f"recognises {percent(_guessing(shortcut))} (n = {found.n}), but cannot be judged: an interval needs "
        f"{FEWEST_GROUPS} groups of each class, and there are {listed(fewer)}",
        "Add clips of other films or subjects; until then a shortcut is neither found nor excluded",
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
