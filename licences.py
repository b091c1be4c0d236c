"""Licences of weights: what a licence's text says of commercial use."""

from __future__ import annotations

import re

_NON_COMMERCIAL = re.compile(
    r"""
    \bcc [\s_-]* by [\s_-]* nc \b            # cc-by-nc-4.0, CC BY-NC-SA 4.0
    | \bnon [\s_-]* commercial               # PolyForm-Noncommercial-1.0.0, "for non-commercial use"
    | \b research (?: [\s_-]+ use | [\s_-]+ purposes )? [\s_-]+ only \b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def non_commercial(licence: str) -> bool:
    """Whether a licence excludes commercial use, as far as its text says so.

    - `licence`: an SPDX identifier ("CC-BY-NC-4.0") or words ("CC BY-NC-SA 4.0", "non-commercial use"); of
      several licences in one text, one that excludes it is enough.

    False is no permission: what a text leaves open ("not stated", "other") has to be asked for.
    """
    return _NON_COMMERCIAL.search(licence) is not None
