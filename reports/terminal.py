"""The comparison as the terminal shows it at the end of a run."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from .summary import Summary
from .table import Table
from .tables import comparison
from .verdict import verdict, weights_notes


def comparison_table(summary: Summary) -> RichTable:
    """The report's first table. Texts are shown as they are: none is read as rich's markup."""
    return _grid(comparison(summary))


def overview(summary: Summary) -> RenderableType:
    """Table, verdict and what must be said about the weights."""
    return Group(
        comparison_table(summary),
        Text(" ".join(verdict(summary))),
        *(Text(note, style="bold") for note in weights_notes(summary)),
    )


def _grid(table: Table) -> RichTable:
    grid = RichTable(show_lines=True)
    for column in table.columns:
        grid.add_column(Text(column.title), justify=column.align)
    for row in table.rows:
        grid.add_row(*map(Text, row))
    return grid
