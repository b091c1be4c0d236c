"""Makes the outputs of a session from its settings: the one place where they are chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import UsageError
from ..config import SETTINGS, LiveConfig
from ..events import SessionHeader
from ..measurements import Measurements
from .json_lines import EventFile
from .output import Output


def make_outputs(
    config: LiveConfig,
    header: SessionHeader,
    labels: tuple[str, ...],  # noqa: ARG001  for the page
    measurements: Measurements,  # noqa: ARG001
    say: Callable[[str], None],  # noqa: ARG001  for receivers
    stop: Callable[[], None],  # noqa: ARG001  for the window
) -> tuple[Output, ...]:
    """The outputs that `config` asks for, opened, in the order in which they are given each frame.

    - `header`: what all events of the session have in common.
    - `labels`: names of the network's classes.
    - `measurements`: of the session.
    - `say`: is told what the user should know, in words. `stop`: ends the session.

    Events on standard output are not among them: the process that shows the session prints those. Raises
    UsageError or BackendUnavailable for one that cannot be opened; those before it are closed.
    """
    for name in ("video", "clips", "webhook", "mqtt", "web", "show"):
        if getattr(config, name):
            raise UsageError("is not there yet", where=SETTINGS[name].option)
    makers: list[Callable[[], Output]] = []
    if config.events is not None and config.events != "-":
        path = Path(config.events)
        makers.append(lambda: EventFile(path, header))
    outputs: list[Output] = []
    try:
        for make in makers:
            outputs.append(make())  # noqa: PERF401  those that are open are closed where a later one fails
    except BaseException:
        for output in outputs:
            output.close()
        raise
    return tuple(outputs)
