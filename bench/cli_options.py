"""Values of options that several commands have."""

from __future__ import annotations

import math

from ..errors import UsageError


def share(option: str, text: str) -> float:
    """ "5%" or "0.05" as 0.05. Raises UsageError for what is neither."""
    digits, percent, rest = text.strip().partition("%")
    try:
        value = math.nan if rest else float(digits)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError("is no share", where=option, expected="e.g. 5% or 0.05", found=text)
    return value / 100 if percent else value
