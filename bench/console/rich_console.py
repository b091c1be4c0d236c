"""rich's console, for texts from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ...plain_text import plain
from .output import unfiltered

LOG_WIDTH = 150
"""Columns where the output is no terminal: it has no width, and rich's 80 would break every cell."""


class PlainConsole(Console):
    """Writes to `stream`; a terminal gets rich's colours and cursor moves, and none of a text's own."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(file=unfiltered(stream), width=None if stream.isatty() else LOG_WIDTH)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What `renderable` consists of; all that rich writes, inner parts too, passes through here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain(segment.text))
