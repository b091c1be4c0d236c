"""rich's console for text that is not ActionBench's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ...plain_text import plain
from .output import unfiltered

LOG_WIDTH = 150
"""Columns if the output is not a terminal, where rich's default of 80 would wrap every cell."""


class PlainConsole(Console):
    """Writes to `stream`; a terminal gets rich's control characters, but none that the texts contain."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(file=unfiltered(stream), width=None if stream.isatty() else LOG_WIDTH)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of `renderable`, made plain; everything that rich writes passes through here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain(segment.text))
