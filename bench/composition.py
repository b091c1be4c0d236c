"""From a composed set and its splits to the record that its reports are made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..datasets.composed.appearance import Appearance
from ..datasets.composed.duplicates import same_bytes, same_pictures
from ..datasets.composed.example import ComposedSet
from ..datasets.composed.shortcuts import predict_by_source, predict_by_value
from ..datasets.composed.splits import Split
from ..records.composition import Composition, Duplicate, Member, Shortcut


def composition_of(
    composed: ComposedSet,
    splits: Sequence[Split],
    appearances: Sequence[Appearance] | None,
    seed: int,
    notes: Iterable[str],
) -> Composition:
    """What the reports of a composed set are made from.

    - `splits`: whose parts are counted. `seed`: of the folds that shortcuts are measured with.
    - `appearances`: of the set's clips, in their order; None where they were not decoded.
    - `notes`: what was left out; those of the splits are added.
    """
    parts: list[dict[str, str]] = [
        {
            example.clip.id: part
            for part, examples in (
                ("train", split.train),
                ("validation", split.validation),
                ("test", split.test),
            )
            for example in examples
        }
        for split in splits
    ]
    members = tuple(
        Member(
            str(example.clip.label),
            example.source,
            example.group,
            example.official,
            tuple(part.get(example.clip.id) for part in parts),
        )
        for example in composed.examples
    )
    of_splits = (f"{split.name}: {note}" for split in splits for note in split.notes)
    return Composition(
        composed.name,
        composed.labels,
        tuple(split.name for split in splits),
        members,
        _shortcuts(composed, appearances, seed),
        _duplicates(composed, appearances),
        appearances is not None,
        (*notes, *of_splits),
    )


def _shortcuts(
    composed: ComposedSet, appearances: Sequence[Appearance] | None, seed: int
) -> tuple[Shortcut, ...]:
    predicted = {"source": predict_by_source(composed, seed)}
    if appearances is not None:
        predicted["length"] = predict_by_value(composed, [each.seconds for each in appearances], seed)
        predicted["brightness"] = predict_by_value(composed, [each.brightness for each in appearances], seed)
    truth = tuple(str(example.clip.label) for example in composed.examples)
    groups = tuple(example.group for example in composed.examples)
    return tuple(
        Shortcut(feature, composed.labels, truth, answers, groups)
        for feature, answers in predicted.items()
        if answers is not None
    )


def _duplicates(composed: ComposedSet, appearances: Sequence[Appearance] | None) -> tuple[Duplicate, ...]:
    examples = composed.examples
    equal = sorted(same_bytes(examples))
    alike = [] if appearances is None else sorted(set(same_pictures(appearances)) - set(equal))
    return tuple(
        Duplicate(
            examples[first].clip.id,
            examples[second].clip.id,
            pair_is_equal,
            examples[first].group != examples[second].group,
        )
        for pairs, pair_is_equal in ((equal, True), (alike, False))
        for first, second in pairs
    )
