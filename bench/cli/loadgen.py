"""`bench loadgen`: the audit of a network's latency by MLPerf's load generator."""

from __future__ import annotations

from typing import Annotated

import typer

from ..plan.config import from_mapping
from .predict import ModelArgument
from .settings import given_settings, with_settings


@with_settings("data", "weights", "device", "threads", "views", "flow", "out")
def loadgen(
    context: typer.Context,
    model: ModelArgument,
    scenario: Annotated[
        str, typer.Option(help="Comma-separated: SingleStream, MultiStream, Server, Offline.")
    ] = "SingleStream",
    seconds: Annotated[float, typer.Option(help="Least time of a scenario.")] = 10.0,
    qps: Annotated[
        float | None,
        typer.Option(
            help="Videos a second: asked for in Server (default: half of what the network manages alone), "
            "expected in Offline."
        ),
    ] = None,
    clips: Annotated[int, typer.Option(help="Videos to ask for: a seeded sample of the data.")] = 2,
) -> None:
    """Have MLPerf's LoadGen time a network, videos in and predictions out, beside our own clock."""
    from ..console.progress import Console
    from ..loadgen.measure import run_loadgen

    chosen = {"models": (model,), "latency_clips": clips, "report": False}
    config = from_mapping({**chosen, **given_settings(context)}, "command line")
    names = tuple(name.strip() for name in scenario.split(",") if name.strip())
    path = run_loadgen(config, names, seconds, qps, Console())
    print(f"\nLoadGen's logs and ours: {path / 'loadgen'}")
