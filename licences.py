"""Licences of weights: what a licence's text says of commercial use."""

from __future__ import annotations

import re

_NON_COMMERCIAL = re.compile(
    r"\bnc\b"  # cc-by-nc-4.0, CC BY-NC-SA 4.0
    r"|\bnon[\s-]*commercial"  # PolyForm-Noncommercial-1.0.0, "for non-commercial use"
    r"|\bresearch(\s+(use|purposes))?\s+only\b",
    re.IGNORECASE,
)


def is_non_commercial(licence: str) -> bool:
    """Whether a licence excludes commercial use, as far as its text says so.

    - `licence`: an SPDX identifier ("CC-BY-NC-4.0") or words ("CC BY-NC-SA 4.0", "non-commercial use"); of
      several licences in one text, one that excludes it is enough.

    False is no permission: what a text leaves open ("not stated", "other") has to be asked for.
    """
    return _NON_COMMERCIAL.search(licence) is not None


def marked(licence: str) -> str:
    """The licence's text, with "(non-commercial)" behind it where it says so, but not in these words."""
    plainly = "commercial" in licence.lower()
    return f"{licence} (non-commercial)" if is_non_commercial(licence) and not plainly else licence
