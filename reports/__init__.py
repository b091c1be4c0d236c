"""Everything derived from finished runs. `load` gives a run as pandas DataFrames; see docs/analysis.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .formats.dataframes import RunDataFrames


def load(runs: str | Path | Sequence[str | Path], target: str | None = None) -> RunDataFrames:
    """One or several run directories as pandas DataFrames.

    - `runs`: paths of run directories.
    - `target`: the target class; None takes that of the first run.

    Raises UsageError for a path that is no run directory, or one that is damaged.
    """
    from .formats.dataframes import read_dataframes

    return read_dataframes(runs, target)
