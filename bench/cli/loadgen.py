"""`bench loadgen`: the audit of a network's latency by MLPerf's load generator."""

from __future__ import annotations

from typing import Annotated

import typer

from ..plan.config import DEFAULTS, RunConfig, key_values
from .options import FlowOption
from .predict import DeviceOption, ModelArgument, ThreadsOption, ViewsOption, WeightsOption


def loadgen(
    model: ModelArgument,
    scenario: Annotated[
        str, typer.Option(help="Comma-separated: SingleStream, MultiStream, Server, Offline.")
    ] = "SingleStream",
    data: Annotated[
        str, typer.Option(help="`demo`, a folder of class/video, a manifest, a Kinetics CSV.")
    ] = DEFAULTS.data,
    weights: WeightsOption = None,
    seconds: Annotated[float, typer.Option(help="Least time of a scenario.")] = 10.0,
    qps: Annotated[
        float | None,
        typer.Option(
            help="Videos a second: asked for in Server (default: half of what the network manages alone), "
            "expected in Offline."
        ),
    ] = None,
    clips: Annotated[int, typer.Option(help="Videos to ask for: a seeded sample of the data.")] = 2,
    device: DeviceOption = DEFAULTS.device,
    threads: ThreadsOption = None,
    views: ViewsOption = DEFAULTS.views,
    flow: FlowOption = DEFAULTS.flow,
    out: Annotated[str | None, typer.Option(help="Run directory; runs/TIME-MODELS by default.")] = None,
) -> None:
    """Have MLPerf's LoadGen time a network, videos in and predictions out, beside our own clock."""
    from ..console.progress import Console
    from ..loadgen.measure import run_loadgen

    config = RunConfig(
        models=(model,),
        data=data,
        weights=key_values("weights", weights or []),
        device=device,
        threads=threads,
        latency_clips=clips,
        views=views,  # type: ignore[arg-type]  # checked by RunConfig
        flow=flow,
        out=out,
        report=False,
    )
    names = tuple(name.strip() for name in scenario.split(",") if name.strip())
    path = run_loadgen(config, names, seconds, qps, Console())
    print(f"\nLoadGen's logs and ours: {path / 'loadgen'}")
