"""A folder with a network that was trained here: what it is to a run, and the damages that it can have."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import plan_models
from actionbench.errors import ActionBenchError, UsageError, WeightsError
from actionbench.models import parity
from actionbench.models.finetuning.finetuned import (
    Finetuned,
    described_weights,
    read_description,
    write_description,
)
from actionbench.models.finetuning.trainable import saved_state, trainable_network
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions
from actionbench.models.weights import resolve_weights
from actionbench.models.weights.formats.safetensors_files import write_safetensors
from actionbench.models.weights.record import digest
from actionbench.operating_point import Costs, OperatingPoint

LABELS = ("falling", "running", "walking")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "third-try"
    base = find_model("resnet18").model
    write_safetensors(saved_state(trainable_network(base, None, LABELS, 1)), folder / "weights.safetensors")
    network = Finetuned(
        base="resnet18",
        stream="rgb",
        preprocessing=base.streams["rgb"].preprocessing,
        window=8,
        views=1,
        labels=LABELS,
        sha256=digest([folder / "weights.safetensors"]),
        began_with={},
        licences={"hmdb51": "CC BY 4.0"},
        operating_point=OperatingPoint("falling", 0.25, Costs(5, 1), 30, 9),
    )
    write_description(folder, network)
    assert read_description(folder) == network
    return folder


@pytest.fixture
def damaged(trained: Path, tmp_path: Path) -> Callable[..., Path]:
    """Function that gives a folder like `trained` with some fields changed; None takes one away."""

    def damage(**fields: Any) -> Path:
        raw = json.loads((trained / "model.json").read_text())
        for name, value in fields.items():
            if value is None:
                del raw[name]
            else:
                raw[name] = value
        (tmp_path / "model.json").write_text(json.dumps(raw))
        (tmp_path / "weights.safetensors").symlink_to(trained / "weights.safetensors")
        return tmp_path

    return damage


def test_it_is_a_network_with_its_own_classes_windows_and_weights(trained: Path) -> None:
    request = find_model(f"{trained}@onnx")
    assert (request.model.name, request.backend) == ("third-try", "onnx")
    assert request.model.views.window == request.model.views.single_frames == 8
    assert not request.model.demo
    (planned,) = plan_models(RunConfig(models=(str(trained),), threads=1), target="falling")
    assert planned.key == "third-try"
    assert planned.labels == LABELS
    weights = planned.weights["rgb"]
    assert weights.path == trained / "weights.safetensors"
    assert weights.description.licence == "hmdb51: CC BY 4.0"


def test_a_run_names_it_by_an_absolute_path(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained.parent)
    resolved = RunConfig(models=("third-try@torch", "resnet18")).resolved()
    assert resolved.models == (f"{trained}@torch", "resnet18")


@pytest.mark.parametrize("backend", ["onnx", pytest.param("openvino", marks=pytest.mark.slow)])
def test_backends_agree(trained: Path, backend: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 5, 61, 64, 3), np.uint8)
    answers = []
    for name in ("torch", backend):
        request = find_model(f"{trained}@{name}")
        weights = {"rgb": resolve_weights("rgb", request.model.streams["rgb"], trained)}
        network = load_network(request, weights, LoadOptions(threads=1))
        answers.append(network.download(network.forward(network.upload({"rgb": x}))))
    assert answers[0].shape == (1, 3)
    assert np.ptp(answers[0]) > 0
    assert np.abs(answers[0] - answers[1]).max() <= parity.TOLERANCE


def test_the_licence_of_what_it_began_with_goes_with_it(trained: Path, tmp_path: Path) -> None:
    network = replace(read_description(trained), began_with={"name": "net-400", "licence": "Apache-2.0"})
    description = described_weights(network, tmp_path, find_model("resnet18").model.streams["rgb"])
    assert description.licence == "the weights net-400: Apache-2.0; hmdb51: CC BY 4.0"


def test_its_operating_point_goes_with_its_weights(trained: Path) -> None:
    point = OperatingPoint("falling", 0.25, Costs(5, 1), 30, 9)

    def planned(**settings: Any) -> OperatingPoint | None:
        (model,) = plan_models(RunConfig(threads=1, **settings), target="falling")
        assert model.record().operating_point == model.operating_point
        return model.operating_point

    assert planned(models=(str(trained),)) == point
    assert planned(models=("resnet18",), weights={"resnet18": str(trained)}) == point
    # The same network with other weights.
    assert planned(models=(str(trained),), weights={"third-try": "random"}) is None


def test_it_serves_as_the_weights_of_its_network(trained: Path) -> None:
    config = RunConfig(models=("resnet18",), weights={"resnet18": str(trained)}, threads=1)
    (planned,) = plan_models(config, target="falling")
    assert planned.labels == LABELS


def test_an_unknown_base_names_the_folder(damaged: Callable[..., Path]) -> None:
    folder = damaged(base="resnet19")
    with pytest.raises(UsageError, match="cannot be had: resnet19; found unknown model 'resnet19'") as raised:
        find_model(str(folder))
    assert raised.value.where == str(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema": 9}, "schema 9"),
        ({"labels": None}, "labels"),
        ({"labels": ["a", "a", "b"]}, "labels are named twice"),
        ({"labels": "abc"}, "labels are no list of names"),
        ({"window": 0}, "window and views must be positive"),
        ({"window": "8"}, "window is '8'"),
        ({"window": True}, "window is True"),
        ({"preprocessing": {}}, "Preprocessing"),
        ({"base": 3}, "base is 3"),
        ({"operating_point": {"label": "x", "threshold": 0.5}}, "operating_point is of the class 'x'"),
        ({"operating_point": {"label": "falling", "threshold": 1.5}}, "not between 0 and 1"),
        ({"operating_point": {"label": "falling", "threshold": "low"}}, "threshold: expected a number"),
        ({"operating_point": {"label": "falling", "threshold": 0.5, "favour": "speed"}}, "favour"),
        ({"operating_point": {"label": "falling", "threshold": 0.5, "words": "f1"}}, "unknown fields"),
        (
            {
                "operating_point": {
                    "label": "falling",
                    "threshold": 0.5,
                    "favour": {"miss": 0, "false_alarm": 1},
                }
            },
            "costs must be above 0",
        ),
        ({"operating_point": [0.5]}, "expected an object with label and threshold"),
        ({"licences": []}, "licences is no mapping"),
    ],
)
def test_a_damaged_description_is_one_clear_error(
    damaged: Callable[..., Path], fields: dict[str, Any], message: str
) -> None:
    folder = damaged(**fields)
    with pytest.raises(WeightsError) as raised:
        find_model(str(folder))
    assert str(raised.value).startswith(f"{folder / 'model.json'}: does not describe a network")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "values",
    [
        *({"rate": "0"}, {"rate": "x"}, {"rate": "1e400000000"}, {"std": [0, 1, 1]}, {"mean": [1]}),
        *({"crop": 500}, {"resize": "no"}),
        *({"stretch": [128, 171]}, {"short_side": None}, {"every": 0}, {"colour": "grb"}, {"every": "2"}),
    ],
)
def test_preprocessing_that_makes_no_sense_is_refused(
    trained: Path, damaged: Callable[..., Path], values: dict[str, Any]
) -> None:
    how = json.loads((trained / "model.json").read_text())["preprocessing"]
    with pytest.raises(WeightsError, match="does not describe a network"):
        find_model(str(damaged(preprocessing=how | values)))


def test_text_that_is_no_json_is_refused(damaged: Callable[..., Path]) -> None:
    folder = damaged()
    (folder / "model.json").write_text("{")
    with pytest.raises(WeightsError, match="does not describe a network"):
        find_model(str(folder))


def test_a_rate_and_a_size_survive(trained: Path, tmp_path: Path) -> None:
    network = read_description(trained)
    rate = Fraction(30000, 1001)
    how = replace(
        network.preprocessing, rate=rate, every=2, short_side=None, stretch=(128, 171), colour="bgr"
    )
    write_description(tmp_path, replace(network, preprocessing=how))
    assert read_description(tmp_path).preprocessing == how


def test_a_description_from_before_frames_could_be_stretched_is_read(
    trained: Path, damaged: Callable[..., Path]
) -> None:
    how = json.loads((trained / "model.json").read_text())["preprocessing"]
    older = {name: value for name, value in how.items() if name not in ("stretch", "every", "colour")}
    folder = damaged(preprocessing=older)
    assert read_description(folder).preprocessing == read_description(trained).preprocessing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (b"other", "is not the file that model.json beside it"),
        (None, "there is no such file"),
    ],
)
def test_weights_that_are_not_the_described_ones_are_refused(
    damaged: Callable[..., Path], change: bytes | None, message: str
) -> None:
    folder = damaged()
    (folder / "weights.safetensors").unlink()
    if change is not None:
        (folder / "weights.safetensors").write_bytes(change)
    with pytest.raises(WeightsError, match=message):
        plan_models(RunConfig(models=(str(folder),), threads=1), target="falling")


def test_a_folder_cannot_have_a_file_executed(damaged: Callable[..., Path], tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    (tmp_path / "net.py").write_text(f"open({str(marker)!r}, 'w').close()\ndef net(): pass\n")
    folder = damaged(base=f"{tmp_path}/net.py:net")
    with pytest.raises(UsageError, match="is not executed because a folder names it"):
        find_model(str(folder))
    assert not marker.exists()


@pytest.mark.parametrize("base", ["no such network", "../x", "i3d"])
def test_a_base_that_does_not_fit_is_an_error(damaged: Callable[..., Path], base: str) -> None:
    with pytest.raises(ActionBenchError):
        find_model(str(damaged(base=base)))


def test_a_folder_without_a_description_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this folder holds no network"):
        find_model(str(tmp_path))
