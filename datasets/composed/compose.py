"""From a recipe to the set: the sources' clips, with mapped classes and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...errors import UsageError, did_you_mean
from ..sources.segments import OMNIFALL_ALSO_SHOWS
from .example import ComposedSet, Example
from .groups import group_names
from .readers import Listed, read_source
from .recipe import DROP, GroupRule, Recipe, SourceRecipe


def compose(recipe: Recipe, name: str) -> tuple[ComposedSet, tuple[str, ...]]:
    """The set that a recipe describes, source by source in its order; and what of the sources is not in it.

    - `name`: of the set. Nothing is decoded.

    Raises UsageError or ClipError, with file, source and key: for a class that the source does not have, for
    a label without a clip, and for a class that shows another of our labels too.
    """
    examples: list[Example] = []
    notes: list[str] = []
    licences: dict[str, str] = {}
    for source_name, source in recipe.sources.items():
        found, of_source = _examples(recipe, source_name, source)
        examples += found
        notes += [f"{source_name}: {note}" for note in of_source]
        licences[source_name] = str(source.licence)
    composed = ComposedSet(name, recipe.labels, tuple(examples), licences, recipe.sha256)
    require_each_label(composed, recipe)
    return composed, tuple(notes)


def require_each_label(composed: ComposedSet, recipe: Recipe, left_out: Sequence[str] = ()) -> None:
    """Raise UsageError if a label of a set has no clip.

    - `recipe`: that the set was made by. `left_out`: notes about clips that were in it.
    """
    used = {example.clip.label for example in composed.examples}
    if absent := [label for label in composed.labels if label not in used]:
        raise UsageError(
            f"no clip has the label '{absent[0]}'",
            where=recipe.path,
            found="; ".join(left_out) or None,
            remedy="Map a class of a source to it, or take it out of `labels`",
        )


def _examples(recipe: Recipe, name: str, source: SourceRecipe) -> tuple[list[Example], list[str]]:
    """A source's examples, and what was left out of it."""
    where = recipe.where(name)
    reading = read_source(source, recipe.folder, where)
    classes = Counter(each.clip.label for each in reading.listed)
    _refuse_unknown_classes(source, {label for label in classes if label is not None}, where)
    mapping = {label: _ours(label, source, recipe) for label in classes}
    _refuse_mixed_classes(source, mapping, recipe, where)
    kept = [each for each in reading.listed if mapping[each.clip.label] is not None]
    notes = [
        *reading.notes,
        *(
            f"clips left out, {'without a class' if label is None else f'of class {label}'}: {count}"
            for label, count in sorted(classes.items(), key=lambda each: str(each[0]))
            if mapping[label] is None
        ),
    ]
    if not kept:
        raise UsageError(
            "none of its classes is one of the labels",
            where=where,
            expected=", ".join(recipe.labels),
            found=", ".join(sorted(map(str, classes))),
            remedy="Say with `classes` what they are called here",
        )
    if reading.in_split_lists and not any(each.official for each in kept):
        # The split official would take it for a source without lists, and train on all of it.
        raise UsageError(
            "none of its clips is on a side of its split lists",
            where=where,
            found=f"{len(kept)} clips, e.g. {kept[0].place}; {'; '.join(notes)}",
            remedy="Name the lists of this source, or leave them out of the recipe",
        )
    rule = source.groups
    assert isinstance(rule, GroupRule)  # as `read_recipe` saw to it
    groups = group_names(rule, kept, where, recipe.folder)
    return [
        _example(name, each, mapping[each.clip.label], group)
        for each, group in zip(kept, groups, strict=True)
    ], notes


def _example(source: str, listed: Listed, label: str | None, group: str) -> Example:
    clip = replace(listed.clip, id=f"{source}/{listed.clip.id}", label=label, source="composed")
    return Example(clip, source, f"{source}/{group}", listed.clip.label or "", listed.official)


def _ours(theirs: str | None, source: SourceRecipe, recipe: Recipe) -> str | None:
    """Our label of a source's class; None if its clips are left out, as those without a class are."""
    if theirs is None:
        return None
    if source.classes is None:
        return theirs if theirs in recipe.labels else recipe.other
    ours = source.classes.get(theirs, recipe.other)
    return None if ours == DROP else ours


def _refuse_unknown_classes(source: SourceRecipe, there: set[str], where: str) -> None:
    for key in ("classes", "also_shows"):
        for theirs in getattr(source, key) or {}:
            if theirs not in there:
                raise UsageError(
                    f"`{key}` names '{theirs}', which is no class of the source",
                    where=where,
                    found=", ".join(sorted(there)),
                    remedy=did_you_mean(theirs, there).strip() or None,
                )


def _refuse_mixed_classes(
    source: SourceRecipe, mapping: Mapping[str | None, str | None], recipe: Recipe, where: str
) -> None:
    """A class that shows another label's action too would teach the network the wrong one."""
    shown = {theirs: ours.split(",") for theirs, ours in (source.also_shows or {}).items()}
    if source.kind == "omnifall":
        shown |= {theirs: list(labels) for theirs, labels in OMNIFALL_ALSO_SHOWS.items()}
    for theirs, labels in shown.items():
        ours = mapping.get(theirs)
        others = [label for label in labels if label in recipe.labels and label != ours]
        if ours is not None and others:
            raise UsageError(
                f"its class '{theirs}' cannot be '{ours}' beside the label '{others[0]}'",
                where=where,
                found=f"'{theirs}' holds clips of {others[0]} too",
                remedy=f"Leave it out: `classes: {{{theirs}: {DROP}}}`",
            )
