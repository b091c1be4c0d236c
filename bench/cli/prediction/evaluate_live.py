"""`bench evaluate-live`: how soon a live session recognises what happens in annotated videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ....live.config import SETTINGS, LiveConfig
from ....settings import from_mapping
from ..settings import given_settings, with_settings

OF_NETWORK = ("weights", "device", "threads", "flow", "people", "zones")
OF_LABELS = ("stride", "threshold", "exit_share", "smoothing", "hold", "clip_timeout")


@with_settings(*OF_NETWORK, *OF_LABELS, of=SETTINGS)
def evaluate_live(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Network, named as in `bench live --model`.")],
    data: Annotated[
        str,
        typer.Option(
            help="Annotated videos: a composed set, a manifest (`bench data cut`), `segments:LIST`, or a "
            "folder of `class/video` files."
        ),
    ],
    target: Annotated[str, typer.Option(help="Class whose false alarms are reported per hour.")],
    out: Annotated[Path, typer.Option(help="Output folder; an interrupted evaluation in it is continued.")],
    videos: Annotated[
        Path | None, typer.Option(help="Folder with the videos that a list of segments names.")
    ] = None,
) -> None:
    """Time until a live session recognises an action, and its false alarms per hour, on annotated videos.

    Each video is watched as `bench live` does, as fast as possible, without dropping a frame.
    """
    from ....datasets.composed.footage import read_footage
    from ....reports.evaluation.live_document import write_live_evaluation
    from ...console.progress import Console
    from ...evaluation.live import evaluate_live as evaluated

    footage = read_footage(data, videos)
    given = given_settings(context, SETTINGS) | {"source": str(footage.videos[0].path), "model": model}
    config = from_mapping(LiveConfig, given, "command line")
    contents = evaluated(config, footage, target, out, Console())
    print(f"evaluation: {write_live_evaluation(contents, out)}")
