"""A user's ONNX file where every network may be named: plan, run, predict, parity, export."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from actionbench.bench.agreement.check import may_hide_mistakes
from actionbench.bench.export import export
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import plan_models
from actionbench.bench.plan.planned_model import PlannedModel
from actionbench.bench.scenarios.inference import multiply_accumulates
from actionbench.errors import WeightsError
from actionbench.models.registry import find_model, load_network
from actionbench.models.weights.record import digest
from actionbench.parsing import to_yaml
from actionbench.records.run_directory import RunDirectory

from .conftest import Bench

FRAMES, SIDE = 4, 16


@pytest.fixture
def colours(tmp_path: Path, tiny_module: ModuleType) -> Path:
    """The network of `networks/tiny.py` as an ONNX file: it tells Kinetics' classes by their colours.

    The class with the nearest colour: with logits 2·x·c − c·c, times 100. Its batch is fixed at 1.
    """
    every = np.stack([tiny_module.colour_of(index) for index in range(400)])
    weight, bias = 200 * every, -100 * (every**2).sum(axis=1)
    tensors = {"weight": weight, "bias": bias}
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 3, 4], keepdims=0),
            helper.make_node("Gemm", ["mean", "weight", "bias"], ["logits"], transB=1),
            helper.make_node("Softmax", ["logits"], ["output"], axis=1),
        ],
        "colours",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, FRAMES, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 400])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = tmp_path / "nets"
    folder.mkdir()
    onnx.save(model, str(folder / "net.onnx"))
    fields = {
        "name": "colours",
        "layout": "NTCHW",
        "rate": None,
        "short_side": SIDE,
        "resize": "opencv-bilinear",
        "scale": "1/255",
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "colour": "rgb",
        "labels": "kinetics-400",
        "scores": "probabilities",
        "average": "softmax",
        "licence": "ours",
        "source": "made here",
    }
    (folder / "net.onnx.yaml").write_text(to_yaml(fields))
    return folder / "net.onnx"


def planned(name: str, data: str = "videos", **weights: str) -> PlannedModel:
    config = RunConfig(models=(name,), data=data, weights=weights, threads=1)
    (model,) = plan_models(config, None)
    return model


@pytest.mark.parametrize("weights", [{}, {"*": "random"}, {"*": "demo"}])
@pytest.mark.parametrize("data", ["videos", "demo"])
def test_its_weights_are_its_own(colours: Path, data: str, weights: dict[str, str]) -> None:
    model = planned(f"onnx:{colours}", data, **weights)
    assert model.key == "colours"
    assert not model.timed_only
    assert not may_hide_mistakes(model)
    own = model.weights["rgb"]
    assert (own.kind, own.path, own.description.name) == ("user", colours, "net.onnx")
    assert own.sha256 == digest([colours, colours.with_name("net.onnx.yaml")])
    assert model.record().weights["rgb"]["sha256"] == own.sha256


@pytest.mark.parametrize(
    "weights", [{"colours": "random"}, {"colours-rgb": "demo"}, {"colours": "x.pt"}, {"*": "x.pt"}]
)
def test_no_others_can_be_named(colours: Path, weights: dict[str, str]) -> None:
    with pytest.raises(WeightsError, match="no weights can be named for it: its file is the network"):
        planned(f"onnx:{colours}", **weights)


def test_reports_show_its_name_and_not_where_it_lies(colours: Path) -> None:
    backends = (f"onnx:{colours}", f"onnx:{colours}@openvino:fp32")
    models = plan_models(RunConfig(models=backends, threads=1), None)
    assert [model.key for model in models] == ["colours", "colours@openvino:fp32"]
    assert "nets" not in models[0].record().title


def test_settings_hold_its_absolute_path(colours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(colours.parent)
    assert RunConfig(models=("onnx:net.onnx@openvino",)).resolved().models == (f"onnx:{colours}@openvino",)


@pytest.mark.parametrize(("backend", "ending"), [("onnx", "onnx"), ("openvino", "xml")])
def test_it_is_exported_and_compared_with_the_other_runtime(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, colours: Path, backend: str, ending: str
) -> None:
    def compute(model: PlannedModel, inputs: Any, *_: Any) -> list[Any]:
        network = load_network(model.request, model.weights, model.options)
        arrays = [dict(np.load(path, allow_pickle=False)) for path in inputs]
        return [network.download(network.forward(network.upload(each))) for each in arrays]

    monkeypatch.setattr(export, "_run", lambda task, *_: task.run())
    monkeypatch.setattr(export, "compute_logits", compute)
    words = ("export", f"onnx:{colours}@{backend}", "--threads", 1, "--out", tmp_path / "new")
    said = bench(*words)
    assert said.returncode == 0, said.stderr
    other = {"onnx": "openvino", "openvino": "onnx"}[backend]
    assert f"input 4×16×16×1: largest |Δ logit| from colours@{other}" in said.stdout
    assert (tmp_path / "new" / f"colours.{ending}").is_file()
    if backend == "onnx":
        written = onnx.load(str(tmp_path / "new" / "colours.onnx"))
        facts = {each.key: each.value for each in written.metadata_props}
        assert facts["input"].startswith("(1, 4, 16, 16, 3) uint8 RGB pixels")
        assert facts["weights"] == "user: net.onnx"
        assert json.loads(facts["views"])["window"] == FRAMES


@pytest.mark.slow
def test_a_run_and_a_prediction(
    bench: Bench, tmp_path: Path, colours: Path, coloured_videos: Callable[..., Path]
) -> None:
    videos = coloured_videos([3, 77], 1)
    models = f"onnx:{colours},onnx:{colours}@openvino"
    words = (
        "--data",
        videos,
        "--threads",
        1,
        "--batch",
        2,
        "--latency-clips",
        1,
        "--no-peak",
        "--processes",
        1,
    )
    said = bench("run", "--models", models, "--weights", "random", *words, "--out", tmp_path / "run")
    assert said.returncode == 0, said.stderr
    run = RunDirectory(tmp_path / "run").run
    assert [model.key for model in run.models] == ["colours", "colours@openvino"]
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert run.models[1].drift is not None
    assert run.models[1].drift.verdict == "same"
    assert "100 %" in report
    tables, _, settings = report.rpartition("<details>")
    assert "onnx:" not in tables
    assert f"onnx:{colours}@openvino" in settings  # for repeating the run
    (video,) = videos.glob("*/77_0.mp4")
    said = bench("predict", f"onnx:{colours}@openvino", video)
    assert said.returncode == 0, said.stderr
    assert video.parent.name in said.stdout


@pytest.mark.slow
def test_parity_uses_the_sizes_that_it_takes(bench: Bench, colours: Path) -> None:
    said = bench("parity", f"onnx:{colours}", "--backends", "onnx,openvino", "--threads", 1)
    assert said.returncode == 0, said.stderr
    shapes = [line.split()[3] for line in said.stdout.splitlines() if line.startswith("colours@openvino")]
    assert shapes == ["4×16×16×1", "4×16×16×2"]


def test_what_is_not_counted_makes_no_sum() -> None:
    view = {"rgb": np.zeros((4, 2, 2, 3), np.float32)}
    prepared: Any = SimpleNamespace(views=[view, view])
    model = find_model("resnet18").model
    assert multiply_accumulates(replace(model, macs=lambda *_: 7), prepared, 3) == 14
    assert multiply_accumulates(replace(model, macs=lambda *_: None), prepared, 3) is None
