"""`bench weights`: what is published, what is stored, and how it comes here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Published weights: list, fetch, verify, convert.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="A name that `bench weights list` shows.")]


@app.command("list")
def list_() -> None:
    """List the published weights that are known, and which are stored."""
    from tabulate import tabulate

    from ...home import home
    from ...models.weights import list_weights

    rows = [
        [
            row.name,
            row.stream,
            row.licence,
            "" if row.size is None else f"{row.size / 1e6:.0f} MB",
            "" if row.path is None else "yes",
            row.source,
        ]
        for row in list_weights()
    ]
    print(tabulate(rows, headers=["name", "stream", "licence", "size", "stored", "source"]))
    print(f"stored under {home() / 'weights'}")


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Names that `bench weights list` shows.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="The file, or a mirror: a folder or URL laid out like the store or the authors' repository.",
        ),
    ] = None,
) -> None:
    """Download weights, verified and resumable; nothing else ever downloads."""
    from ...models.weights import fetch as fetch_weights
    from ..console.progress import transfer

    for name in names:
        with transfer(name) as progress:
            path = fetch_weights(name, mirror=source, progress=progress)
        print(f"{name}: stored in {path}")


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="All stored weights by default.")] = None,
) -> None:
    """Compare stored files with their checksums."""
    from ...errors import WeightsError
    from ...models.weights import list_weights
    from ...models.weights import verify as verify_weights

    names = names or [row.name for row in list_weights() if row.path is not None]
    if not names:
        print("no weights are stored; `bench weights fetch NAME` stores them")
        return
    damaged = []
    for name in names:
        result = verify_weights(name)
        print(f"{name}: " + ("; ".join(result.problems) or f"{result.files} files as they were fetched"))
        if not result.ok:
            damaged.append(name)
    if damaged:
        raise WeightsError(
            f"damaged or incomplete: {', '.join(damaged)}",
            remedy=f"`bench weights fetch {' '.join(damaged)}`.",
        )


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Weights file, or prefix of a TensorFlow checkpoint.")],
    destination: Annotated[Path, typer.Argument(help="File or prefix to write.")],
    to: Annotated[str, typer.Option(help="tf1-checkpoint, safetensors, piergiaj, hassony2 or hara.")],
    stream: Annotated[str, typer.Option(help="rgb or flow.")] = "rgb",
) -> None:
    """Write weights in another author's format."""
    from ...models.weights import convert as convert_weights

    convert_weights(source, destination, to, stream)
    print(f"{destination}: {to}")
