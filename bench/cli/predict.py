"""`bench predict` and `bench parity`: what a network says, and whether two backends say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..plan.config import DEFAULTS, RunConfig, key_values
from .options import FlowOption

ModelArgument = Annotated[
    str, typer.Argument(help="NAME or FILE.py:FACTORY, each with @BACKEND:PRECISION:FORM or not.")
]
WeightsOption = Annotated[
    list[str] | None,
    typer.Option(help="MODEL=PATH, random or demo; what `bench weights fetch` stored by default."),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda:N.")]
ViewsOption = Annotated[str, typer.Option(help="video: the authors' protocol; single: one window.")]
ThreadsOption = Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")]


def predict(
    model: ModelArgument,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Videos, or .npy/.npz arrays.")],
    weights: WeightsOption = None,
    device: DeviceOption = DEFAULTS.device,
    threads: ThreadsOption = None,
    views: ViewsOption = DEFAULTS.views,
    flow: FlowOption = DEFAULTS.flow,
    logits: Annotated[
        Path | None, typer.Option(help="Write the logits (views, classes) to this .npy.")
    ] = None,
) -> None:
    """Top-5 classes of videos, or their logits."""
    from ..console.progress import Console
    from ..predict import print_predictions

    config = RunConfig(
        models=(model,),
        weights=key_values("weights", weights or []),
        device=device,
        threads=threads,
        views=views,  # type: ignore[arg-type]  # checked by RunConfig
        flow=flow,
    )
    print_predictions(config, inputs, logits, Console())


def parity(
    model: Annotated[str, typer.Argument(help="Network with several backends.")] = DEFAULTS.models[0],
    backends: Annotated[
        str | None, typer.Option(help="Comma-separated BACKEND:PRECISION:FORM; the first is the reference.")
    ] = None,
    weights: WeightsOption = None,
    shapes: Annotated[
        str | None, typer.Option(help="TxHxW[xN], comma-separated; by default five that mistakes show on.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Compare on clips of this data in place of drawn input.")
    ] = None,
    clips: Annotated[int, typer.Option(help="With --data: a seeded sample of so many clips.")] = 4,
    target: Annotated[str | None, typer.Option(help="Tell the drift of this class's probability.")] = None,
    flow: FlowOption = DEFAULTS.flow,
    device: DeviceOption = DEFAULTS.device,
    threads: ThreadsOption = None,
    published: Annotated[
        bool, typer.Option("--published", help="Reproduce the authors' published example with their weights.")
    ] = False,
) -> None:
    """Whether the backends of a network agree on the same weights, on this machine."""
    from ..agreement.parity import check_parity, check_published, parse_shapes
    from ..console.progress import Console

    config = RunConfig(
        models=(model,),
        data=data or "demo",
        weights=key_values("weights", weights or []),
        device=device,
        threads=threads,
        max_clips=clips,
        flow=flow,
    ).resolved()
    names = None if backends is None else tuple(backends.split(","))
    if published:
        check_published(config, names, Console())
    else:
        check_parity(config, names, parse_shapes(shapes), Console(), data is not None, target)
