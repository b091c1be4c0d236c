"""`bench operating-point`: what it writes, what it shows, what it refuses; and `bench predict` beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from actionbench.bench.cli.prediction.predict import _print
from actionbench.bench.predict import Prediction
from actionbench.models.finetuning.finetuned import Finetuned, read_description, write_description
from actionbench.models.registry import find_model
from actionbench.operating_point import Costs, OperatingPoint
from actionbench.records.training import ExamplePrediction, write_predictions

from ...conftest import Bench

LABELS = ("falling", "walking")


def answer(side: str, number: int, label: str, falling: float) -> ExamplePrediction:
    scores = {"falling": math.log(falling), "walking": math.log(1 - falling)}
    name = f"{side}-{number}"
    return ExamplePrediction(side, name, name, "films", label, scores)  # type: ignore[arg-type]  # a side


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A result whose falls are found from a probability of 0.3 on, at the cost of a false alarm."""
    folder = tmp_path / "falls"
    base = find_model("resnet18").model
    network = Finetuned(
        "resnet18", "rgb", base.streams["rgb"].preprocessing, 16, 1, LABELS, "0" * 64, {}, {"films": "CC0"}
    )
    write_description(folder, network)
    rows = [("falling", 0.8), ("falling", 0.3), ("walking", 0.35), ("walking", 0.1), ("walking", 0.05)]
    predictions = [
        answer(side, number, label, falling)
        for side in ("validation", "test")
        for number, (label, falling) in enumerate(rows)
    ]
    write_predictions(folder, predictions, "")
    return folder


def test_it_is_chosen_shown_and_changed(bench: Bench, result: Path) -> None:
    said = bench("operating-point", result)
    assert (said.returncode, "no operating point" in said.stdout) == (0, True)
    said = bench("operating-point", result, "--target", "falling", "--favour", "recall")
    assert said.returncode == 0, said.stderr
    point = read_description(result).operating_point
    assert point is not None
    assert (point.label, point.favour, point.examples, point.positives) == ("falling", "recall", 5, 2)
    assert 0.1 < point.threshold < 0.3
    assert str(point) in said.stdout
    assert "looks better than it is" in said.stdout
    # Both sides, both rules: recall of 1 of 2, then of both.
    lines = [line.split() for line in said.stdout.splitlines() if line.startswith(("validation", "test"))]
    assert [line[0] for line in lines] == ["validation", "validation", "test", "test"]
    assert "50" in lines[2]
    assert "100" in lines[3]
    assert bench("operating-point", result).stdout == said.stdout
    assert (
        bench(
            *("operating-point", result, "--target", "falling", "--cost-miss", 1, "--cost-false-alarm", 9)
        ).returncode
        == 0
    )
    changed = read_description(result).operating_point
    assert changed is not None
    assert changed.favour == Costs(1, 9)
    assert 0.35 < changed.threshold < 0.8
    said = bench("operating-point", result, "--target", "walking", "--threshold", 0.25)
    assert read_description(result).operating_point == OperatingPoint("walking", 0.25)
    assert "given, not chosen" in said.stdout
    assert "looks better" not in said.stdout


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--target", "flying"], "--target: unknown class 'flying'"),
        (["--target", "falling", "--threshold", "1.2"], "--threshold: is no probability"),
        (["--target", "falling", "--threshold", "0.2", "--favour", "f1"], "--threshold: leaves nothing"),
        (["--favour", "f1"], "--target: no class is named"),
        (["--threshold", "0.2"], "--target: no class is named"),
        (["--target", "falling", "--favour", "speed"], "unknown value of --favour 'speed'"),
        (["--target", "falling", "--cost-miss", "5"], "one cost alone decides nothing"),
    ],
)
def test_what_is_wrong_is_one_clear_error_and_changes_nothing(
    bench: Bench, result: Path, options: list[str], named: str
) -> None:
    before = (result / "model.json").read_bytes()
    said = bench("operating-point", result, *options)
    assert said.returncode == 2
    assert named in said.stderr
    assert (result / "model.json").read_bytes() == before


def test_predictions_that_do_not_serve_are_named(bench: Bench, result: Path, tmp_path: Path) -> None:
    words = ("operating-point", result, "--target", "falling")
    whole = (result / "predictions.jsonl").read_text()
    only_tested = "".join(line for line in whole.splitlines(keepends=True) if '"test"' in line)
    for text, named in (
        (only_tested, "predictions.jsonl: no threshold for 'falling' can be chosen"),
        (whole.replace('"walking":', '"running":').replace('"walking"', '"running"'), "line 1 is not of the"),
        (whole + "{}\n", "predictions.jsonl"),
    ):
        (result / "predictions.jsonl").write_text(text)
        said = bench(*words)
        assert said.returncode == 2
        assert named in said.stderr
    (result / "predictions.jsonl").unlink()
    assert "there are no predictions" in bench(*words).stderr
    said = bench("operating-point", tmp_path, "--target", "falling")
    assert "holds no network that was trained here" in said.stderr
    assert json.loads((result / "model.json").read_text())["operating_point"] is None


@pytest.mark.parametrize(
    ("falling", "says"),
    [
        (0.31, "at the operating point: falling (falling 31.0000% ≥ 22.0000%, chosen for F2, which favours"),
        (0.12, "at the operating point: walking (falling 12.0000% < 22.0000%, chosen for F2, which favours"),
    ],
)
def test_a_prediction_shows_what_its_operating_point_decides(
    falling: float, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Prediction(
        path=Path("a.mp4"),
        model="falls",
        labels=LABELS,
        probabilities=np.array([falling, 1 - falling], np.float32),
        logits=np.zeros((1, 2), np.float32),
        frames=16,
        stages_s={},
        weights={"rgb": "user"},
        operating_point=OperatingPoint("falling", 0.22, "recall", 31, 9),
    )
    assert shown.label == "walking"
    assert shown.decision == ("falling" if falling > 0.22 else "walking")
    _print(shown)
    assert says in capsys.readouterr().out
