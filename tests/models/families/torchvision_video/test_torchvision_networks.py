"""torchvision's networks: their logits against the library's own call, in every backend."""

from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import openvino
import pytest
import torch

from actionbench.errors import BackendUnavailable, ClipError, UsageError, WeightsError
from actionbench.models.capabilities import why_not
from actionbench.models.families.onnx_export import exported
from actionbench.models.families.torchvision_video import model as torchvision_video
from actionbench.models.families.torchvision_video.model import with_weights
from actionbench.models.families.torchvision_video.published import NETWORKS
from actionbench.models.inputs import check_inputs
from actionbench.models.parity import shapes_of
from actionbench.models.registry import ModelRequest, find_model, load_network
from actionbench.models.spec import FloatArray, LoadOptions, Weights
from actionbench.models.weights import detect_format, read_state, resolve_weights, write_state

CLASSES = tuple("abcdefg")


def request_of(selection: str, classes: tuple[str, ...] = CLASSES) -> ModelRequest:
    """A request whose network has a few classes."""
    request = find_model(f"tv:{selection}")
    streams = {"rgb": replace(request.model.streams["rgb"], labels=classes)}
    return replace(request, model=replace(request.model, streams=streams))


def random_weights(request: ModelRequest) -> Weights:
    return Weights("random", request.model.streams["rgb"], seed=3)


def video(*shape: int) -> FloatArray:
    return np.random.default_rng(1).normal(size=(*shape, 3)).astype(np.float32)


def logits(request: ModelRequest, weights: Weights, x: FloatArray, **options: Any) -> FloatArray:
    network = load_network(request, {"rgb": weights}, LoadOptions(**options))
    return network.download(network.forward(network.upload({"rgb": x})))


def by_the_library(torchvision: ModuleType, name: str, state: Any, x: FloatArray) -> FloatArray:
    net = torchvision.models.get_model(name, weights=None, num_classes=len(CLASSES)).eval()
    net.load_state_dict(state)
    with torch.inference_mode():
        found: FloatArray = net(torch.from_numpy(x).permute(0, 4, 1, 2, 3)).numpy()
    return found


SELECTIONS = ("torch", "torch:fp32:plain", "onnx", "openvino")


def test_mc3_in_every_backend(torchvision: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    x = video(2, 5, 41, 47)
    weights = random_weights(request_of("mc3_18"))
    net = with_weights(NETWORKS["mc3_18"], weights)
    expected = by_the_library(torchvision, "mc3_18", net.state_dict(), x)
    assert np.ptp(expected) > 0.1
    # Drawing and building takes most of the time: once for all.
    monkeypatch.setattr(torchvision_video, "with_weights", lambda *_: deepcopy(net))
    for selection in SELECTIONS:
        found = logits(request_of(f"mc3_18@{selection}"), weights, x)
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.usefixtures("torchvision")
def test_half_precision() -> None:
    request = request_of("mc3_18@torch:bf16")
    if why_not(request.offered, "bf16", "tuned", "cpu"):
        pytest.skip("no bfloat16 on this CPU")
    weights, x = random_weights(request), video(1, 4, 32, 32)
    exact = logits(request_of("mc3_18@torch"), weights, x)
    found = logits(request, weights, x)
    assert 0 < np.abs(found - exact).max() < 0.1 * np.abs(exact).max()


def swin() -> torch.nn.Module:
    from torchvision.models.video.swin_transformer import SwinTransformer3d

    made: torch.nn.Module = SwinTransformer3d([2, 4, 4], 12, [2, 1], [2, 3], [2, 3, 3], num_classes=7)
    return made


def mvit() -> torch.nn.Module:
    from torchvision.models.video.mvit import MSBlockConfig, MViT

    kernel = [3, 3, 3]
    blocks = [
        MSBlockConfig(1, 24, 48, [], kernel, [], [1, 2, 2]),
        MSBlockConfig(2, 48, 48, kernel, kernel, [1, 2, 2], [1, 1, 1]),
    ]
    made: torch.nn.Module = MViT(
        (32, 32), 4, blocks, True, False, rel_pos_embed=True, proj_after_attn=True, num_classes=7
    )
    return made


@pytest.mark.usefixtures("torchvision")
@pytest.mark.parametrize("make", [swin, mvit])
def test_graphs_of_transformers(make: Any) -> None:
    """Small ones with every kind of layer: windows that are shifted and padded, pooled attention."""
    torch.manual_seed(0)
    net = make().eval()
    for each in net.parameters():
        torch.nn.init.normal_(each, std=0.3)
    graph = exported(net, (4, 32, 32), any_size=False)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["N", 4, 32, 32, 3]
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(graph), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for batch in (1, 3):
        x = video(batch, 4, 32, 32)
        with torch.inference_mode():
            expected = net(torch.from_numpy(x).permute(0, 4, 1, 2, 3)).numpy()
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(session.run(None, {"input": x})[0], expected, atol=1e-4)
        np.testing.assert_allclose(compiled(x)[0], expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_18", "s3d", "mvit_v1_b", "mvit_v2_s", "swin3d_t"])
def test_each_architecture_in_every_backend(torchvision: ModuleType, name: str) -> None:
    network = NETWORKS[name]
    side = max(network.min_side, 65)
    frames, height, width = network.size or (15, side, side)
    x = video(1, frames, height, width)
    weights = random_weights(request_of(name))
    state = with_weights(network, weights).state_dict()
    expected = by_the_library(torchvision, name, state, x)
    assert np.ptp(expected) > 0.1
    for selection in ("torch", "onnx", "openvino"):
        found = logits(request_of(f"{name}@{selection}"), weights, x, threads=2)
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_named_without_the_library(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    request = find_model(f"tv:{name}@onnx")
    assert (request.name, request.model.name) == (f"tv:{name}", f"tv:{name}")
    assert request.model.streams["rgb"].figures is not None


def test_an_unknown_name() -> None:
    with pytest.raises(UsageError, match=r"network of torchvision 'r3d_81'.*r3d_18"):
        find_model("tv:r3d_81")


def forget_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)


def test_without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_torchvision(monkeypatch)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    request = request_of("mc3_18", tuple("ab"))
    with pytest.raises(BackendUnavailable, match=r"not installed: torchvision.*actionbench\[torchvision\]"):
        load_network(request, {"rgb": random_weights(request)}, LoadOptions())
    with pytest.raises(BackendUnavailable, match=r"torchvision is not installed.*actionbench\[torchvision\]"):
        torchvision_video.build(NETWORKS["mc3_18"], 400)


def test_with_a_torchvision_for_another_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the package index's wheel says beside a torch without CUDA."""
    forget_torchvision(monkeypatch)
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BackendUnavailable, match="operator torchvision::nms does not exist") as caught:
        torchvision_video.build(NETWORKS["s3d"], 400)
    message = str(caught.value)
    assert "--index-url https://download.pytorch.org/whl/cpu" in message
    assert "--python torch=" in message
    assert torch.__version__ in message


def test_the_one_size_that_mvit_takes() -> None:
    request = find_model("tv:mvit_v2_s")
    assert shapes_of(request.model) == ((16, 224, 224, 1), (16, 224, 224, 2))
    with pytest.raises(UsageError, match=r"another length than the network takes; expected 16 frames"):
        find_model("tv:mvit_v2_s:K=32")
    assert find_model("tv:r3d_18:K=32").model.views.window == 32
    check_inputs(request.model, {"rgb": np.zeros((1, 16, 224, 224, 3), np.float32)})
    with pytest.raises(ClipError, match="expected 16×224×224; found 17×224×224"):
        check_inputs(request.model, {"rgb": np.zeros((1, 17, 224, 224, 3), np.float32)})


def test_s3d_is_compared_on_what_it_takes() -> None:
    shapes = shapes_of(find_model("tv:s3d").model)
    assert min(frames for frames, *_ in shapes) == 14
    assert min(min(height, width) for _, height, width, _ in shapes) == 224


@pytest.fixture
def state_dict(torchvision: ModuleType) -> Any:
    """S3D as torchvision saves it, with 7 classes."""
    torch.manual_seed(0)
    return torchvision.models.get_model("s3d", weights=None, num_classes=7).state_dict()


def user_weights(path: Path, name: str = "s3d") -> Weights:
    described = replace(NETWORKS[name].description, labels=CLASSES, format=detect_format(path))
    return Weights("user", described, path)


def test_a_state_dict_of_torchvision(state_dict: Any, tmp_path: Path) -> None:
    torch.save(state_dict, tmp_path / "own.pth")
    weights = user_weights(tmp_path / "own.pth")
    assert weights.description.format == "torchvision"
    net = with_weights(NETWORKS["s3d"], weights)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, state_dict[name]), name


