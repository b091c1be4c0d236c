"""`bench loadgen`: a network's latency measured by MLPerf's load generator."""

from __future__ import annotations

from typing import Annotated

import typer

from ..plan.config import from_mapping
from .prediction.predict import ModelArgument
from .settings import given_settings, with_settings


@with_settings("data", "weights", "device", "threads", "views", "flow", "out", "clip_timeout")
def loadgen(
    context: typer.Context,
    model: ModelArgument,
    scenario: Annotated[
        str,
        typer.Option(
            help="LoadGen's scenarios, comma-separated: SingleStream, MultiStream, Server, Offline."
        ),
    ] = "SingleStream",
    seconds: Annotated[float, typer.Option(help="Minimum measuring time of a scenario, seconds.")] = 10.0,
    qps: Annotated[
        float | None,
        typer.Option(
            help="Videos per second: the load in Server (by default half of the measured throughput), the "
            "expected throughput in Offline."
        ),
    ] = None,
    clips: Annotated[int, typer.Option(help="Number of videos, a seeded random sample of the data.")] = 2,
) -> None:
    """Time a network, from video to prediction, by MLPerf's LoadGen and by our own clock."""
    from ..console.progress import Console
    from ..loadgen.measure import run_loadgen

    chosen = {"models": (model,), "latency_clips": clips, "report": False}
    config = from_mapping({**chosen, **given_settings(context)}, "command line")
    names = tuple(name.strip() for name in scenario.split(",") if name.strip())
    path = run_loadgen(config, names, seconds, qps, Console())
    print(f"\nLoadGen's logs and ours: {path / 'loadgen'}")
