"""`bench evaluate` from a set to a report, on videos of one colour each."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.bench.cli.app import run_app
from actionbench.bench.evaluation.evaluate import _Model, _Part, _partial, _same_classes, _with_all_parts
from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.manifest import read_composed, write_composed
from actionbench.models.labels import labels
from actionbench.operating_point import OperatingPoint

from ....conftest import without_pictures
from ...conftest import NETWORKS, Bench

pytestmark = pytest.mark.usefixtures("no_pictures", "forked_workers")

TINY = f"{NETWORKS}:tiny"
NAMES = labels("kinetics-400")
# Of the first classes of Kinetics two fall, one runs; what the network takes for any other class walks.
CLASSES = {"falling": [10, 11], "running": [20]}


@pytest.fixture(scope="module")
def composed(coloured_videos: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen films of falling, running and walking; three of walking look like running."""
    examples = []
    for label, indices in {**CLASSES, "walking": [30, 20]}.items():
        for index in indices:
            folder = coloured_videos([index], 3)
            for number, video in enumerate(sorted(folder.rglob("*.mp4"))):
                clip = Clip(f"{label}/{index}/{number}", video, label)
                examples.append(Example(clip, "films", f"films/{label}{index}{number}", str(index), None))
    path = tmp_path_factory.mktemp("set") / "set.csv"
    write_composed(
        path, ComposedSet("set", ("falling", "running", "walking"), tuple(examples), {"films": "ours"})
    )
    return path


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mapping") / "mapping.yaml"
    lists = "\n".join(f"{label}: {json.dumps([NAMES[i] for i in found])}" for label, found in CLASSES.items())
    path.write_text(f'{lists}\nwalking: "*"\n')
    return path


