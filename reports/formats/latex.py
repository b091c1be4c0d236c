"""A table for a paper: LaTeX with booktabs."""

from __future__ import annotations

from ...plain_text import plain_line
from ..tables.table import Column, Table

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "×": r"$\times$",
    "²": r"\textsuperscript{2}",
    "…": r"\dots{}",
    # Between words of a text these would be ligatures, or an optional argument after a line break.
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "[": "{[}",
    "]": "{]}",
    "-": "{-}",
    "?": "{?}",
    "!": "{!}",
    "*": "{*}",
}


def escape(text: str) -> str:
    """`text` on one line, escaped for LaTeX; letters beyond ASCII need a font that has them."""
    return "".join(_ESCAPES.get(c, c) for c in plain_line(text))


def tabular(table: Table) -> str:
    r"""The table as a `tabular`, for `\input` within a `table`; its notes precede it as comments."""
    lines = [
        r"% \usepackage{booktabs} \usepackage[T1]{fontenc} \usepackage{textcomp}",
        *(f"% {plain_line(note)}" for note in table.notes),
        rf"\begin{{tabular}}{{{''.join(column.align[0] for column in table.columns)}}}",
        r"\toprule",
        _row([column.title for column in table.columns], table.columns, "b"),
        r"\midrule",
        *(_row(row, table.columns, "t") for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _row(texts: tuple[str, ...] | list[str], columns: tuple[Column, ...], place: str) -> str:
    cells = (_cell(text, column.align[0], place) for text, column in zip(texts, columns, strict=True))
    return " & ".join(cells) + r" \\"


def _cell(text: str, align: str, place: str) -> str:
    """A cell; one with line breaks is a nested table, aligned at `place` ("t", "b")."""
    lines = [escape(line) for line in text.split("\n")]
    if len(lines) == 1:
        return lines[0]
    broken = r" \\ ".join(lines)
    return rf"\begin{{tabular}}[{place}]{{@{{}}{align}@{{}}}}{broken}\end{{tabular}}"
