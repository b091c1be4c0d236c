"""Everything derived from finished runs. `load` gives a run as pandas DataFrames; see docs/analysis.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .formats.dataframes import RunDataFrames


def load(runs: str | Path | Sequence[str | Path], target: str | None = None) -> RunDataFrames:
    """The DataFrames of one or several run directories. Raises UsageError for what is none."""
    from .formats.dataframes import read_dataframes

    return read_dataframes(runs, target)
