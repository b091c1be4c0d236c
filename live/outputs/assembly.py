"""Makes the outputs of a session from its settings: the one place where they are chosen."""

from __future__ import annotations

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
) -> tuple[Output, ...]:
    """The outputs that `config` asks for, opened, in the order in which they are given each frame.

    - `header`: what all events of the session have in common.
    - `labels`: names of the network's classes.
    - `measurements`: of the session.

    Events on standard output are not among them: the process that shows the session prints those. Raises
    UsageError or OSError for one that cannot be opened.
    """
    for name in ("video", "clips", "webhook", "web", "show"):
        if getattr(config, name):
            raise UsageError("is not there yet", where=SETTINGS[name].option)
    outputs: list[Output] = []
    if config.events not in (None, "-"):
        outputs.append(EventFile(Path(config.events), header.to_json()))
    return tuple(outputs)
