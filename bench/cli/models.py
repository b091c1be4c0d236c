"""`bench models`: the networks with a name, what is published of them, and what this machine can run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ...reports.tables.table import Table
    from ..model_list import ListedModel, ListedWeights, ModelList

_SELECTION = "NAME@BACKEND:PRECISION:VARIANT, on this machine"


def list_models(
    format: Annotated[
        Literal["table", "markdown", "json"], typer.Option(help="table, markdown or json.")
    ] = "table",
) -> None:
    """List the networks, what is published of them, their backends, and what this machine can run."""
    from ..model_list import model_list

    found = model_list()
    if format == "json":
        print(_json(found))
    elif format == "markdown":
        print(_markdown(found))
    else:
        _print_table(found)


def _print_table(found: ModelList) -> None:
    from tabulate import tabulate

    from ...reports.formats.terminal import fitted
    from ..console.rich_console import PlainConsole

    networks = _networks(found)
    PlainConsole(sys.stdout).print(fitted(networks))
    print("\n".join(["", *networks.notes, *_other_names(found)]))
    print(f"\n{_SELECTION}\n")
    rows, headers = _capabilities()
    print(tabulate(rows, headers=headers, maxcolwidths=[None, None, None, 60, 40]))
    print()
    print(tabulate(_meanings(), tablefmt="plain"))


def _markdown(found: ModelList) -> str:
    from tabulate import tabulate

    from ...reports.formats.markdown import bullets, escape, grid

    networks = _networks(found)
    rows, headers = _capabilities()
    parts = [
        grid(networks),
        bullets([*networks.notes, *_other_names(found)]),
        f"{_SELECTION}:",
        tabulate([[escape(text) for text in row] for row in rows], headers=headers, tablefmt="pipe"),
        bullets(f"{name}: {meaning}" for name, meaning in _meanings()),
    ]
    return "\n\n".join(parts)


def _json(found: ModelList) -> str:
    from dataclasses import asdict

    rows, _ = _capabilities()
    names = ("backend", "precision", "variants", "cpu", "cuda")
    document = asdict(found) | {"backends": [dict(zip(names, row, strict=True)) for row in rows]}
    return json.dumps(document, ensure_ascii=False, indent=2)


def _capabilities() -> tuple[list[list[str]], list[str]]:
    from ...models.capabilities import BACKENDS
    from ..plan.selection import capabilities_rows

    headers = ["backend", "precision", "variants (first: default)", "CPU", "CUDA"]
    return capabilities_rows(BACKENDS), headers


def _meanings() -> list[tuple[str, str]]:
    from ...models.capabilities import PRECISIONS, VARIANTS

    return [*PRECISIONS.items(), *VARIANTS.items()]


def _networks(found: ModelList) -> Table:
    """A row for each network; what is published is that of the weights that a run takes."""
    from ...reports.tables.table import Column, table

    columns = (
        Column("Network", "left"),
        Column("Published accuracy, %", "left"),
        Column("Views of that accuracy", "left"),
        Column("Parameters\nmillions"),
        Column("GFLOPs, of what", "left"),
        Column("Weights, licence", "left"),
        Column("Backends", "left"),
    )
    notes = [
        "Published: by the publisher of the weights, not measured here. Weights: those that a run takes, the "
        "stored ones first; `bench weights list` has all.",
        "GFLOPs: 2 × multiply–accumulates in units of 10⁹, which publishers mostly count as one; a video has "
        "as many views as the protocol says.",
        "Backends: the first is the default; in brackets what this installation lacks for it.",
        *(f"{name} cannot be described: {reason}" for name, reason in found.broken.items()),
    ]
    if any(each.non_commercial for model in found.models for each in model.used):
        notes.append("NON-COMMERCIAL: the licence of these weights excludes commercial use.")
    return table("networks", "Networks", columns, [(_row(model), {}) for model in found.models], notes)


def _row(model: ListedModel) -> Sequence[str]:
    from ...reports.numbers import UNKNOWN, number

    several = len(model.used) > 1
    gflops = UNKNOWN if model.gflops is None else f"{number(model.gflops)}, {model.gflops_of or 'not said'}"
    backends = (
        name if not lacking else f"{name} (lacks {', '.join(lacking)})"
        for name, lacking in model.backends.items()
    )
    return (
        f"{model.name}\n{model.title}",
        "\n".join(_of_stream(each, each.accuracy or UNKNOWN, several) for each in model.used),
        "\n".join(dict.fromkeys(each.views for each in model.used)),
        number(None if model.parameters is None else model.parameters / 1e6),
        gflops,
        "\n".join(_weights(each) for each in model.used),
        ", ".join(backends),
    )


def _of_stream(weights: ListedWeights, text: str, several: bool) -> str:
    return f"{weights.stream}: {text}" if several else text


def _weights(weights: ListedWeights) -> str:
    licence = weights.licence + (" NON-COMMERCIAL" if weights.non_commercial else "")
    return f"{weights.name} ({'stored' if weights.stored else 'not stored'}), {licence}"


def _other_names(found: ModelList) -> list[str]:
    """What else `--models` takes, a sentence each."""
    lines = [f"{name}: {', '.join(members)}" for name, members in found.sets.items()]
    for family in found.families.values():
        lacks = (f"; lacks {name}: {remedy}" for name, remedy in family.lacks.items())
        lines.append(f"Also: {' or '.join(family.forms)}{''.join(lacks)}")
    return [
        *lines,
        "Also: FILE.py:FACTORY, a network of your own; a folder of `bench finetune`. `:K=32` behind a name: "
        "windows of 32 frames.",
    ]
