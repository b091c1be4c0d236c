"""`bench weights`: list, fetch, verify and convert published weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import EXIT_CODES, UsageError, WeightsError
from ..plan.config import SETTINGS, from_mapping
from .settings import given_settings, with_settings

app = typer.Typer(help="Published weights: list, fetch, verify, convert.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the published weights that ActionBench knows, and which of them are stored."""
    from tabulate import tabulate

    from ...home import home
    from ...licences import marked
    from ...models.weights import list_weights

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
    from ...licences import marked
    from ...models.weights import fetch as fetch_weights
    from ...models.weights.hugging_face.hub import is_hub_name
    from ..console.progress import transfer

    _refuse_files(names)
    for name in names:

        def announce(licence: str, name: str = name) -> None:
            print(f"{name}: licence {marked(licence)}", flush=True)

        if is_hub_name(name):  # its library shows its own progress
            path = fetch_weights(name, mirror=source, announce=announce)
        else:
            with transfer(name) as progress:
                path = fetch_weights(name, mirror=source, progress=progress, announce=announce)
        print(f"{name}: stored in {path}")


_PREDICTING = ("videos", "weights", "device", "threads", "batch", "flow", "max_clips", "seed", "python")
_OF_VERIFY = {
    "data": replace(
        SETTINGS["data"], help="with --published: labelled videos, in the syntax of `bench run`", default=None
    ),
    **{name: SETTINGS[name] for name in (*_PREDICTING, "clip_timeout")},
    "out": replace(
        SETTINGS["out"],
        help="run directory of the predictions; by default one in `runs` that the same command continues",
    ),
}


@app.command()
@with_settings(of=_OF_VERIFY)
def verify(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Names of weights; by default all that are stored. With --published: one network, named as "
            "in `bench run --models`.",
        ),
    ] = None,
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Predict the videos of --data with the publisher's views, and compare the top-1 accuracy "
            "with the published one.",
        ),
    ] = False,
) -> int:
    """Check the files of stored weights against their recorded checksums; with --published, their accuracy.

    Exit codes with --published: 0 the interval of the accuracy holds the published one, 3 it does not, 4
    there are not enough videos to tell (it is wider than ±10 percentage points), 2 an error.
    """
    given = given_settings(context, _OF_VERIFY)
    if published:
        return _verify_published(names or [], given)
    if given:
        found = ", ".join(_OF_VERIFY[name].option for name in given)
        raise UsageError("is for --published", where="bench weights verify", found=found)
    _verify_files(names or [])
    return 0


def _verify_published(names: list[str], given: dict[str, Any]) -> int:
    from ..console.progress import Console
    from ..evaluation.published import in_words, verify_published

    if len(names) != 1 or names[0].startswith("@"):
        raise UsageError(
            "verifies one network", where="--published", expected="MODEL", found=", ".join(names) or "none"
        )
    if "data" not in given:
        raise UsageError(
            "needs labelled videos",
            where="--published",
            remedy="--data names them; `bench data subset` chooses some of each class.",
        )
    check = verify_published(from_mapping({"models": names, **given}, "command line"), Console())
    print("\n".join(in_words(check)))
    verdict = {"reached": "fine", "not reached": "regression", "not enough videos to tell": "inconclusive"}
    return EXIT_CODES[verdict[check.outcome]]


def _verify_files(names: list[str]) -> None:
    from ...models.weights import list_weights
    from ...models.weights import verify as verify_weights

    _refuse_files(names)
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


def _refuse_files(names: list[str]) -> None:
    """Raise UsageError for a network in a user's file among the names, before anything is fetched."""
    from ...models.families.registry import family_of

    for name in names:
        if family_of(name) == "onnx":
            raise UsageError(
                "is a file of yours with its weights in it: nothing of it is fetched or stored",
                where=name,
                remedy=f"Name it as the model, `bench run --models {name}`.",
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
