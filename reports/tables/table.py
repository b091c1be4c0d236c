"""A table of the report: texts for reading, and the raw values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...plain_text import plain
from ..statistics.intervals import Estimate

if TYPE_CHECKING:  # most commands write no DataFrame
    import pandas as pd

Value = str | float | int | None
Record = dict[str, Value]
Line = tuple[Sequence[str], Record]


@dataclass(frozen=True, slots=True)
class Column:
    """A column for reading: `title` names the unit and may hold line breaks."""

    title: str
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, independent of the format that it is written in.

    - `name`: the table's file name without its suffix.
    - `rows`: texts for reading, one for each of `columns`. They are not escaped: every format does that
      itself.
    - `records`: the raw values, one record for each row; the key names the unit.
    - `notes`: sentences below the table.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    records: tuple[Record, ...]
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """The records as a DataFrame; unknown values are missing (pandas.NA), integers stay integers."""
        import pandas as pd

        return pd.DataFrame.from_records(list(self.records)).convert_dtypes()


def table(
    name: str, title: str, columns: Sequence[Column], lines: Iterable[Line], notes: Iterable[str] = ()
) -> Table:
    """A table from its lines; control characters in texts are replaced.

    - `name`, `title`, `columns`, `notes`: see `Table`.
    - `lines`: (texts, raw values) of each row.
    """
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
    """The columns `key`, `key`_low, `key`_high (all × `scale`) and `key`_interval of an estimate."""
    interval = None if estimate is None else estimate.interval
    return {
        key: None if estimate is None else estimate.value * scale,
        f"{key}_low": None if interval is None else interval.low * scale,
        f"{key}_high": None if interval is None else interval.high * scale,
        f"{key}_interval": None if interval is None else interval.method,
    }