def words_of(models: list[str], composed: Path, mapping: Path, weights: Path, out: Path) -> list[str]:
    words = ["evaluate", *models, "--data", composed, "--target", "falling", "--mapping", mapping]
    return [str(word) for word in (*words, "--out", out, "--weights", f"*={weights}")]


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that was interrupted and continued.

    `words`: its command. `interrupted`, `continued`: what it said. `written`, `text`: evaluation.json, .md.
    """

    words: list[str]
    out: Path
    interrupted: str
    continued: str
    written: dict[str, Any]
    text: str


@pytest.fixture(scope="module")
def evaluated(
    composed: Path, mapping: Path, weights_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Evaluated:
    out = tmp_path_factory.mktemp("evaluated")
    words = [*words_of([TINY], composed, mapping, weights_file, out), "--shares", "0.5"]

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def said(code: int) -> str:
        with contextlib.redirect_stderr(io.StringIO()) as stderr, contextlib.redirect_stdout(io.StringIO()):
            assert run_app(words) == code, stderr.getvalue()
        return stderr.getvalue()

    with without_pictures():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("actionbench.bench.runner.accuracy_passes", interrupt)
            interrupted = said(130)
        continued = said(0)
    written = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    text = (out / "evaluation.md").read_text(encoding="utf-8")
    return Evaluated(words, out, interrupted, continued, written, text)


def test_a_network_of_other_classes_is_evaluated(evaluated: Evaluated) -> None:
    rows = {row["class"]: row for row in evaluated.written["evaluation_classes"]}
    # Three clips of walking have the colour of running.
    assert (rows["falling"]["precision"], rows["falling"]["recall"]) == (1, 1)
    assert (rows["running"]["precision"], rows["running"]["recall"]) == (0.5, 1)
    assert (rows["walking"]["precision"], rows["walking"]["recall"]) == (1, 0.5)
    assert evaluated.written["evaluation"][0]["accuracy"] == pytest.approx(12 / 15)
    assert evaluated.written["evaluation"][0]["groups"] == 15
    # A video of one colour is known by its first half.
    times = {row["class"]: row["share_seen"] for row in evaluated.written["recognition_time"]}
    assert times["falling"] == 0.5
    assert "Licence of films: ours" in evaluated.text
    assert "Shares that were tried: 50 % and 100 %" in evaluated.text


def test_an_interrupted_evaluation_says_what_continues_it_and_its_runs_have_no_reports(
    evaluated: Evaluated,
) -> None:
    assert "continue with: the same `bench evaluate` command" in evaluated.interrupted
    for said in (evaluated.interrupted, evaluated.continued):
        assert "bench run" not in said
        assert "report" not in said
    (run,) = (evaluated.out / "runs").iterdir()
    assert run.name.startswith("tiny.py-tiny-")
    assert not (run / "thumbnails").exists()


def test_predictions_with_other_settings_are_not_taken_for_these(
    bench: Bench, composed: Path, mapping: Path, evaluated: Evaluated, tmp_path: Path
) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"other colours")
    before = {path: path.read_bytes() for path in evaluated.out.rglob("*") if path.is_file()}
    for changed, named in (
        (words_of([TINY], composed, mapping, other, evaluated.out), "other settings: --weights"),
        ([*evaluated.words, "--views", "single"], "other settings: --views"),
        ([*evaluated.words, "--shares", "0.25"], "--shares"),
    ):
        result = bench(*changed)
        assert result.returncode == 2
        assert named in result.stderr
        assert "Name another --out" in result.stderr
    assert {path: path.read_bytes() for path in evaluated.out.rglob("*") if path.is_file()} == before


def test_the_order_of_the_models_does_not_matter(
    bench: Bench, composed: Path, mapping: Path, weights_file: Path, tmp_path: Path
) -> None:
    models = [TINY, f"{NETWORKS}:always"]

    def recalls(order: list[str]) -> dict[str, float]:
        result = bench(*words_of(order, composed, mapping, weights_file, tmp_path))
        assert result.returncode == 0, result.stderr
        written = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
        rows = [row for row in written["evaluation_classes"] if row["class"] == "running"]
        return {row["model"].rpartition(":")[2]: row["recall"] for row in rows}

    assert recalls(models) == {"tiny": 1, "always": 0}
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/clips.jsonl")}
    assert recalls(models[::-1]) == {"tiny": 1, "always": 0}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/clips.jsonl")} == times


def test_what_another_mapping_keeps_from_being_predicted_is_told_and_nothing_is_predicted_again(
    bench: Bench, evaluated: Evaluated, tmp_path: Path
) -> None:
    """Class 399 is so far from the colours of the videos that its probability is 0."""
    mapping, out = tmp_path / "mapping.yaml", evaluated.out
    mapping.write_text(f"falling: [{json.dumps(NAMES[399])}]\n")
    (run,) = (out / "runs").iterdir()
    predicted = (run / "clips.jsonl").read_bytes()
    result = bench(*evaluated.words, "--mapping", mapping)
    assert result.returncode == 0, result.stderr
    assert (run / "clips.jsonl").read_bytes() == predicted
    written = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert written["evaluation"][0]["accuracy"] == 0
    assert [row["predicted"] for row in written["evaluation_classes"]] == [0, 0, 0]
    ((_, matrix),) = written["confusion"].items()
    assert [row["no_prediction"] for row in matrix] == [6, 3, 6]
    assert {row["recognised"] for row in written["recognition_time"]} == {0}
    notes = "\n".join(written["notes"])
    assert "no class stands for running" in notes
    assert "no class stands for walking" in notes
    assert "15 of 15 examples have no probability on any class that stands for a label" in notes


@pytest.mark.usefixtures("no_pictures")
def test_an_operating_point_is_not_applied_to_probabilities_that_a_mapping_changes(
    bench: Bench, evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = property(lambda _: OperatingPoint(NAMES[10], 0.5))
    monkeypatch.setattr("actionbench.bench.plan.planned_model.PlannedModel.operating_point", point)
    result = bench(*evaluated.words)
    assert result.returncode == 0, result.stderr
    written = json.loads((evaluated.out / "evaluation.json").read_text(encoding="utf-8"))
    assert any("its operating point is left out" in note for note in written["notes"])
    assert written["operating_points"] == {}


@pytest.mark.parametrize(
    ("classes", "matrix", "same"),
    [
        (("walking", "falling"), [[0, 1], [1, 0]], True),
        (("falling", "walking"), [[0, 1], [1, 0]], False),
        (("falling", "walking"), [[1, 0], [0, 0]], False),
        (("falling", "walking", "sitting"), [[1, 0], [0, 1], [0, 1]], False),
    ],
)
def test_classes_are_the_labels_where_each_stands_for_its_name(
    classes: tuple[str, ...], matrix: list[list[int]], same: bool
) -> None:
    model = _Model("net", classes, np.array(matrix, float), {})
    assert _same_classes(model, ("falling", "walking")) == same


def test_time_to_recognition_is_of_the_same_examples_for_all_models() -> None:
    labels = ("falling", "walking")
    clips = [Clip(name, Path(name), "falling") for name in ("a", "b", "c")]
    examples = [Example(clip, "films", clip.id, "", None) for clip in clips]
    parts = [_Part(replace(clip, id=f"{clip.id}@0.5"), clip.id, 0.5) for clip in clips[:2]]
    sure = np.log([0.9, 0.1])
    found = dict.fromkeys(("a", "b", "c", "a@0.5", "b@0.5"), sure)
    first = _Model("first", labels, np.eye(2), found)
    second = _Model("second", labels, np.eye(2), {name: sure for name in found if name != "b@0.5"})
    for models, expected in (([first], ["a", "b"]), ([first, second], ["a"])):
        whole = _with_all_parts(models, examples, parts, (0.5,))
        assert [each.clip.id for each in whole] == expected
    (seen,) = _partial(first, whole, parts, labels)
    assert (seen.shares, seen.predicted) == ((0.5, 1.0), ("falling", "falling"))


def test_examples_that_cannot_be_predicted_and_clips_without_a_person_are_counted(
    bench: Bench, composed: Path, mapping: Path, weights_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    whole = read_composed(composed)
    first, *others = whole.examples
    first = replace(first, clip=replace(first.clip, path=broken, sha256=None))
    write_composed(tmp_path / "set.csv", replace(whole, examples=(first, *others)))
    words = words_of([TINY], tmp_path / "set.csv", mapping, weights_file, tmp_path / "out")
    result = bench(*words, "--people", "hog")
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "1 of 15 examples are left out" in text
    assert "the main person is found by hog; whole frames in 14 of 14 clips." in text


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--target", "flying"], "no label 'flying'"),
        (["--mapping", "nowhere.yaml"], "cannot be read"),
        (["--shares", "half"], "--shares"),
        (["--shares", "1.5"], "--shares"),
    ],
)
def test_mistakes_are_named_before_anything_is_predicted(
    bench: Bench,
    composed: Path,
    mapping: Path,
    weights_file: Path,
    tmp_path: Path,
    options: list[str],
    named: str,
) -> None:
    given = {"--target": "falling", "--mapping": str(mapping), "--weights": f"*={weights_file}"}
    given |= {options[0]: options[1]}
    out = tmp_path / "out"
    words = [word for pair in given.items() for word in pair]
    result = bench("evaluate", TINY, "--data", str(composed), "--out", str(out), *words)
    assert result.returncode == 2
    assert named in result.stderr
    assert not out.exists()


def test_a_network_without_the_labels_needs_a_mapping(
    bench: Bench, composed: Path, weights_file: Path, tmp_path: Path
) -> None:
    words = ["evaluate", TINY, "--data", str(composed), "--target", "falling", "--out", str(tmp_path / "out")]
    result = bench(*words, "--weights", f"*={weights_file}")
    assert result.returncode == 2
    assert "has no class 'falling'" in result.stderr
    assert "--mapping" in result.stderr
