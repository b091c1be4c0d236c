"""A table of the report: texts for reading beside the raw values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from ...plain_text import plain
from ..statistics.intervals import Estimate

Value = str | float | int | None
Record = dict[str, Value]
Line = tuple[Sequence[str], Record]


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is read: `title` names the unit; a line break in it is meant."""

    title: str
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` are for reading; `records`, one a row, hold the raw values, with the unit in the key.

    `name` is the table's file name without an ending. Texts are what the data say: whoever writes them
    into a format escapes them.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    records: tuple[Record, ...]
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """The records as a data frame; unknown values are missing, and whole numbers stay so beside them."""
        return pd.DataFrame.from_records(list(self.records)).convert_dtypes()


def table(
    name: str, title: str, columns: Sequence[Column], lines: Iterable[Line], notes: Iterable[str] = ()
) -> Table:
    """A table from its lines, (texts, raw values) each; control characters in texts are made harmless."""
    lines = list(lines)
    return Table(
        name,
        plain(title),
        tuple(Column(plain(column.title), column.align) for column in columns),
        tuple(tuple(plain(text) for text in texts) for texts, _ in lines),
        tuple(record for _, record in lines),
        tuple(plain(note) for note in notes),
    )


def values(key: str, estimate: Estimate | None, scale: float = 1.0) -> Record:
    """The raw columns of an estimate × `scale`: value, low, high, and which interval that is."""
    interval = None if estimate is None else estimate.interval
    return {
        key: None if estimate is None else estimate.value * scale,
        f"{key}_low": None if interval is None else interval.low * scale,
        f"{key}_high": None if interval is None else interval.high * scale,
        f"{key}_interval": None if interval is None else interval.method,
    }
