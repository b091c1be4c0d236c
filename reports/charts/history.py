"""The figure of a history: the trend of each series, with its change points."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...atomic import replacing
from ...errors import UsageError
from ...plain_text import plain, plain_line
from ..analysis.history import Entry
from ..statistics.change_points import FEWEST, change_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which colour-blind readers can distinguish (https://jfly.uni-koeln.de/color/).
_TIMES, _LEVEL, _CHANGE = "#0072B2", "#444444", "#D55E00"

_PANEL_INCHES = (9.0, 3.2)

_UNDATED: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".png": {}, ".pdf": {"CreationDate": None}}
"""Kind of file → metadata without the date of writing."""

_MOST_LABELS = 24
"""Most commits that are named on the axis; more would overlap."""


def plot_history(series: Sequence[Sequence[Entry]], path: Path) -> None:
    """Draw a figure with one panel for each series.

    - `series`: entries of each series by date, as `series_of` returns them.
    - `path`: the file to write, .svg, .png or .pdf.

    Raises UsageError if there is no series, or for another kind of file.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    if not series:
        raise UsageError("no series to draw", where=path)
    kind = path.suffix.lower()
    if kind not in _UNDATED:
        raise UsageError("unknown kind of figure", where=path, expected=", ".join(_UNDATED))
    width, height = _PANEL_INCHES
    # The same history gives the same bytes.
    with mpl.rc_context({"svg.hashsalt": "actionbench", "font.size": 9}):
        figure = Figure(figsize=(width, height * len(series)), layout="constrained")
        for axes, entries in zip(figure.subplots(len(series), squeeze=False)[:, 0], series, strict=True):
            _panel(axes, entries)
        with replacing(path, sync=False) as file:
            figure.savefig(file, format=kind.removeprefix("."), dpi=120, metadata=_UNDATED[kind])


def _panel(axes: Axes, entries: Sequence[Entry]) -> None:
    first = entries[0]
    scale, unit = (2**-20, "MiB") if first.unit == "bytes" else (1.0, first.unit)
    medians = [entry.median for entry in entries]
    middle = np.array([m.value for m in medians]) * scale
    low = np.array([m.interval.low if m.interval else m.value for m in medians]) * scale
    high = np.array([m.interval.high if m.interval else m.value for m in medians]) * scale
    at = np.arange(len(entries))
    spread = (middle - low, high - middle)
    axes.errorbar(at, middle, spread, fmt="o", color=_TIMES, ms=4, lw=1, capsize=2, zorder=3)
    axes.set_xlim(-0.6, len(entries) - 0.4)
    axes.margins(y=0.25)
    _levels(axes, middle, [entry.commit for entry in entries])
    shown = at[:: -(-len(entries) // _MOST_LABELS)]
    labels = [plain(entries[i].commit[:9]) for i in shown]
    axes.set_xticks(shown, labels, rotation=60, ha="right", family="monospace", size=7, parse_math=False)
    axes.set_ylabel(f"{plain(first.metric)} [{unit}]", parse_math=False)
    axes.grid(axis="y", color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(_wrapped(f"{first.model}: {first.setting}"), loc="left", size=8, parse_math=False)
    axes.set_xlabel(_wrapped(_caption(entries)), loc="left", size=7, color="#555555", parse_math=False)


def _levels(axes: Axes, values: npt.NDArray[np.float64], commits: Sequence[str]) -> None:
    """The median between changes as a line, and each change with its size and its first commit."""
    begins = change_points(values.tolist())
    before = None
    for begin, end in itertools.pairwise([0, *begins, len(values)]):
        level = float(np.median(values[begin:end]))
        axes.hlines(level, begin - 0.5, end - 0.5, color=_LEVEL, lw=1, zorder=2)
        if before is not None:
            axes.axvline(begin - 0.5, color=_CHANGE, lw=1, ls="--")
            size = f"{level / before - 1:+.1%}" if before else "from 0"
            axes.annotate(
                f"{size}\n{plain(commits[begin][:9])}",
                (begin - 0.5, 1),
                (3, -3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="top",
                color=_CHANGE,
                size=8,
                parse_math=False,
            )
        before = level


def _caption(entries: Sequence[Entry]) -> str:
    """Number of commits, kind of interval, machine."""
    methods = sorted({m.interval.method for m in (entry.median for entry in entries) if m.interval})
    bars = f"bars: {'; '.join(methods)}" if methods else "one process each, so no bars"
    commits = f"{len(entries)} commit{'' if len(entries) == 1 else 's'}"
    days = f"{entries[0].date[:10]} to {entries[-1].date[:10]}"
    found = "dashed: change point (PELT on ranks)"
    if len(entries) < FEWEST:
        found = f"change points need at least {FEWEST} commits"
    machine = f"{entries[0].cpu}, machine {entries[0].machine}"
    return f"{commits}, {days}. Median over processes; {bars}; {found}. {machine}"


def _wrapped(text: str) -> str:
    return textwrap.fill(plain_line(text), 130)