def test_a_state_dict_as_safetensors(state_dict: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(state_dict, tmp_path / "own.safetensors")
    weights = user_weights(tmp_path / "own.safetensors")
    assert weights.description.format == "torchvision-safetensors"
    net = with_weights(NETWORKS["s3d"], weights)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, state_dict[name]), name


@pytest.mark.parametrize("format", ["torchvision", "torchvision-safetensors"])
def test_written_and_read_again(state_dict: Any, tmp_path: Path, format: str) -> None:
    path = tmp_path / ("own.pth" if format == "torchvision" else "own.safetensors")
    torch.save(state_dict, tmp_path / "first.pth")
    state = read_state(tmp_path / "first.pth", "torchvision", "rgb")
    write_state(state, path, format, "rgb")
    again = read_state(path, detect_format(path), "rgb")
    assert detect_format(path) == format
    assert again.keys() == state.keys()
    assert all(np.array_equal(again[name], state[name]) for name in state)


@pytest.mark.usefixtures("torchvision")
def test_swins_table_of_positions_is_not_read(tmp_path: Path) -> None:
    net = swin()
    assert any(name.endswith("relative_position_index") for name in net.state_dict())
    torch.save(net.state_dict(), tmp_path / "swin.pth")
    assert detect_format(tmp_path / "swin.pth") == "torchvision"
    state = read_state(tmp_path / "swin.pth", "torchvision", "rgb")
    assert state.keys() == {name for name, _ in net.named_parameters()}


def test_files_that_do_not_fit(state_dict: Any, tmp_path: Path) -> None:
    path = tmp_path / "s3d.pth"
    torch.save(state_dict, path)
    with pytest.raises(WeightsError, match=r"s3d\.pth: has no tensor fc\.bias"):
        with_weights(NETWORKS["r3d_18"], user_weights(path, "r3d_18"))
    with pytest.raises(WeightsError, match=r"expected 400 classes \(kinetics-400\).*found 7 classes"):
        with_weights(NETWORKS["s3d"], resolve_weights("rgb", NETWORKS["s3d"].description, path))
    name = "features.0.1.0.weight"
    torch.save(state_dict | {name: state_dict[name][:, :1]}, path)
    with pytest.raises(WeightsError, match=rf"1 misshapen: {name}"):
        with_weights(NETWORKS["s3d"], user_weights(path))
    torch.save({each: state_dict[each] for each in state_dict if each != name}, path)
    with pytest.raises(WeightsError, match=f"1 missing: {name}"):
        with_weights(NETWORKS["s3d"], user_weights(path))
