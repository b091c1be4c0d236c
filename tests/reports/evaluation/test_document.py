"""An evaluation as people and programs read it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actionbench.errors import UsageError
from actionbench.reports.evaluation.document import EvaluationContents, HeldOut, write_evaluation
from actionbench.reports.evaluation.metrics import contrast, evaluate
from actionbench.reports.evaluation.operating_point import choose
from actionbench.reports.evaluation.recognition_time import PartialPredictions, recognition_times
from actionbench.reports.evaluation.tables import confusion_table, overall_table, recognition_table

from .conftest import MakePredictions


@pytest.fixture(scope="module")
def contents(make_predictions: MakePredictions) -> EvaluationContents:
    first, second = make_predictions(name="T1 <b>ce</b>"), make_predictions(skill=3, name="T1 b ce b ")
    times = recognition_times(
        [PartialPredictions("c", "g", "falling", (0.5, 1.0), ("walking", "falling"))], ["falling"]
    )
    return EvaluationContents(
        "Falls | a set",
        "falling",
        [evaluate(first), evaluate(second)],
        [contrast(evaluate(first), evaluate(second))],
        {first.name: choose(first, "falling", "recall")},
        [(first.name, times["falling"])],
        ["Two clips were skipped."],
    )


@pytest.fixture(scope="module")
def written(contents: EvaluationContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the evaluation, with the first model on a second set."""
    out = tmp_path_factory.mktemp("written")
    held_out = HeldOut("On another <set>.", contents.evaluations[:1])
    write_evaluation(replace(contents, held_out=held_out), out)
    return out


def test_every_figure_is_in_every_form(contents: EvaluationContents, written: Path) -> None:
    text = (written / "evaluation.md").read_text(encoding="utf-8")
    document = json.loads((written / "evaluation.json").read_text(encoding="utf-8"))
    frame = pd.read_csv(written / "tables" / "evaluation_classes.csv")
    figures = contents.evaluations[1].by_class["falling"]
    assert figures["f1"] is not None
    (row,) = (
        r
        for r in document["evaluation_classes"]
        if (r["class"], r["model"]) == ("falling", contents.evaluations[1].predictions.name)
    )
    assert row["f1"] == figures["f1"].value
    assert frame["f1"][1] == pytest.approx(figures["f1"].value)
    assert f"{100 * figures['f1'].value:.0f} % [" in text
    assert "Two clips were skipped." in text
    assert "F2, which favours recall" in text
    point = contents.points["T1 <b>ce</b>"]
    found = document["operating_points"]["T1 <b>ce</b>"]
    assert (found["threshold"], found["examples"]) == (point.threshold, point.examples)
    assert [row["threshold"] for row in document["at_operating_points"]] == [None, point.threshold]
    (matrix,) = document["operating_point_confusion"].values()
    predicted = sum(row["predicted_falling"] for row in matrix)
    assert predicted == document["at_operating_points"][1]["predicted"]
    assert "plots/operating-point-confusion-1-T1-b-ce-b-at-its-operating-point.svg" in text
    assert "bootstrap of the groups, 95 %" in text
    # Two names that give one name of a file are two pictures.
    assert len(list((written / "plots").glob("confusion-*.png"))) == 2
    for link in ("evaluation", "precision_recall"):
        assert f"plots/{link}.svg" in text
        assert (written / "plots" / f"{link}.svg").is_file()


def test_names_do_not_act(written: Path) -> None:
    text = (written / "evaluation.md").read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "# Falls &#124; a set" in text


def test_the_same_contents_give_the_same_bytes(
    contents: EvaluationContents, written: Path, tmp_path: Path
) -> None:
    write_evaluation(contents, tmp_path)
    names = [path.relative_to(tmp_path) for path in (tmp_path / "plots").iterdir()]
    for name in (*names, Path("tables/evaluation.csv"), Path("tables/recognition_time.csv")):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


@pytest.mark.usefixtures("no_pictures")
def test_a_place_that_cannot_be_written_is_named(contents: EvaluationContents, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_evaluation(contents, tmp_path / "file")


@pytest.mark.usefixtures("no_pictures")
def test_files_of_an_earlier_evaluation_are_removed(
    contents: EvaluationContents, written: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(written, tmp_path / "out"))
    (out / "tables" / "mine.csv").write_text("kept")
    earlier = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    first, *_ = contents.evaluations
    write_evaluation(replace(contents, evaluations=[first], contrasts=(), times=()), out)
    now = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert earlier - now == {
        "tables/confusion-2-T1-b-ce-b.csv",
        "tables/held-out-confusion-1-T1-b-ce-b.csv",
        "tables/held_out_classes.csv",
        "tables/contrasts.csv",
        "tables/recognition_time.csv",
        *(f"plots/confusion-2-T1-b-ce-b.{ending}" for ending in ("svg", "png")),
        *(f"plots/held-out-confusion-1-T1-b-ce-b.{ending}" for ending in ("svg", "png")),
    }


def test_a_second_set_has_a_section_of_its_own(contents: EvaluationContents, written: Path) -> None:
    text = (written / "evaluation.md").read_text(encoding="utf-8")
    section = text.partition("## Held-out set")[2]
    assert "On another &lt;set&gt;." in section
    assert "### Classes on the held-out set" in section
    assert "plots/held-out-confusion-1-T1-b-ce-b.svg" in section
    document = json.loads((written / "evaluation.json").read_text(encoding="utf-8"))
    assert len(document["held_out_classes"]) == 3
    assert list(document["held_out_confusion"]) == [contents.evaluations[0].predictions.name]


def test_a_label_may_have_any_name(make_predictions: MakePredictions) -> None:
    predictions = replace(make_predictions(), labels=("class", "model", "no_prediction"))
    without = predictions.log_probabilities.copy()
    without[0] = -np.inf
    found = evaluate(replace(predictions, log_probabilities=without))
    records = confusion_table(found).records
    assert [record["class"] for record in records] == ["class", "model", "no_prediction"]
    for row, record in enumerate(records):
        shown = [record[f"predicted_{label}"] for label in predictions.labels]
        assert [*shown, record["no_prediction"]] == found.confusion[row].tolist()


def test_classes_without_an_example_are_told(make_predictions: MakePredictions) -> None:
    predictions = make_predictions()
    lacking = replace(predictions, truth=np.minimum(predictions.truth, 1))
    assert not any("no example" in note for note in overall_table([evaluate(predictions)], "falling").notes)
    notes = overall_table([evaluate(lacking)], "falling").notes
    assert "There is no example of walking: the means over classes leave it out." in notes


def test_an_interval_beyond_the_end_is_shown_as_such() -> None:
    letters = [("falling",)] * 7 + [("walking",)] * 5
    examples = [PartialPredictions(str(i), str(i), "falling", (1.0,), each) for i, each in enumerate(letters)]
    found = recognition_table([("net", recognition_times(examples, ["falling"])["falling"])])
    assert found.rows[0][-1] == "100 % [100–∞]"
    assert any("Shares that were tried: 100 %" in note for note in found.notes)


def test_every_kind_of_interval_beside_the_figures_is_named(make_predictions: MakePredictions) -> None:
    """Falls are never missed, so that only their sensitivity has Wilson's interval."""
    predictions = make_predictions()
    logits = predictions.log_probabilities.copy()
    logits[predictions.truth == 0] = np.log([0.98, 0.01, 0.01])
    notes = overall_table([evaluate(replace(predictions, log_probabilities=logits))], "falling").notes
    assert "Wilson on the groups, 95 % (where all resamples agree); bootstrap of the groups, 95 %" in notes[0]
