"""`bench weights`: list, fetch, verify and convert published weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Published weights: list, fetch, verify, convert.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the published weights that ActionBench knows, and which of them are stored."""
    from tabulate import tabulate

    from ...home import home
    from ...models.weights import list_weights
    from ...models.weights.licences import marked

    rows = [
        [
            row.name,
            row.stream,
            marked(row.licence),
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
    names: Annotated[
        list[str],
        typer.Argument(help="Names from `bench weights list`, or hf:OWNER/NAME@REVISION of Hugging Face."),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Where to take them from instead: a file, or a folder or URL laid out like the store or the "
            "authors' repository; for hf: the URL of a mirror.",
        ),
    ] = None,
) -> None:
    """Download weights and check them; an interrupted download continues. No other command downloads."""
    from ...models.weights import fetch as fetch_weights
    from ...models.weights.hugging_face.hub import is_hub_name
    from ...models.weights.licences import marked
    from ..console.progress import transfer

    for name in names:

        def announce(licence: str, name: str = name) -> None:
            print(f"{name}: licence {marked(licence)}", flush=True)

        if is_hub_name(name):  # its library shows its own progress
            path = fetch_weights(name, mirror=source, announce=announce)
        else:
            with transfer(name) as progress:
                path = fetch_weights(name, mirror=source, progress=progress, announce=announce)
        print(f"{name}: stored in {path}")


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of weights; by default all that are stored.")
    ] = None,
) -> None:
    """Check the files of stored weights against their recorded checksums."""
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
    destination: Annotated[Path, typer.Argument(help="File or checkpoint prefix to write.")],
    to: Annotated[
        str, typer.Option(help="Format to write: tf1-checkpoint, safetensors, piergiaj, hassony2 or hara.")
    ],
    stream: Annotated[str, typer.Option(help="Stream that the weights are for: rgb or flow.")] = "rgb",
) -> None:
    """Convert weights to another format."""
    from ...models.weights import convert as convert_weights

    convert_weights(source, destination, to, stream)
    print(f"{destination}: {to}")
