"""The comparison on the terminal, at the end of `bench report`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from ..analysis.summary import Summary
from ..caveats import weights_notes
from ..sentences import verdict
from ..tables.all_tables import comparison
from ..tables.table import Table

_UNBOUNDED = 10_000
"""A terminal width that every table fits into."""

_HEAD = 16
"""Terminal columns for a model's name and setting; longer ones are wrapped."""


def comparison_table(summary: Summary) -> RenderableType:
    """The report's first table. Texts are shown literally, never interpreted as rich's markup."""
    return _Fitting(comparison(summary))


def overview(summary: Summary) -> RenderableType:
    """Comparison, verdict, and warnings about the weights."""
    return Group(
        comparison_table(summary),
        *map(Text, verdict(summary)),
        *(Text(note, style="bold") for note in weights_notes(summary)),
    )


@dataclass(frozen=True, slots=True)
class _Fitting:
    """A table with a row per model, or a column per model if the terminal is too narrow for that."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        upright = _grid(self.table)
        needed = Measurement.get(console, options.update(max_width=_UNBOUNDED), upright).minimum
        yield upright if needed <= options.max_width else _turned(self.table)


def _grid(table: Table) -> RichTable:
    """A row per line of the table. Names may be wrapped, figures may not."""
    grid = RichTable(show_lines=True)
    for number, column in enumerate(table.columns):
        texts = [column.title, *(row[number] for row in table.rows)]
        width = _width(texts) if number else None
        grid.add_column(Text(column.title), justify=column.align, min_width=width)
    for row in table.rows:
        grid.add_row(*map(Text, row))
    return grid


def _turned(table: Table) -> RichTable:
    """The transposed table: a column per model."""
    grid = RichTable(show_lines=True)
    grid.add_column(Text(table.columns[0].title))
    for head, *figures in table.rows:
        grid.add_column(Text(head, overflow="fold"), justify="right", width=max(_width(figures), _HEAD))
    for number, column in enumerate(table.columns[1:], 1):
        title = Text(column.title.replace("\n", " "))
        grid.add_row(title, *(Text(row[number]) for row in table.rows))
    return grid


def _width(texts: Iterable[str]) -> int:
    """Terminal columns of the widest line."""
    return max(cell_len(line) for text in texts for line in text.split("\n"))
