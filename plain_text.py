"""Text from outside (names of files and classes, messages of networks and tools) made safe to show.

Whatever such a text holds, it must not act on the program that shows it: neither move a terminal's cursor,
nor turn the writing direction, nor calculate in a spreadsheet.
"""

from __future__ import annotations

import unicodedata
from typing import Any

REPLACEMENT = "\ufffd"
"""Stands for each character that is left out: Unicode's REPLACEMENT CHARACTER."""

# Control, format (also: writing direction) and surrogate characters, line and paragraph separators:
# https://www.unicode.org/reports/tr44/#General_Category_Values
_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}

_FORMULA = tuple("=+-@＝＋－＠")


def plain(text: str) -> str:
    """`text` without characters that act on a terminal or turn its direction; line feeds are kept."""
    if text.isprintable():  # no character of those categories, nor a line feed
        return text
    return "".join(c if c == "\n" or unicodedata.category(c) not in _ACTING else REPLACEMENT for c in text)


def plain_line(text: str) -> str:
    """`text` on one line, its white space collapsed, without characters that act."""
    return plain(" ".join(text.split()))


def indented(text: str) -> str:
    """`text` with all lines but the first indented, so that none of them passes for a message of its own."""
    return text.replace("\n", "\n  ")


def spreadsheet_cell(value: Any) -> Any:
    """`value` for a cell of a CSV file: a text without characters that act, and preceded by an apostrophe
    where a spreadsheet would take it for a formula; other values as they are.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str):
        return value
    # Some readers take an unquoted carriage return for the end of a line.
    text = plain(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
