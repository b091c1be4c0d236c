"""A third network, in one file: what it declares works, and no generic code knows its name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.bench.agreement.parity import check_published
from actionbench.bench.console.progress import Console
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.files import demo, quantise
from actionbench.bench.plan.files.needed import with_files
from actionbench.bench.plan.plan import plan_models
from actionbench.datasets.sources.registry import load_clips
from actionbench.errors import MeasurementError, UsageError, WeightsError
from actionbench.models.labels import labels
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Weights

pytestmark = pytest.mark.usefixtures("no_pictures", "forked_workers")

FILE = Path(__file__).parent / "networks" / "third.py"
COLOURS = {"abseiling": 384, "air drumming": 56, "answering questions": 7}
"""Class → the class of Kinetics whose colour its videos have: red, green, blue."""


def quiet(_text: str) -> None:
    pass


@pytest.fixture
def clips(coloured_videos: Callable[..., Path], tmp_path: Path) -> Path:
    """Two videos of one colour in each of three classes, and in one that the network does not have."""
    videos = coloured_videos([*COLOURS.values(), 100], 2)
    names = labels("kinetics-400")
    for name, index in COLOURS.items():
        shutil.copytree(videos / names[index], tmp_path / "clips" / name)
    shutil.copytree(videos / names[100], tmp_path / "clips" / "another class")
    return tmp_path / "clips"


@pytest.fixture
def drawn_here(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The videos in place of the drawn set, and demo weights that are made in this process."""

    def output_of(command: list[str], _failure: str, **_options: Any) -> str:
        name, stream, seed = command[-3:]
        demo.make(name, stream, int(seed))
        return ""

    found = load_clips(str(clips), vocabulary=(*COLOURS, "another class"))
    monkeypatch.setenv("ACTIONBENCH_HOME", str(clips.parent / "home"))
    monkeypatch.setattr("actionbench.datasets.synthetic.clips.load_demo", lambda _part: found.clips)
    monkeypatch.setattr(demo, "output_of", output_of)


def logits(name: str, weights: dict[str, Weights], x: Any) -> Any:
    network = load_network(find_model(name), weights, LoadOptions(threads=1))
    return network.download(network.forward(network.upload({"rgb": x})))


@pytest.mark.usefixtures("drawn_here")
def test_its_demo_weights_are_made_once_and_know_the_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig(models=(f"{FILE}:third",), weights={"third": "demo"})
    (planned,) = plan_models(config, target=None)
    (weights,) = with_files(planned, config, quiet).weights.values()
    assert weights.path is not None
    assert weights.path.parts[-2:] == ("third", "third.npz")
    colours = np.eye(3, dtype=np.float32)[:, None, None, None, :] * np.ones((1, 4, 16, 16, 1), np.float32)
    answers = logits(f"{FILE}:third", {"rgb": weights}, colours)
    assert answers.argmax(1).tolist() == [0, 1, 2]
    assert (answers[:, 3] < answers[:, :3].min()).all(), "nobody drew that class"
    monkeypatch.setattr(demo, "make", lambda *_: pytest.fail("made twice"))
    (again,) = with_files(planned, config, quiet).weights.values()
    assert again == weights


@pytest.mark.usefixtures("drawn_here")
def test_a_network_without_a_class_of_the_drawn_clips_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actionbench.datasets.synthetic.clips.load_demo", lambda _part: ())
    with pytest.raises(WeightsError, match="no class of the demo clips"):
        demo.make(f"{FILE}:third", "rgb", 0)


def test_its_graph_computes_what_its_own_backend_does() -> None:
    weights = {"rgb": Weights("random", find_model(f"{FILE}:third").model.streams["rgb"], seed=1)}
    x = np.random.default_rng(0).uniform(0, 1, (2, 5, 16, 17, 3)).astype(np.float32)
    right = logits(f"{FILE}:third", weights, x)
    np.testing.assert_allclose(logits(f"{FILE}:third@onnx", weights, x), right, atol=1e-5)
    network = load_network(find_model(f"{FILE}:third@onnx"), weights, LoadOptions())
    assert network.describe()["parameters"] == 16


def test_its_quantised_file_is_called_like_it() -> None:
    config = RunConfig(models=(f"{FILE}:third@openvino:int8",), weights={"*": "random"})
    (planned,) = plan_models(config, target=None)
    path = quantise._path("rgb", planned.weights["rgb"], "digest", planned)
    assert path.name.startswith("third-rgb-")


def test_a_networks_stream_shares_its_quantised_file_with_the_network() -> None:
    both, alone = (
        plan_models(RunConfig(models=(f"{name}@openvino:int8",), weights={"*": "random"}), target=None)[0]
        for name in ("i3d", "i3d-rgb")
    )
    paths = {quantise._path("rgb", each.weights["rgb"], "digest", each) for each in (both, alone)}
    assert len(paths) == 1


@pytest.mark.slow
def test_its_published_example_is_reproduced_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    file = shutil.copy(FILE, tmp_path)
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    np.savez(tmp_path / "third.npz", weight=weight, bias=bias)
    sample = rng.uniform(0, 1, (1, 5, 16, 16, 3)).astype(np.float32)
    right = (sample.mean((1, 2, 3)) @ weight.T + bias)[0].astype(float)
    values: dict[str, Any] = {"norm": np.linalg.norm(right), "top": [["abseiling", right[0]]]}
    (tmp_path / "published.json").write_text(json.dumps(values))
    config = RunConfig(models=(f"{file}:third",), threads=1)
    with pytest.raises(WeightsError, match="no such sample of the published example"):
        check_published(config, ["numpy"], Console())
    np.save(tmp_path / "sample.npy", sample)
    check_published(config, ["numpy"], Console())
    assert "reproduced; certificate" in capsys.readouterr().out
    (tmp_path / "published.json").write_text(json.dumps(values | {"norm": values["norm"] + 0.01}))
    with pytest.raises(MeasurementError, match="the published example is not reproduced"):
        check_published(config, ["numpy"], Console())
    np.savez(tmp_path / "other.npz", weight=weight, bias=bias)
    others = RunConfig(models=config.models, weights={"third": str(tmp_path / "other.npz")})
    with pytest.raises(UsageError, match=r"published for other weights.*third\.npz.*other\.npz"):
        check_published(others, ["numpy"], Console())


def test_what_a_network_does_not_declare_is_said() -> None:
    name = f"{FILE}:without"
    with pytest.raises(UsageError, match=r"no published example is known for .*There is one for i3d\."):
        check_published(RunConfig(models=(name,)), ["numpy"], Console())
    (planned,) = plan_models(RunConfig(models=(name,), weights={"*": "demo"}), target=None)
    with pytest.raises(WeightsError, match="no demo weights in place of third"):
        demo.with_demo_weights(planned, "python", quiet)
    weights = {"rgb": Weights("random", planned.request.model.streams["rgb"])}
    with pytest.raises(UsageError, match="has no ONNX graph"):
        load_network(find_model(f"{name}@onnx"), weights, LoadOptions())
