"""Makes untrusted text (names of files and classes, messages of networks and tools) safe to show.

Such text must not control the program that shows it: it must not move a terminal's cursor, change the writing
direction, or be evaluated as a formula in a spreadsheet.
"""

from __future__ import annotations

import unicodedata
from typing import Any

REPLACEMENT = "\ufffd"
"""Replaces each character that is removed: Unicode's REPLACEMENT CHARACTER."""

# Control, format (also: writing direction) and surrogate characters, line and paragraph separators:
# https://www.unicode.org/reports/tr44/#General_Category_Values
_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}

_FORMULA = tuple("=+-@＝＋－＠")


def plain(text: str) -> str:
    """`text` without characters that control a terminal or its writing direction; line feeds are kept."""
    if text.isprintable():  # no character of those categories, nor a line feed
        return text
    return "".join(c if c == "\n" or unicodedata.category(c) not in _ACTING else REPLACEMENT for c in text)


def plain_line(text: str) -> str:
    """`text` on one line, white space collapsed, without control characters."""
    return plain(" ".join(text.split()))


def indented(text: str) -> str:
    """`text` with all lines but the first indented, so that none of them looks like a separate message."""
    return text.replace("\n", "\n  ")


def spreadsheet_cell(value: Any) -> Any:
    """`value` for a cell of a CSV file: text without control characters, preceded by an apostrophe where a
    spreadsheet would evaluate it as a formula; other values unchanged.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    # Some readers take an unquoted carriage return for the end of a line.
    text = plain(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
