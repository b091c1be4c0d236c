"""The table for a paper: nothing in the data can act as LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.formats.latex import escape, tabular
from actionbench.reports.tables.comparison import comparison
from actionbench.reports.tables.table import Column, table

SPECIAL = "\\{}$&%#_~^<>|\"`'[]-?!* \n\ta1é–×"
# What is left of an escaped text once everything that the escapes are made of is taken away.
KNOWN = re.compile(r"\\text[a-z]+\{\d?\}|\\dots\{\}|\\[{}$&%#_]|\$\\times\$|\{[\[\]\-?!*]\}")


@given(st.text(SPECIAL, max_size=40) | st.text(max_size=20))
@example("\\input{/etc/passwd}")
@example("\\\\[1cm]")
@example("?`!`--``")
def test_no_character_acts(text: str) -> None:
    rest = KNOWN.sub("", escape(text)).replace("--", "")
    assert not set(rest) & set("\\{}$&%#_~^<>|\"`'[]-?!*\n")


def test_cells_with_line_breaks_and_notes() -> None:
    made = table(
        "t",
        "T",
        [Column("Model\nname", "left"), Column("s")],
        [(("a_b\n100 %", "1 [0–2]"), {})],
        ["a note\\\nof two lines"],
    )
    text = tabular(made)
    assert r"\begin{tabular}[b]{@{}l@{}}Model \\ name\end{tabular} & s \\" in text
    assert r"\begin{tabular}[t]{@{}l@{}}a\_b \\ 100 \%\end{tabular} & 1 {[}0--2{]} \\" in text
    assert "% a note\\ of two lines\n" in text


def test_rows_have_as_many_cells_as_the_header(two_models: RunData) -> None:
    made = comparison(summarise(merge([two_models])))
    text = tabular(made)
    assert r"\begin{tabular}{l" + "r" * (len(made.columns) - 1) + "}" in text
    rows = text[text.index(r"\toprule") :].splitlines()
    rows = [row for row in rows if " & " in row]
    assert len(rows) == 3
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(made.columns) - 1}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
def test_latex_sets_it(two_models: RunData, tmp_path: Path) -> None:
    (tmp_path / "table.tex").write_text(tabular(comparison(summarise(merge([two_models])))), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs}\usepackage[T1]{fontenc}\usepackage{textcomp}"
        r"\begin{document}\input{table}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout[-2000:]
