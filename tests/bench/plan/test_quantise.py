"""I3D in int8: what it is made from, when it is made again, and what is said where it cannot be."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.bench.plan import plan, quantise
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.environment import Installed
from actionbench.bench.plan.files import with_files
from actionbench.bench.plan.plan import PlannedModel, plan_models
from actionbench.datasets.sources.registry import load_clips
from actionbench.errors import BackendUnavailable, ClipError, MeasurementError, UsageError, WeightsError
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions
from actionbench.preprocessing.preparer import Preparer

CONFIG = RunConfig(models=("i3d@openvino:int8",), weights={"*": "random"}, flow="dis")


def quiet(_text: str) -> None:
    pass


@pytest.fixture
def model() -> PlannedModel:
    (planned,) = plan_models(CONFIG, target=None)
    return planned


def test_other_precisions_need_no_files() -> None:
    (planned,) = plan_models(replace(CONFIG, models=("i3d@openvino",)), target=None)
    assert with_files(planned, CONFIG, quiet) is not None
    assert not with_files(planned, CONFIG, quiet).options.quantised


def test_resnext_is_not_offered_in_int8() -> None:
    with pytest.raises(UsageError, match="unknown precision of resnext@openvino 'int8'"):
        find_model("resnext@openvino:int8")


def test_missing_nncf_is_named_with_its_remedy(model: PlannedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "probe", lambda _python: Installed(packages={"nncf": None}))
    with pytest.raises(BackendUnavailable, match=r"pip install 'actionbench\[int8\]'"):
        with_files(model, CONFIG, quiet)


def test_network_that_was_not_quantised_is_an_error_that_says_who_does_it(model: PlannedModel) -> None:
    request = find_model("i3d@openvino:int8")
    with pytest.raises(WeightsError, match=r"was not quantised.*`bench run`"):
        load_network(request, model.weights, LoadOptions())


def test_each_stream_is_made_once_from_a_few_clips(
    model: PlannedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = []

    def run(task: quantise.QuantisationTask, _python: str) -> None:
        tasks.append(task)
        for path in task.targets.values():
            path.touch()

    monkeypatch.setattr(quantise, "_run", run)
    ready = with_files(model, CONFIG, quiet)
    assert with_files(model, CONFIG, quiet).options.quantised == ready.options.quantised
    (task,) = tasks
    assert task.targets == ready.options.quantised
    assert sorted(task.targets) == ["flow", "rgb"]
    assert len(task.clips) == quantise.CLIPS
    assert task.flow == "dis"
    assert "demo:train" in task.note
    # Other weights or another flow are quantised again; RGB does not mind the flow.
    (other,) = plan_models(replace(CONFIG, seed=1), target=None)
    (farneback,) = plan_models(replace(CONFIG, flow="farneback"), target=None)
    for planned in (other, farneback):
        with_files(planned, CONFIG, quiet)
    assert [sorted(task.targets) for task in tasks[1:]] == [["flow", "rgb"], ["flow"]]


@pytest.mark.parametrize(("kind", "told"), [("published", 1), ("user", 1), ("demo", 0), ("random", 0)])
def test_trained_weights_on_synthetic_clips_are_told(
    model: PlannedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: Any, told: int
) -> None:
    monkeypatch.setattr(quantise, "_run", lambda *_: None)
    weights = {stream: replace(each, kind=kind) for stream, each in model.weights.items()}
    model = replace(model, weights=weights)
    lines: list[str] = []
    quantise.with_quantised(model, CONFIG, lines.append)
    notices = [line for line in lines if "synthetic clips" in line]
    assert len(notices) == told
    assert all("`--calibration`" in line for line in notices)
    (tmp_path / "running").mkdir()
    video = load_clips("demo", vocabulary=()).clips[0].path
    (tmp_path / "running" / video.name).write_bytes(video.read_bytes())
    lines.clear()
    quantise.with_quantised(model, replace(CONFIG, calibration=str(tmp_path)), lines.append)
    assert not [line for line in lines if "synthetic clips" in line]


def test_clips_that_are_not_there(model: PlannedModel, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no videos"):
        with_files(model, replace(CONFIG, calibration=str(tmp_path)), quiet)


def test_failure_of_the_process_is_told(model: PlannedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    task = quantise.QuantisationTask("i3d@openvino:int8", model.weights, 64, (), None, {}, "no clips")
    monkeypatch.setattr(quantise, "worker_environment", lambda _threads: {"PYTHONHOME": "/nowhere"})
    with pytest.raises(MeasurementError, match="No module named 'encodings'"):
        quantise._run(task, sys.executable)


@pytest.mark.slow
def test_int8_is_near_float32_and_says_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests leave empty files where the networks are kept.
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path))
    config = replace(CONFIG, models=("i3d-rgb@openvino:int8",))
    (planned,) = plan_models(config, target=None)
    planned = with_files(planned, config, quiet)
    # A picture, as the clips are that the ranges come from: noise would leave them.
    how = {stream: each.description.preprocessing for stream, each in planned.weights.items()}
    prepare = Preparer(how, planned.request.model.views, single=planned.request.model.views.single_frames)
    (view,) = prepare(load_clips("demo", vocabulary=planned.labels).clips[0]).views
    x = {"rgb": view["rgb"][None].astype(np.float32)}

    def logits(name: str, options: LoadOptions) -> tuple[Any, dict[str, Any]]:
        network = load_network(find_model(name), planned.weights, options)
        return network.download(network.forward(network.upload(x))), network.describe()

    right, _ = logits("i3d-rgb@openvino", LoadOptions())
    found, facts = logits("i3d-rgb@openvino:int8", planned.options)
    distance = np.linalg.norm(found - right) / np.linalg.norm(right)
    assert 1e-4 < distance < 0.1
    assert facts["precision"].startswith("int8")
    assert "NNCF" in facts["quantised"]
