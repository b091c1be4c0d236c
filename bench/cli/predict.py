"""`bench predict` and `bench parity`: what a network says, and whether two backends say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..plan.config import from_mapping
from .settings import given_settings, with_settings

ModelArgument = Annotated[
    str, typer.Argument(help="NAME or FILE.py:FACTORY, each with @BACKEND:PRECISION:FORM or not.")
]


@with_settings("weights", "device", "threads", "views", "flow")
def predict(
    context: typer.Context,
    model: ModelArgument,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Videos, or .npy/.npz arrays.")],
    logits: Annotated[
        Path | None, typer.Option(help="Write the logits (views, classes) to this .npy.")
    ] = None,
) -> None:
    """Top-5 classes of videos, or their logits."""
    from ..console.progress import Console
    from ..predict import print_predictions

    config = from_mapping({"models": (model,), **given_settings(context)}, "command line")
    print_predictions(config, inputs, logits, Console())


@with_settings("weights", "device", "threads", "flow")
def parity(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Network with several backends.")] = "i3d",
    backends: Annotated[
        str | None, typer.Option(help="Comma-separated BACKEND:PRECISION:FORM; the first is the reference.")
    ] = None,
    shapes: Annotated[
        str | None, typer.Option(help="TxHxW[xN], comma-separated; by default five that mistakes show on.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Compare on clips of this data in place of drawn input.")
    ] = None,
    clips: Annotated[int, typer.Option(help="With --data: a seeded sample of so many clips.")] = 4,
    target: Annotated[str | None, typer.Option(help="Tell the drift of this class's probability.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Reproduce the authors' published example with their weights.")
    ] = False,
) -> None:
    """Whether the backends of a network agree on the same weights, on this machine."""
    from ..agreement.parity import check_parity, check_published, parse_shapes
    from ..console.progress import Console

    chosen = {"models": (model,), "data": data or "demo", "max_clips": clips}
    config = from_mapping({**chosen, **given_settings(context)}, "command line").resolved()
    names = None if backends is None else tuple(backends.split(","))
    if published:
        check_published(config, names, Console())
    else:
        check_parity(config, names, parse_shapes(shapes), Console(), data is not None, target)
