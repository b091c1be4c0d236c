"""What a composed set may teach a network other than the actions: what was measured, and what to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ...records.composition import Composition, Duplicate, Shortcut
from ..numbers import few, listed, percent, share
from ..statistics.grouped import balanced_accuracy

LARGEST_GROUP = 0.2
"""Share of a class above which a group is more than one of five folds can take."""

FEWEST_GROUPS = 5
"""Groups of a class below which some of five folds test none of it."""

MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Trap:
    """`measured`: what was found, with its number and n. `remedy`: what to do about it."""

    name: str
    measured: str
    remedy: str


def traps(composition: Composition) -> tuple[Trap, ...]:
    """All that were found, the gravest first."""
    return (
        *_duplicates(composition),
        *_crossing_groups(composition),
        *_few_groups(composition),
        *_large_groups(composition),
        *_classes_of_one_source(composition),
        *(trap for shortcut in composition.shortcuts for trap in _shortcut(shortcut)),
    )


def _duplicates(composition: Composition) -> Iterator[Trap]:
    for same_bytes, name, what in (
        (True, "duplicates", "are the same bytes"),
        (False, "same pictures", "show the same pictures in another encoding"),
    ):
        pairs = [pair for pair in composition.duplicates if pair.same_bytes == same_bytes]
        if pairs:
            yield Trap(
                name,
                f"{_pairs(pairs)} {what}: {few([f'{p.first} and {p.second}' for p in pairs])}",
                "Leave one of each pair out with `exclude`; a pair in two groups may be on two sides",
            )


def _pairs(pairs: list[Duplicate]) -> str:
    apart = sum(pair.in_two_groups for pair in pairs)
    return f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'} of clips, {apart} of them in two groups,"


def _crossing_groups(composition: Composition) -> Iterator[Trap]:
    sides: dict[str, Counter[str]] = defaultdict(Counter)
    for member in composition.members:
        if member.official is not None:
            sides[member.group][member.official] += 1
    crossing = [group for group, counts in sides.items() if len(counts) == 2]
    if crossing:
        clips = sum(sides[group]["train"] for group in crossing)
        yield Trap(
            "groups cross the official split",
            f"{len(crossing)} of {len(sides)} groups have clips on both sides of their source's own list, "
            f"{clips} of them for training: {few(sorted(crossing), MOST_NAMED)}",
            "`--split official` leaves those training clips out, the other splits never divide a group",
        )


def _few_groups(composition: Composition) -> Iterator[Trap]:
    for label in composition.labels:
        members = [member for member in composition.members if member.label == label]
        groups = len({member.group for member in members})
        if groups < FEWEST_GROUPS:
            yield Trap(
                "few groups",
                f"the clips of {label} (n = {len(members)}) come from few groups ({groups})",
                "Add clips of other films or subjects: what is said of the class rests on so few of them",
            )


def _large_groups(composition: Composition) -> Iterator[Trap]:
    for label in composition.labels:
        groups = Counter(member.group for member in composition.members if member.label == label)
        total = sum(groups.values())
        large = [(group, clips) for group, clips in groups.most_common() if clips > LARGEST_GROUP * total]
        if large and len(groups) >= FEWEST_GROUPS:
            held = sum(clips for _, clips in large)
            names = few([f"{group} ({clips})" for group, clips in large], MOST_NAMED)
            yield Trap(
                "a group is much of a class",
                f"{held} of {total} clips of {label} ({percent(held / total)}) come from {names}",
                f"Cap it in training: `--max-share {label}=… --group-cap N`; expect wide intervals",
            )


def _classes_of_one_source(composition: Composition) -> Iterator[Trap]:
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
            yield Trap(
                "a class of one source",
                f"every clip of {label} (n = {clips}) comes from {source}, while the set has "
                f"{len(sources)} sources",
                "Add such clips of another source: else the look of the source is the class",
            )
    for source in sources:
        labels = [label for label in composition.labels if source in by_label[label]]
        clips = sum(member.source == source for member in composition.members)
        if len(labels) == 1:
            yield Trap(
                "a source of one class",
                f"every clip of {source} (n = {clips}) is {labels[0]}, while the set has "
                f"{len(composition.labels)} classes",
                "Add clips of other classes from it, or keep it for a test of its own",
            )


_REMEDIES = {
    "source": "Take each class from several sources, and read results per source",
    "length": "Train on windows of one length for all classes (the default), and give results beside it",
    "brightness": "Vary the brightness in training (augmentation `add`, `multiply`), or balance the sources",
}


def _shortcut(shortcut: Shortcut) -> Iterator[Trap]:
    """A trap where the interval of the accuracy lies above what guessing reaches."""
    found = balanced_accuracy(shortcut.truth, shortcut.predicted, shortcut.groups)
    guessing = 1 / len(shortcut.labels)
    if found is None or found.interval is None or found.interval.low <= guessing:
        return
    yield Trap(
        f"{shortcut.feature} tells the class",
        f"by {shortcut.feature} alone {share(found)} of a class's clips are recognised on average, where "
        f"naming one class always recognises {percent(guessing)} (n = {found.n}; "
        f"{found.interval.method}; fitted on other groups){_best_told(shortcut)}",
        _REMEDIES[shortcut.feature],
    )


def _best_told(shortcut: Shortcut) -> str:
    totals = Counter(shortcut.truth)
    right = Counter(
        true for true, answer in zip(shortcut.truth, shortcut.predicted, strict=True) if true == answer
    )
    shares = [
        f"{label} {percent(right[label] / totals[label])}" for label in shortcut.labels if totals[label]
    ]
    return f": {listed(shares)}"
