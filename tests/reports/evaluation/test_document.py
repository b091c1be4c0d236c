"""An evaluation as people and programs read it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from actionbench.errors import UsageError
from actionbench.reports.evaluation.document import Findings, write_evaluation
from actionbench.reports.evaluation.metrics import contrast, evaluate
from actionbench.reports.evaluation.operating_point import choose
from actionbench.reports.evaluation.recognition_time import Progress, recognition_times

from .conftest import MakeAnswers


@pytest.fixture
def findings(make_answers: MakeAnswers) -> Findings:
    first, second = make_answers(name="T1 <b>ce</b>"), make_answers(skill=3, name="T1 b ce b ")
    times = recognition_times(
        [Progress("c", "g", "falling", (0.5, 1.0), ("walking", "falling"))], ["falling"]
    )
    return Findings(
        "Falls | a set",
        "falling",
        [evaluate(first), evaluate(second)],
        [contrast(first, second)],
        {first.name: choose(first, "falling", "recall")},
        [(first.name, times["falling"])],
        ["Two clips were skipped."],
    )


def test_every_figure_is_in_every_form(findings: Findings, tmp_path: Path) -> None:
    text = write_evaluation(findings, tmp_path).read_text(encoding="utf-8")
    document = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    frame = pd.read_csv(tmp_path / "tables" / "evaluation_classes.csv")
    figures = findings.evaluations[1].by_class["falling"]
    assert figures["f1"] is not None
    (row,) = (
        r
        for r in document["evaluation_classes"]
        if (r["class"], r["model"]) == ("falling", findings.evaluations[1].answers.name)
    )
    assert row["f1"] == figures["f1"].value
    assert frame["f1"][1] == pytest.approx(figures["f1"].value)
    assert f"{100 * figures['f1'].value:.0f} % [" in text
    assert "Two clips were skipped." in text
    assert "F2, which favours recall" in text
    assert "bootstrap of the groups, 95 %" in text
    # Two names that give one name of a file are two pictures.
    assert len(list((tmp_path / "plots").glob("confusion-*.png"))) == 2
    for link in ("evaluation", "precision_recall"):
        assert f"plots/{link}.svg" in text
        assert (tmp_path / "plots" / f"{link}.svg").is_file()


def test_names_do_not_act(findings: Findings, tmp_path: Path) -> None:
    text = write_evaluation(findings, tmp_path).read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "# Falls &#124; a set" in text


def test_the_same_findings_give_the_same_bytes(findings: Findings, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_evaluation(findings, tmp_path / name)
    for file in (path for path in (tmp_path / "a").rglob("*") if path.is_file()):
        assert file.read_bytes() == (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes()


def test_a_place_that_cannot_be_written_is_named(findings: Findings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_evaluation(findings, tmp_path / "file")
