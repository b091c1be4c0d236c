"""`bench export`: files that other programs run by themselves, checked from the disk before they are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.bench.export import export as module
from actionbench.bench.export.export import _facts, _targets
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import plan_models
from actionbench.bench.plan.planned_model import PlannedModel
from actionbench.models.finetuning.finetuned import Finetuned, write_description
from actionbench.models.finetuning.trainable import saved_state, trainable_network
from actionbench.models.registry import find_model, load_network
from actionbench.models.weights.formats.safetensors_files import write_safetensors
from actionbench.models.weights.record import digest
from actionbench.operating_point import Costs, OperatingPoint

from ..conftest import Bench

THIRD = Path(__file__).parents[1] / "networks" / "third.py"
CLASSES = ("abseiling", "air drumming", "answering questions", "a class that nobody drew")
CLASS_WITH_SIGNS = "<b>&\n\u201cfalling\u201d"


def by_onnx_runtime(path: Path, pixels: Any) -> tuple[Any, dict[str, str]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input": pixels})
    return logits, session.get_modelmeta().custom_metadata_map


def by_openvino(path: Path, pixels: Any) -> tuple[Any, dict[str, str]]:
    from actionbench.models.backends import openvino_files

    return openvino_files.compute(path, pixels, 1), openvino_files.read_facts(path)


@pytest.fixture(autouse=True)
def _network_in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the network that is compared with compute here, which takes seconds less; not in slow tests."""
    if request.node.get_closest_marker("slow") is not None:
        return

    def compute(model: PlannedModel, inputs: Sequence[Path], *_: Any) -> list[Any]:
        network = load_network(model.request, model.weights, model.options)
        arrays = [dict(np.load(path, allow_pickle=False)) for path in inputs]
        return [network.download(network.forward(network.upload(each))) for each in arrays]

    monkeypatch.setattr(module, "compute_logits", compute)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write and compute the files in this process."""
    monkeypatch.setattr(module, "_run", lambda task, *_: task.run())


@pytest.mark.parametrize(
    ("backend", "out", "written", "run"),
    [
        ("", "new/colours.onnx", ["colours.onnx"], by_onnx_runtime),
        ("@openvino", "new", ["third.bin", "third.xml"], by_openvino),
    ],
)
def test_a_file_takes_pixels_of_any_size_and_tells_what_it_is(
    bench: Bench,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    backend: str,
    out: str,
    written: list[str],
    run: Any,
) -> None:
    if backend:  # the other one has processes of its own, as a user has
        request.getfixturevalue("in_process")
    words = ("export", f"{THIRD}:third{backend}", "--weights", "random", "--threads", 1)
    said = bench(*words, "--out", tmp_path / out)
    assert said.returncode == 0, said.stderr
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == written
    assert "input 3×16×16×2: largest |Δ logit| from third@numpy" in said.stdout
    assert "random weights: these predictions mean nothing" in said.stdout
    # An independent computation: the mean colour of each clip, times the seeded weights.
    pixels = np.random.default_rng(1).integers(0, 256, (3, 5, 20, 18, 3), np.uint8)
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    expected = (pixels / 255).mean(axis=(1, 2, 3)) @ weight.T
    logits, facts = run(tmp_path / "new" / written[-1], pixels)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert tuple(json.loads(facts["labels"])) == CLASSES
    assert (facts["model"], facts["stream"], facts["licence"]) == ("third", "rgb", "ours")
    assert facts["weights"] == "random: third"
    assert json.loads(facts["preprocessing"])["short_side"] == 16
    assert json.loads(facts["preprocessing"])["rate"] == "25"
    assert json.loads(facts["views"])["window"] == 4
    again = bench(*words, "--out", tmp_path / out)
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.usefixtures("in_process")
def test_files_that_compute_something_else_are_not_kept(bench: Bench, tmp_path: Path) -> None:
    words = ("export", f"{THIRD}:astray@onnx", "--weights", "random", "--threads", 1)
    said = bench(*words, "--out", tmp_path / "astray.onnx")
    assert said.returncode == 2
    assert "the file computes something else than" in said.stderr
    assert "expected logits within 0.001; found 0.0" in said.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "out", "named"),
    [
        (f"{THIRD}:third@numpy", "x.onnx", "the backend numpy has no file format"),
        (f"{THIRD}:third@openvino", "x.onnx", "is no name of a file of openvino; expected *.xml"),
        (f"{THIRD}:third@openvino:bf16", "x.xml", "bf16 is how a runtime computes, not what a file holds"),
        (f"{THIRD}:without", "x.onnx", "has no graph for onnx, so that it cannot be exported"),
        ("i3d", "x.onnx", "has 2 streams, each in a file of its own; expected i3d-rgb.onnx, i3d-flow.onnx"),
        (f"{THIRD}:third", "taken.onnx", "exists already"),
        (f"{THIRD}:third", "taken", "is a file; expected a folder"),
        ("falls-folder", "x.onnx", "unknown model 'falls-folder'"),
        ("resnet18", "x.onnx", "no weights for the rgb stream of resnet18"),
    ],
)
def test_what_cannot_be_exported_is_one_clear_error(
    bench: Bench, tmp_path: Path, model: str, out: str, named: str
) -> None:
    for name in ("taken.onnx", "taken"):
        (tmp_path / name).write_text("mine")
    said = bench("export", model, "--out", tmp_path / out)
    assert said.returncode == 2
    assert named in said.stderr
    assert said.stderr.count("bench: error:") == 1
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "taken.onnx": "mine",
        "taken": "mine",
    }


def test_streams_have_files_of_their_own(tmp_path: Path) -> None:
    found = _targets(find_model("i3d@openvino"), tmp_path)
    assert found == {"rgb": tmp_path / "i3d-rgb.xml", "flow": tmp_path / "i3d-flow.xml"}
    (tmp_path / "i3d-flow.bin").write_text("")
    with pytest.raises(Exception, match=r"i3d-flow\.bin: exists already"):
        _targets(find_model("i3d@openvino"), tmp_path)


def result(folder: Path, tensors: Any) -> Path:
    """A trained network of two classes with an operating point."""
    folder.mkdir()
    write_safetensors(tensors, folder / "weights.safetensors")
    network = Finetuned(
        base="resnet18",
        stream="rgb",
        preprocessing=find_model("resnet18").model.streams["rgb"].preprocessing,
        window=8,
        views=1,
        labels=(CLASS_WITH_SIGNS, "walking"),
        sha256=digest([folder / "weights.safetensors"]),
        began_with={"name": "ours"},
        licences={"films": "CC BY 4.0"},
        operating_point=OperatingPoint(CLASS_WITH_SIGNS, 0.25, Costs(5, 1), 30, 9),
    )
    write_description(folder, network)
    return folder


def _check_facts(facts: dict[str, str], folder: Path) -> None:
    assert json.loads(facts["labels"]) == [CLASS_WITH_SIGNS, "walking"]
    assert facts["weights_sha256"] == digest([folder / "weights.safetensors"])
    assert facts["licence"] == "films: CC BY 4.0"
    assert facts["source"] == "trained here, from ours"
    assert json.loads(facts["operating_point"])["threshold"] == 0.25
    assert json.loads(facts["views"])["window"] == 8


def test_a_trained_network_takes_its_classes_licence_and_operating_point_along(tmp_path: Path) -> None:
    from actionbench.models.backends import onnx_files, openvino_files
    from actionbench.models.backends.onnx_graphs import stream_graph, stream_pixels
    from actionbench.models.spec import Weights

    # Enough to be taken for weights of the network: they are not read here.
    names = ("conv1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias")
    folder = result(tmp_path / "falls", {name: np.zeros(2, np.float32) for name in names})
    (planned,) = plan_models(RunConfig(models=(f"{folder}@onnx",), threads=1), None)
    facts = _facts(planned, "rgb", {"rgb": tmp_path / "falls.onnx"})
    _check_facts(facts, folder)
    assert "to be added" not in facts["output"]
    # The text survives the formats, whatever it is.
    model = find_model(f"{THIRD}:third").model
    weights = Weights("random", model.streams["rgb"])
    for files, name in ((onnx_files, "x.onnx"), (openvino_files, "x.xml")):
        files.write(stream_graph(model, weights), stream_pixels(weights), facts, tmp_path / name)
        assert files.read_facts(tmp_path / name) == facts


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "run"), [(".onnx", by_onnx_runtime), (".xml", by_openvino)])
def test_a_trained_network_is_computed_by_the_runtime_alone(
    bench: Bench, tmp_path: Path, ending: str, run: Any
) -> None:
    net = trainable_network(find_model("resnet18").model, None, (CLASS_WITH_SIGNS, "walking"), 1)
    folder = result(tmp_path / "falls", saved_state(net))
    said = bench("export", folder, "--out", tmp_path / f"x{ending}", "--threads", 1)
    assert said.returncode == 0, said.stderr
    assert "input 8×112×112×1: largest |Δ logit|" in said.stdout
    pixels = np.random.default_rng(1).integers(0, 256, (3, 5, 64, 70, 3), np.uint8)
    logits, facts = run(tmp_path / f"x{ending}", pixels)
    _check_facts(facts, folder)
    import torch

    how = find_model("resnet18").model.streams["rgb"].preprocessing
    prepared = (pixels * how.scale - np.array(how.mean)) / np.array(how.std)
    with torch.inference_mode():
        expected = net(torch.from_numpy(prepared.astype(np.float32)).permute(0, 4, 1, 2, 3)).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-3)


@pytest.mark.slow
def test_two_streams_are_two_files_whose_logits_are_added(bench: Bench, tmp_path: Path) -> None:
    said = bench("export", "i3d@onnx", "--weights", "random", "--out", tmp_path / "i3d")
    assert said.returncode == 0, said.stderr
    assert sorted(path.name for path in (tmp_path / "i3d").iterdir()) == ["i3d-flow.onnx", "i3d-rgb.onnx"]
    _, facts = by_onnx_runtime(tmp_path / "i3d" / "i3d-flow.onnx", np.zeros((1, 10, 224, 224, 2), np.float32))
    assert facts["output"] == "(N, classes) float32 logits, to be added to those of i3d-rgb.onnx"
    assert facts["input"].startswith("(N, T, H, W, 2) float32 optical flow")


@pytest.mark.slow
def test_a_quantised_network_is_a_file_too(bench: Bench, tmp_path: Path) -> None:
    said = bench("export", f"{THIRD}:third@openvino:int8", "--weights", "random", "--out", tmp_path / "x.xml")
    assert said.returncode == 0, said.stderr
    assert "no limit is known for int8" in said.stdout
