"""The Python API: what it returns and raises, and that docs/python-api.md works as it stands there."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import actionbench
from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.manifest import write_composed
from actionbench.errors import ClipError, MeasurementError, UsageError, WeightsError
from actionbench.models.labels import labels

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).parent / "networks" / "tiny.py"
LEARNER = TINY.with_name("learner.py")
NAMES = labels("kinetics-400")
JOGGING, YOGA = NAMES.index("jogging"), NAMES.index("yoga")

Videos = Callable[..., Path]


@pytest.fixture
def video(coloured_videos: Videos) -> Path:
    (path,) = coloured_videos([JOGGING], 1).rglob("*.mp4")
    return path


def test_a_prediction_has_the_scores_of_all_classes(
    video: Path, weights_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = actionbench.predict(f"{TINY}:tiny", video, weights=weights_file, threads=1)
    assert isinstance(answer, actionbench.Prediction)
    assert (answer.path, answer.model, answer.label) == (video, "tiny", "jogging")
    assert (answer.labels, answer.frames, answer.views) == (NAMES, 5, 2)
    assert answer.probabilities.shape == (400,)
    assert answer.probabilities.dtype == np.float32
    assert answer.probabilities.sum() == pytest.approx(1)
    assert answer.logits.shape == (2, 400)
    assert answer.top(3)[0] == ("jogging", float(answer.probabilities[JOGGING]))
    assert [p for _, p in answer.top(400)] == sorted(answer.probabilities.tolist(), reverse=True)
    assert set(answer.stages_s) >= {"decode", "resize", "forward"}
    assert answer.weights == {"rgb": "user"}
    assert answer.caveat is None
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"model": "no-network"}, UsageError, "unknown model 'no-network'"),
        ({"video": "none.mp4"}, ClipError, "none.mp4"),
        ({"weights": "none.pth"}, WeightsError, "none.pth"),
        ({"weights": {"other": "random"}}, UsageError, "'other'"),
        ({"device": "abacus"}, UsageError, "abacus"),
        ({"views": "some"}, UsageError, "'some'"),
        ({"views": 0}, UsageError, "--views 0: is no number of clips"),
        ({"threads": 0}, UsageError, "--threads"),
        ({"threads": "all"}, UsageError, "actionbench.predict: `threads` has the wrong type"),
    ],
)
def test_what_is_wrong_is_one_error(
    changed: dict[str, object], error: type[Exception], says: str, video: Path
) -> None:
    given: dict[str, Any] = {"model": f"{TINY}:tiny", "video": video, "weights": "random"} | changed
    with pytest.raises(error, match=re.escape(says)):
        actionbench.predict(**given)


def test_a_number_of_clips(video: Path) -> None:
    answer = actionbench.predict(f"{TINY}:tiny", video, weights="random", threads=1, views=3)
    assert (answer.views, answer.logits.shape) == (3, (3, 400))


def test_a_folder_is_not_one_video(coloured_videos: Videos) -> None:
    folder = coloured_videos([JOGGING, YOGA], 1)
    with pytest.raises(UsageError, match="not one video; found 2 videos"):
        actionbench.predict(f"{TINY}:tiny", folder, weights="random")


def test_a_network_that_gives_no_answer_is_an_error_that_names_the_video(video: Path) -> None:
    with pytest.raises(MeasurementError, match="ZeroDivisionError") as caught:
        actionbench.predict(f"{TINY}:raises", video, weights="random", threads=1)
    assert caught.value.where == str(video)


def test_a_setting_of_the_wrong_type_is_named() -> None:
    folder: Any = Path("videos")
    config = actionbench.RunConfig(models=(f"{TINY}:tiny",), data=folder)
    with pytest.raises(UsageError, match="`data` has the wrong type"):
        actionbench.run(config)


def test_what_is_wrong_with_a_training_an_evaluation_or_an_export_is_one_error(tmp_path: Path) -> None:
    folder: Any = tmp_path / "set.csv"
    with pytest.raises(UsageError, match=r"actionbench\.finetune: `data` has the wrong type"):
        actionbench.finetune(actionbench.FinetuneConfig(data=folder))
    with pytest.raises(actionbench.ActionBenchError, match=r"none\.csv"):
        actionbench.evaluate([f"{TINY}:tiny"], "none.csv", "jogging", tmp_path / "out", weights="random")
    with pytest.raises(UsageError, match="has 2 streams, each in a file of its own"):
        actionbench.export("i3d", tmp_path / "i3d.onnx")
    with pytest.raises(UsageError, match=r"actionbench\.export: `threads` has the wrong type"):
        actionbench.export("i3d", tmp_path / "i3d", threads="all")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_run_without_results_keeps_its_directory(coloured_videos: Videos, tmp_path: Path) -> None:
    folder = coloured_videos([JOGGING], 1)
    config = actionbench.RunConfig(
        models=(f"{TINY}:broken",),
        data=str(folder),
        weights={"*": str(next(folder.rglob("*.mp4")))},
        out=str(tmp_path / "run"),
        threads=1,
        report=False,
        peak=False,
    )
    with pytest.raises(MeasurementError, match="this network does not load") as caught:
        actionbench.run(config)
    assert caught.value.where == str(tmp_path / "run")
    assert actionbench.RunDirectory(tmp_path / "run").run.state == "incomplete"
    with pytest.raises(MeasurementError, match="this network does not load"):
        actionbench.resume(tmp_path / "run")
    with pytest.raises(UsageError, match="not a run directory"):
        actionbench.resume(tmp_path)


@pytest.mark.usefixtures("no_pictures")
def test_every_block_of_the_document_runs(
    coloured_videos: Videos,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the folder of a network, its weights and some videos, as the document has them."""
    shutil.copytree(coloured_videos([JOGGING, YOGA], 2), tmp_path / "videos")
    shutil.copy(next((tmp_path / "videos" / "jogging").iterdir()), tmp_path / "jogging.mp4")
    shutil.copy(TINY, tmp_path / "small.py")
    with (tmp_path / "small.py").open("a", encoding="utf-8") as file:
        file.write("\n\ndef small():\n    return replace(tiny(), name='small')\n")
    (tmp_path / "walkers.bin").write_bytes(b"colours")
    shutil.copy(LEARNER, tmp_path / "learner.py")
    examples = tuple(
        Example(Clip(f"{label}-{number}", video, label), "drawn", f"drawn/{label}-{number}", label, None)
        for label in ("jogging", "yoga")
        for number, video in enumerate(sorted(coloured_videos([NAMES.index(label)], 6).rglob("*.mp4")))
    )
    write_composed(tmp_path / "set.csv", ComposedSet("set", ("jogging", "yoga"), examples, {"drawn": "CC0"}))
    monkeypatch.chdir(tmp_path)
    document = ROOT / "docs" / "python-api.md"
    blocks = re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    said = []
    for block in blocks:
        exec(compile(block, str(document), "exec"), names)
        said.append(capsys.readouterr().out)
    first, score, records, models, trained, evaluated, error = said
    assert first.startswith("jogging (('jogging', ")
    assert "5 frames in 2 views; random weights: these predictions mean nothing" in first
    assert score.startswith("jogging: ")
    assert score.endswith("%, from 2 views\n")
    assert len(records.splitlines()) == 4
    assert "yoga yoga ('yoga', " not in records
    assert records.count("('jogging', ") == records.count("('yoga', ") == 2
    assert "realtime_factor" in models
    assert names["frames"].models["top1"].tolist() == [1]
    assert "'model.json', " in trained
    assert re.match(r"recall [01]\.\d\d of 6 clips in 12 groups\njogging is predicted where its", evaluated)
    assert "chosen for F2, which favours recall, on" in evaluated
    assert (tmp_path / "evaluated" / "evaluation.md").is_file()
    assert error.startswith("unknown model 'resnxt'\nDid you mean: resnext")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, actionbench; assert actionbench.__version__;"
        "print(sorted({'numpy', 'pandas', 'typer', 'actionbench.bench'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_every_name_is_where_type_checkers_are_told_it_is() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    told = {
        alias.asname or alias.name: (f".{node.module}", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert told == actionbench._HOMES
    assert {*told, "__version__"} == set(actionbench.__all__)
    assert set(actionbench.__all__) <= set(dir(actionbench))
    assert all(getattr(actionbench, name) is not None for name in told)
    with pytest.raises(AttributeError, match="no attribute 'predicts'"):
        getattr(actionbench, "predicts")  # noqa: B009  no type checker lets it be named
