"""`bench data compose`: a set out of several sources, what it is made of, and the traps in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....errors import ClipError, UsageError
from ....plain_text import plain_line
from ....settings import key_values
from ..options import check_writable, counted, share

if TYPE_CHECKING:
    from ....datasets.composed.appearance import Appearance
    from ....datasets.composed.example import ComposedSet, Example
    from ....datasets.composed.splits import Split


def compose(
    recipe: Annotated[Path, typer.Argument(help="YAML file: labels and sources.")],
    out: Annotated[Path, typer.Argument(help="Manifest to write, .csv.")],
    split: Annotated[
        str, typer.Option(help="Shown in the tables: `folds`, `thesis` or `official`.")
    ] = "folds",
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the splits.")] = 0,
    max_share: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=SHARE", help="Most that a class may be of the training clips; repeatable."
        ),
    ] = None,
    group_cap: Annotated[
        int | None, typer.Option(help="Most clips of one group of a class with --max-share.")
    ] = None,
    decode: Annotated[
        bool, typer.Option(help="Decode the clips, to see what length, brightness and pictures give away.")
    ] = True,
) -> None:
    """Compose a data set of several sources; table what it is made of, warn of traps.

    Writes the manifest, OUT.set.yaml beside it (labels, licences), and a folder OUT-composition with the
    distribution per class, source and split as table and chart.
    """
    from tabulate import tabulate

    from ....datasets.composed.compose import compose as compose_recipe
    from ....datasets.composed.manifest import write_composed
    from ....datasets.composed.recipe import read_recipe
    from ....datasets.composed.splits import splits_of, with_max_share
    from ....reports.composition.distribution import distribution_table
    from ....reports.composition.export import looked_for, write_composition
    from ....reports.composition.traps import traps
    from ...composition import composition_of

    if out.suffix.lower() != ".csv":
        raise UsageError("has an ending that is not known", where=out, expected=".csv")
    shares = {
        name: share("--max-share", text) for name, text in key_values("max-share", max_share or []).items()
    }
    if group_cap is not None and (not shares or group_cap < 1):
        raise UsageError(
            "is for classes with --max-share", where="--group-cap", expected="1 or more", found=group_cap
        )
    composed, notes = compose_recipe(read_recipe(recipe), out.stem)

    def divided() -> tuple[Split, ...]:
        made = splits_of(composed, split, folds, seed)
        return tuple(with_max_share(each, shares, group_cap, seed) if shares else each for each in made)

    # What cannot be divided or written is told before hours of decoding.
    splits = divided()
    out.parent.mkdir(parents=True, exist_ok=True)
    check_writable("OUT", out)
    composed = _with_digests(composed)
    appearances = None
    if decode:
        composed, appearances, broken = _looked_at(composed)
        notes = (*notes, *broken)
        splits = divided() if broken else splits
    write_composed(out, composed)
    composition = composition_of(composed, splits, appearances, seed, notes)
    table = distribution_table(composition)
    print(tabulate(table.rows, [column.title for column in table.columns], disable_numparse=True))
    for trap in traps(composition):
        print(plain_line(f"warning: {trap.name}: {trap.measured}. {trap.remedy}."))
    print(plain_line(looked_for(composition)))
    for note in composition.notes:
        print(plain_line(f"note: {note}"))
    written = write_composition(composition, out.with_name(f"{out.stem}-composition"))
    print(f"{out}: {counted(len(composed.examples), 'clip')}; {written} tells what they are")


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


def _looked_at(composed: ComposedSet) -> tuple[ComposedSet, list[Appearance], list[str]]:
    """The clips that decode with their appearance, and which do not."""
    from ....datasets.composed.appearance import look_at_all
    from ...console.progress import Console
    from ...plan.environment import cores

    kept: list[Example] = []
    appearances: list[Appearance] = []
    broken: list[str] = []
    clips = [example.clip for example in composed.examples]
    with Console().task("decoding", len(clips)) as progress:
        for example, found in zip(composed.examples, look_at_all(clips, cores()), strict=True):
            if isinstance(found, ClipError):
                broken.append(f"left out, does not decode: {found}")
            else:
                kept.append(example)
                appearances.append(found)
            progress.advance(example.clip.id)
    if not kept:
        raise ClipError("none of the clips decodes", where=composed.name)
    return replace(composed, examples=tuple(kept)), appearances, broken
