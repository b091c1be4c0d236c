"""Dividing a composed set into training, validation and test, seeded, no group ever on two sides."""

from __future__ import annotations

import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...errors import UsageError, unknown_name
from ..sources.split_lists import SIDES, Side
from .example import ComposedSet, Example

KINDS = ("folds", "thesis", "official")

TEST_SHARE = 0.1
"""Of each class, in the thesis: 90 % are trained on, 10 % tested."""

ROUNDING = 1e-9
"""So that 17 of 170 clips are no more than a tenth."""

DRAWS = 50
"""Random orders of the groups of which the one that comes nearest to the shares asked for is taken."""


@dataclass(frozen=True, slots=True)
class Split:
    """Three disjoint parts of a set, each in the set's order; no group is in two of them.

    - `notes`: what was left out, and by how much the parts differ from what was asked for.
    """

    name: str
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    notes: tuple[str, ...]


def splits_of(composed: ComposedSet, kind: str, count: int = 5, seed: int = 0) -> tuple[Split, ...]:
    """The splits of a kind, one of `KINDS`; `count` is that of the folds. Raises UsageError as they do."""
    if kind == "folds":
        return folds(composed, count, seed)
    if kind not in KINDS:
        raise unknown_name("split", kind, KINDS)
    return (thesis_split(composed, seed) if kind == "thesis" else official_split(composed, seed),)


