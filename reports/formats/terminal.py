"""The comparison on the terminal, at the end of `bench report`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from ..analysis.summary import Summary
from ..caveats import weights_notes
from ..sentences import verdict
from ..tables.comparison import comparison, order_notes
from ..tables.table import Table

_HEAD = 16
"""Terminal columns for a model's name and setting; longer ones are wrapped."""

_TEXT = 20
"""Terminal columns that a word needs at most, before it is broken."""

_BORDER = 3
"""Terminal columns of a border with the space around it."""


def comparison_table(summary: Summary) -> RenderableType:
    """The report's first table, as `fitted` shows it."""
    return fitted(comparison(summary))


def fitted(table: Table) -> RenderableType:
    """A table as wide as the terminal. Texts are shown literally, never interpreted as rich's markup."""
    return _Fitting(table)


def overview(summary: Summary) -> RenderableType:
    """Comparison with the order of its rows, verdict, and warnings about the weights."""
    return Group(
        comparison_table(summary),
        *(Text(note, style="dim") for note in order_notes(summary)),
        *map(Text, verdict(summary)),
        *(Text(note, style="bold") for note in weights_notes(summary)),
    )


@dataclass(frozen=True, slots=True)
class _Fitting:
    """A table with a row per model, or a column per model if the terminal is too narrow for that.

    Columns that do not fit side by side either follow in further tables.
    """

    table: Table

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        if _least_width(self.table) <= options.max_width:
            yield _grid(self.table)
            return
        rows = list(self.table.rows)
        while rows:
            together = _side_by_side(self.table, rows, options.max_width)
            yield _turned(self.table, rows[:together])
            rows = rows[together:]


def _grid(table: Table) -> RichTable:
    """A row per line of the table. Names and other texts may be wrapped, figures may not."""
    grid = RichTable(show_lines=True)
    for number, column in enumerate(table.columns):
        width = _width(_texts(table, number)) if column.align == "right" else None
        title = Text(column.title, overflow="fold")
        grid.add_column(title, justify=column.align, width=width, no_wrap=width is not None, overflow="fold")
    for row in table.rows:
        grid.add_row(*map(Text, row))
    return grid


def _least_width(table: Table) -> int:
    """Terminal columns of the table with a row per line, its texts wrapped."""
    width = 1
    for number, column in enumerate(table.columns):
        texts = _texts(table, number)
        if column.align == "left":
            texts = [word[:_TEXT] for text in texts for word in text.split()]
        width += _width(texts) + _BORDER
    return width


def _texts(table: Table, number: int) -> list[str]:
    """What a column contains, its title first."""
    return [table.columns[number].title, *(row[number] for row in table.rows)]


def _turned(table: Table, rows: Sequence[Sequence[str]]) -> RichTable:
    """Some rows of the table, transposed: a column per model."""
    grid = RichTable(show_lines=True)
    grid.add_column(Text(table.columns[0].title))
    for row in rows:
        width = _column_width(table, row)
        grid.add_column(Text(row[0], overflow="fold"), justify="right", width=width)
    for number, column in enumerate(table.columns[1:], 1):
        title = Text(column.title.replace("\n", " "))
        grid.add_row(title, *(Text(row[number], overflow="fold") for row in rows))
    return grid


def _side_by_side(table: Table, rows: Sequence[Sequence[str]], width: int) -> int:
    """How many of the first rows fit side by side as columns, at least one."""
    words = (word for column in table.columns for word in column.title.split())
    left = width - 1 - _width(words) - _BORDER
    for together, row in enumerate(rows):
        left -= _column_width(table, row) + _BORDER
        if left < 0:
            return max(1, together)
    return len(rows)


def _column_width(table: Table, row: Sequence[str]) -> int:
    """Terminal columns of a row that is shown as a column: its figures are not wrapped."""
    figures = [text for text, column in zip(row, table.columns, strict=True) if column.align == "right"]
    return max(_width(figures), _HEAD)


def _width(texts: Iterable[str]) -> int:
    """Terminal columns of the widest line."""
    return max((cell_len(line) for text in texts for line in text.split("\n")), default=0)
