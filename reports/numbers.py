"""Values as text: three significant digits, fractions in percent, a dash for unknown (None)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .statistics.intervals import Estimate

UNKNOWN = "–"


def one_line(text: str) -> str:
    """`text` on one line, its white space collapsed."""
    return " ".join(text.split())


def listed(texts: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"; at least one."""
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def few(names: Sequence[str], most: int = 3) -> str:
    """The first `most` names and the number of the others: "a, b, c and 7 more".

    If there is just one more, it is named instead.
    """
    lines = list(map(one_line, names))
    return listed(lines if len(lines) <= most + 1 else [*lines[:most], f"{len(lines) - most} more"])


def number(value: float | None, digits: int = 3) -> str:
    """`value` to `digits` significant digits, without an exponent."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    # 9.996 is rounded to 10.0, which has one decimal fewer than 9.99.
    rounded = round(value, _decimals(value, digits))
    return f"{rounded:.{max(0, _decimals(rounded, digits))}f}"


def _decimals(value: float, digits: int) -> int:
    return digits - 1 - math.floor(math.log10(abs(value)))


def counted(number: int, one: str, many: str | None = None) -> str:
    """ "1 view", "2 views"; `many`: the plural where it is not `one` with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def count(value: float | None) -> str:
    """A median of integers, without trailing zeros: "16" or "16.5"."""
    return UNKNOWN if value is None else f"{value:.15g}"


def percent(value: float | None, decimals: int = 0) -> str:
    """A fraction (1 = 100 %) in percent."""
    return UNKNOWN if value is None else f"{100 * value:.{decimals}f} %"


def bare_p_value(p: float) -> str:
    """For a table: "0.012", "<0.001"."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def p_value(p: float) -> str:
    """For a sentence: "p = 0.012", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def share(estimate: Estimate | None) -> str:
    """A fraction of videos (0–1) with its interval, in percent: "70 % [40–89]"."""
    if estimate is None:
        return UNKNOWN
    if estimate.interval is None:
        return percent(estimate.value)
    low, high = estimate.interval.low, estimate.interval.high
    return f"{percent(estimate.value)} [{100 * low:.0f}–{100 * high:.0f}]"


def spread(estimate: Estimate | None, scale: float = 1.0) -> str:
    """A measured value × `scale` with its interval or range: "1.23 [1.20–1.31]"."""
    if estimate is None:
        return UNKNOWN
    if estimate.interval is None:
        return number(estimate.value * scale)
    low, high = number(estimate.interval.low * scale), number(estimate.interval.high * scale)
    return f"{number(estimate.value * scale)} [{low}–{high}]"


def scaled(estimate: Estimate | None, scale: float = 1.0) -> float | None:
    """The value × `scale`, without its interval; None if unknown."""
    return None if estimate is None else estimate.value * scale


def giga(value: float | None) -> float | None:
    """In units of 10⁹; None if unknown."""
    return None if value is None else value / 1e9


def mebi(size_bytes: float | None) -> float | None:
    """Bytes in MiB; None if unknown."""
    return None if size_bytes is None else size_bytes / 2**20
