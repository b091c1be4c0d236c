"""`bench data compose`: a data set from several sources, its distribution, its shortcuts and leaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....errors import ClipError, UsageError
from ....plain_text import plain_line
from ....reports.numbers import counted
from ....settings import key_values
from ..options import check_ending, check_writable, share
from .options import SeedOption, TimeoutOption

if TYPE_CHECKING:
    from ....datasets.composed.appearance import Appearance
    from ....datasets.composed.example import ComposedSet, Example
    from ....datasets.composed.splits import Split


def compose(
    recipe: Annotated[Path, typer.Argument(help="YAML file: labels and sources.")],
    out: Annotated[Path, typer.Argument(help="Manifest to write: .csv or .jsonl.")],
    split: Annotated[str, typer.Option(help="Split to report: `folds`, `thesis` or `official`.")] = "folds",
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    seed: SeedOption = 0,
    max_share: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=SHARE", help="Maximum share of a class in training; repeatable."),
    ] = None,
    group_cap: Annotated[
        int | None, typer.Option(help="Maximum clips per group of such a class (--max-share).")
    ] = None,
    decode: Annotated[
        bool,
        typer.Option(
            help="Decode the clips, to test whether length or brightness predicts the class, "
            "and find duplicates."
        ),
    ] = True,
    timeout: TimeoutOption = 60.0,
) -> None:
    """Compose a data set from several sources; report its distribution and possible shortcuts.

    Writes the manifest, OUT.set.yaml beside it (labels, licences), and a folder OUT-composition with the
    distribution per class, source and split as table and chart.
    """
    from tabulate import tabulate

    from ....datasets.composed.compose import compose as compose_recipe
    from ....datasets.composed.compose import require_each_label
    from ....datasets.composed.manifest import write_composed
    from ....datasets.composed.recipe import read_recipe
    from ....datasets.composed.splits import splits_of, with_max_share
    from ....datasets.sources.manifest import SUFFIXES
    from ....reports.composition.distribution import distribution_table
    from ....reports.composition.export import write_composition
    from ....reports.composition.flaws import judge
    from ...composition import composition_of

    check_ending("OUT", out, SUFFIXES)
    shares = {
        name: share("--max-share", text) for name, text in key_values("max-share", max_share or []).items()
    }
    if group_cap is not None and (not shares or group_cap < 1):
        raise UsageError(
            "is for classes with --max-share", where="--group-cap", expected="1 or more", found=group_cap
        )
    followed = read_recipe(recipe)
    composed, notes = compose_recipe(followed, out.stem)

    def divided() -> tuple[Split, ...]:
        made = splits_of(composed, split, folds, seed)
        return tuple(with_max_share(each, shares, group_cap, seed) if shares else each for each in made)

    # What cannot be divided or written is reported before hours of decoding.
    splits = divided()
    out.parent.mkdir(parents=True, exist_ok=True)
    check_writable("OUT", out)
    composed = _with_digests(composed)
    appearances = None
    if decode:
        composed, appearances, broken = _looked_at(composed, timeout)
        if broken:
            require_each_label(composed, followed, broken)
            splits = divided()
        notes = (*notes, *broken)
    write_composed(out, composed)
    composition = composition_of(composed, splits, appearances, seed, notes)
    table = distribution_table(composition)
    print(tabulate(table.rows, [column.title for column in table.columns], disable_numparse=True))
    judgement = judge(composition)
    for flaw in judgement.flaws:
        print(plain_line(f"warning: {flaw}"))
    for unjudged in judgement.not_judged:
        print(plain_line(f"not judged: {unjudged}"))
    print(plain_line(judgement.scope))
    for note in composition.notes:
        print(plain_line(f"note: {note}"))
    written = write_composition(composition, judgement, out.with_name(f"{out.stem}-composition"))
    print(f"{out}: {counted(len(composed.examples), 'clip')}; composition: {written}")


def _with_digests(composed: ComposedSet) -> ComposedSet:
    """The set with the sha256 of each file, read once."""
    from ....datasets.sources.manifest import file_digest
    from ...console.progress import Console

    digests: dict[Path, str] = {}
    examples = []
    with Console().task("reading", len(composed.examples)) as progress:
        for example in composed.examples:
            clip = example.clip
            if clip.path not in digests:
                digests[clip.path] = file_digest(clip.path)
            examples.append(replace(example, clip=replace(clip, sha256=digests[clip.path])))
            progress.advance(clip.id)
    return replace(composed, examples=tuple(examples))


def _looked_at(composed: ComposedSet, timeout_s: float) -> tuple[ComposedSet, list[Appearance], list[str]]:
    """The set of the clips that decode, their appearance, and a note for each of the others."""
    from ....datasets.composed.appearance import look_at_all
    from ...console.progress import Console
    from ...plan.environment import cores

    kept: list[Example] = []
    appearances: list[Appearance] = []
    broken: list[str] = []
    clips = [example.clip for example in composed.examples]
    with Console().task("decoding", len(clips)) as progress:
        looks = look_at_all(clips, timeout_s=timeout_s, workers=cores())
        for example, found in zip(composed.examples, looks, strict=True):
            if isinstance(found, ClipError):
                broken.append(f"left out, does not decode: {found}")
            else:
                kept.append(example)
                appearances.append(found)
            progress.advance(example.clip.id)
    if not kept:
        raise ClipError("none of the clips decodes", where=composed.name)
    return replace(composed, examples=tuple(kept)), appearances, broken
