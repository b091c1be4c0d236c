"""`bench live`: recognise actions on a camera, a file or a stream, while they happen."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ....live.config import SETTINGS, LiveConfig
from ....settings import from_mapping, read_config
from ..options import check_writable
from ..settings import given_settings, with_settings


@with_settings(*(name for name in SETTINGS if name != "source"), of=SETTINGS)
def live(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            help="Number of a camera, a video file, or the address of a stream.", show_default=False
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML file with any of these as `name: value`, also `source`; options override it."
        ),
    ] = None,
) -> None:
    """Recognise actions on a camera, a file or a stream while they happen, until Ctrl-C."""
    from ....live.capture.capture import check_file
    from ....live.outputs.assembly import check_outputs
    from ....live.people.zones import read_zones
    from ...console.status_line import StatusLine
    from ...live import plan_live, run_live, summary_text

    values = {} if config is None else read_config(config)
    given = given_settings(context, SETTINGS) | ({} if source is None else {"source": source})
    settings = from_mapping(LiveConfig, values | given, str(config or "command line"))
    to_stdout = settings.events == "-"
    if settings.events is not None and not to_stdout:
        check_writable("--events", Path(settings.events))
    if settings.video is not None:
        check_writable("--video", Path(settings.video))
    check_outputs(settings)
    zones = None if settings.zones is None else read_zones(Path(settings.zones))
    check_file(settings.parsed_source)
    line = StatusLine()
    model = plan_live(settings, line.say)

    def print_event(text: str) -> None:
        if to_stdout:
            print(text, flush=True)

    summary = summary_text(run_live(model, settings, zones, line, print_event))
    print(summary, file=sys.stderr if to_stdout else sys.stdout)
