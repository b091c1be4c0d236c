"""What a licence's name says about the use of weights."""

from __future__ import annotations

import re

_NON_COMMERCIAL = re.compile(r"\bnc\b|non-?\s?commercial", re.IGNORECASE)


def is_non_commercial(licence: str) -> bool:
    """Whether a licence forbids commercial use by its name: "cc-by-nc-4.0", "CC BY-NC", "… non-commercial …".

    - `licence`: as its publisher names it. A licence without these words may forbid it too.
    """
    return _NON_COMMERCIAL.search(licence) is not None


def marked(licence: str) -> str:
    """The licence, with "(non-commercial)" behind it where its name says so in letters alone."""
    if is_non_commercial(licence) and "commercial" not in licence.lower():
        return f"{licence} (non-commercial)"
    return licence