def folds(composed: ComposedSet, count: int = 5, seed: int = 0) -> tuple[Split, ...]:
    """Grouped, stratified cross-validation: each labelled example is tested once.

    - `count`: of folds. Validation is drawn by group out of the rest, about 1/`count` of it.

    Raises UsageError if there are fewer groups than folds, or no class has a clip for each fold.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    examples, notes = _labelled(composed)
    groups = [example.group for example in examples]
    classes = [composed.labels.index(str(example.clip.label)) for example in examples]
    most = min(len(set(groups)), max(Counter(classes).values(), default=0))
    if not 2 <= count <= most:
        raise UsageError(
            "cannot be divided into so many folds",
            where=composed.name,
            expected=f"2 to {most}, for its groups and classes" if most > 1 else "several groups",
            found=count,
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # About a class with fewer clips than folds, which the notes report.
        warnings.filterwarnings("ignore", message="The least populated class")
        divided = list(splitter.split(np.zeros(len(examples)), classes, groups))
    splits = []
    for number, (_, test) in enumerate(divided):
        tested = {examples[index].group for index in test}
        rest = [example for example in examples if example.group not in tested]
        validated = _draw(rest, 1 / count, seed + number)
        splits.append(_split(f"fold {number + 1} of {count}", examples, validated, tested, notes))
    return tuple(splits)


def thesis_split(composed: ComposedSet, seed: int = 0) -> Split:
    """Of each class 90 % for training and 10 % for test, as near as groups allow; the notes report how near.

    Validation is drawn by group out of the 90 %, about a tenth of it. Raises UsageError if every group is
    so large that none brings the test nearer to its share.
    """
    examples, notes = _labelled(composed)
    tested = _draw(examples, TEST_SHARE, seed)
    if not tested:
        raise UsageError(
            f"no group is small enough for a test of {100 * TEST_SHARE:.0f} %",
            where=composed.name,
            found=f"{len({example.group for example in examples})} groups",
            remedy="Use another split: folds",
        )
    rest = [example for example in examples if example.group not in tested]
    validated = _draw(rest, TEST_SHARE, seed)
    split = _split("thesis", examples, validated, tested, notes)
    return replace(split, notes=(*split.notes, *_deviations(composed, split)))


def official_split(composed: ComposedSet, seed: int = 0) -> Split:
    """The sides that the sources' own lists give.

    Clips that a source's list leaves out are left out; a source without a list is trained on. Of a group that
    is on several sides only the clips for test are used, or else those for validation, which the notes
    report. Of sources whose lists have no validation, about a tenth of what is trained on is drawn for it, by
    group. Raises UsageError if no list has test clips.
    """
    examples, notes = _labelled(composed)
    listing = {example.source for example in examples if example.official is not None}
    on: dict[Side, list[Example]] = {side: [] for side in SIDES}
    for example in examples:
        if example.official is not None or example.source not in listing:
            on[example.official or "train"].append(example)
    if not on["test"]:
        raise UsageError(
            "no source's list has test clips",
            where=composed.name,
            remedy="Use another split: folds or thesis",
        )
    side_of: dict[str, Side] = {}
    for side in SIDES:  # the last of its sides
        side_of |= {example.group: side for example in on[side]}
    used = {side: [example for example in on[side] if side_of[example.group] == side] for side in SIDES}
    listed = sum(map(len, on.values()))
    if listed < len(examples):
        notes.append(
            "left out, because the official lists do not use them: "
            f"{len(examples) - listed} of {len(examples)} clips"
        )
    crossing = {example.group for side in SIDES for example in on[side] if side_of[example.group] != side}
    if crossing:
        left_out = listed - sum(map(len, used.values()))
        notes.append(
            "left out, because other clips of their groups are for test or validation: "
            f"{left_out} of {listed} clips, of {', '.join(sorted(crossing))}"
        )
    for source in sorted({example.source for example in examples} - listing):
        notes.append(f"{source} has no official list: all of it is trained on")
    with_validation = {example.source for example in on["validation"]}
    drawn = _draw([e for e in used["train"] if e.source not in with_validation], TEST_SHARE, seed)
    tested, validated = ({example.group for example in used[side]} for side in ("test", "validation"))
    ids = {example.clip.id for of_side in used.values() for example in of_side}
    return _split("official", [e for e in examples if e.clip.id in ids], validated | drawn, tested, notes)


def with_max_share(
    split: Split, shares: Mapping[str, float], group_cap: int | None = None, seed: int = 0
) -> Split:
    """The split with fewer training clips of some classes; validation and test stay as they are.

    - `shares`: class → most that it may be of the training clips, in (0, 1), e.g. {"falling": 0.1}.
    - `group_cap`: most clips of such a class that one group may have; None is no limit.

    Groups take turns, one clip each, until the share is reached, so that no film is most of the class.
    Raises UsageError for a class that is not trained on and for shares that cannot be reached.
    """
    by_label: dict[str, list[Example]] = defaultdict(list)
    for example in split.train:
        by_label[str(example.clip.label)].append(example)
    for label, share in shares.items():
        if label not in by_label or not 0 < share < 1:
            raise UsageError(
                "is not a share of a class that is trained on",
                where=f"--max-share {label}={share:g}",
                expected=f"one of {', '.join(by_label)}, and a share between 0 and 1",
            )
    kept = {label: _by_turns(by_label[label], group_cap, seed) for label in shares}
    sizes = {label: len(kept.get(label, of_label)) for label, of_label in by_label.items()}
    sizes |= _limited(sizes, shares)
    notes = []
    chosen = {
        example.clip.id for label, of_label in by_label.items() if label not in shares for example in of_label
    }
    for label in shares:
        chosen |= {example.clip.id for example in kept[label][: sizes[label]]}
        notes.append(
            f"{label}: {sizes[label]} of {len(by_label[label])} training clips kept, "
            f"{100 * sizes[label] / sum(sizes.values()):.1f} % of all that are trained on"
        )
    train = tuple(example for example in split.train if example.clip.id in chosen)
    return replace(split, train=train, notes=(*split.notes, *notes))


def _labelled(composed: ComposedSet) -> tuple[list[Example], list[str]]:
    examples = [example for example in composed.examples if example.clip.label is not None]
    left_out = len(composed.examples) - len(examples)
    return examples, [
        f"left out, without a label: {left_out} of {len(composed.examples)} clips"
    ] if left_out else []


def _split(
    name: str, examples: Sequence[Example], validated: set[str], tested: set[str], notes: Iterable[str]
) -> Split:
    parts = {
        "training": tuple(e for e in examples if e.group not in validated | tested),
        "validation": tuple(e for e in examples if e.group in validated),
        "test": tuple(e for e in examples if e.group in tested),
    }
    labels = list(dict.fromkeys(str(example.clip.label) for example in examples))
    missing = [
        f"no clip of {label} in {part}; its groups are too few or too large"
        for part, members in parts.items()
        for label in labels
        if all(example.clip.label != label for example in members)
    ]
    return Split(name, parts["training"], parts["validation"], parts["test"], (*notes, *missing))


def _draw(examples: Sequence[Example], share: float, seed: int) -> set[str]:
    """Groups that hold about this share of each class.

    Of several random orders of the groups the best: each group is taken if it brings the counts nearer to
    what is asked for, in squares relative to the classes' sizes.
    """
    groups = {name: place for place, name in enumerate(sorted({example.group for example in examples}))}
    labels = {name: place for place, name in enumerate(sorted({str(e.clip.label) for e in examples}))}
    # Each group's share of each class.
    members: npt.NDArray[np.float64] = np.zeros((len(groups), len(labels)))
    for example in examples:
        members[groups[example.group], labels[str(example.clip.label)]] += 1
    members /= members.sum(axis=0)
    generator = np.random.default_rng(seed)
    orders = generator.permuted(np.tile(np.arange(len(groups)), (DRAWS, 1)), axis=1)
    # What each order still lacks of each class; all orders take a step at a time.
    lacking = np.full((DRAWS, len(labels)), share)
    drawn = np.zeros(orders.shape, bool)
    for step in orders.T:
        left = lacking - members[step]
        nearer = (left**2).sum(axis=1) < (lacking**2).sum(axis=1)
        lacking[nearer] = left[nearer]
        drawn[nearer, step[nearer]] = True
    best = drawn[(lacking**2).sum(axis=1).argmin()]
    return {name for name, place in groups.items() if best[place]}


def _deviations(composed: ComposedSet, split: Split) -> list[str]:
    sizes = Counter(example.clip.label for example in (*split.train, *split.validation, *split.test))
    tested = Counter(example.clip.label for example in split.test)
    return [
        f"{label}: {tested[label]} of {sizes[label]} clips tested, "
        f"{100 * tested[label] / sizes[label]:.1f} % where {100 * TEST_SHARE:.0f} % are asked for"
        for label in composed.labels
        if sizes[label]
    ]


def _by_turns(examples: Sequence[Example], cap: int | None, seed: int) -> list[Example]:
    """The examples, at most `cap` of each group, in an order in which groups take turns."""
    generator = random.Random(seed)
    by_group: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_group[example.group].append(example)
    order = sorted(by_group)
    generator.shuffle(order)
    for group in order:
        generator.shuffle(by_group[group])
    longest = max(map(len, by_group.values()))
    turns = range(longest if cap is None else min(cap, longest))
    return [by_group[group][turn] for turn in turns for group in order if turn < len(by_group[group])]


def _limited(sizes: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, int]:
    """Class → most clips with which no class exceeds its share; fewer of one lower what others may have."""
    limited = dict(sizes)
    while True:
        total = sum(limited.values())
        over = [label for label, share in shares.items() if limited[label] > share * total + ROUNDING]
        if not over:
            return limited
        for label in over:
            share = shares[label]
            limited[label] = int(share / (1 - share) * (total - limited[label]) + ROUNDING)
            if not limited[label]:
                raise UsageError("no clip would be left", where=f"--max-share {label}={share:g}")
