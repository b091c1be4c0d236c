"""The table of torchvision's weights against the library's own, and fetching them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import WeightsError
from actionbench.models.families.torchvision_video.published import ADDRESS, NETWORKS, TorchvisionNetwork
from actionbench.models.labels import labels
from actionbench.models.registry import find_model
from actionbench.models.spec import Views, Weights
from actionbench.models.weights import catalogue, fetch, resolve_weights, stored_weights, verify
from actionbench.models.weights.catalogue import CATALOGUE, RemoteFile
from actionbench.models.weights.formats.torch_files import write_torch
from actionbench.preprocessing.assembly import assemble

from ...weights.loopback import HASTE, Server, serving


def published(torchvision: ModuleType, network: TorchvisionNetwork) -> Any:
    """The library's own description of the weights."""
    entries = torchvision.models.get_model_weights(network.builder)
    return entries["KINETICS400_IMAGENET22K_V1" if network.name.endswith("22k") else "KINETICS400_V1"]


def test_all_video_networks_are_there(torchvision: ModuleType) -> None:
    of_the_library = set(torchvision.models.list_models(module=torchvision.models.video))
    assert {network.builder for network in NETWORKS.values()} == of_the_library


@pytest.mark.parametrize("name", NETWORKS)
def test_as_in_the_library(torchvision: ModuleType, name: str) -> None:
    network = NETWORKS[name]
    own = published(torchvision, network)
    described, meta = network.description, own.meta
    assert own.url == ADDRESS + network.file
    figures = described.figures
    assert figures is not None
    measured = meta["_metrics"]["Kinetics-400"]
    assert (figures.top1, figures.top5) == (measured["acc@1"], measured["acc@5"])
    assert (figures.gmacs, figures.parameters) == (meta["_ops"], meta["num_params"])

    transforms, prepared = own.transforms(), described.preprocessing
    size = [prepared.short_side] if prepared.stretch is None else list(prepared.stretch)
    assert (transforms.resize_size, transforms.crop_size) == (size, [prepared.crop] * 2)
    assert transforms.interpolation.value == "bilinear"
    assert prepared.resize == "torch-bilinear"
    assert (tuple(transforms.mean), tuple(transforms.std)) == (prepared.mean, prepared.std)
    assert prepared.scale == 1 / 255

    stated = dict(re.findall(r"`(\w+)=([\d.]+)`", meta["_docs"]))
    assert Fraction(stated["frame_rate"]) == prepared.rate
    assert (described.views.clips, described.views.window) == (
        int(stated["clips_per_video"]),
        int(stated["clip_len"]),
    )
    least = max(meta["min_size"])
    if network.size is None:
        assert network.min_side == least
        assert described.views.min_frames >= meta.get("min_temporal_size", 1)
    else:
        assert min(network.size[1:]) >= least
        assert network.size[0] >= meta.get("min_temporal_size", 1)


def test_the_accuracy_names_its_data_and_leaves_the_views_to_the_views() -> None:
    described = NETWORKS["r2plus1d_18"].description
    assert described.reported_accuracy == "67.5 top-1, 86.2 top-5 on the Kinetics-400 validation set"
    assert not any(each.description.accuracy for each in NETWORKS.values())


def test_the_classes_are_in_the_order_of_our_list(torchvision: ModuleType) -> None:
    """To the letter: no spelling differs."""
    for network in NETWORKS.values():
        assert tuple(published(torchvision, network).meta["categories"]) == labels("kinetics-400")
        assert network.description.labels == "kinetics-400"


@pytest.mark.parametrize("name", ["r3d_18", "s3d", "mvit_v2_s", "swin3d_t"])
def test_pixels_are_those_of_the_weights_own_transforms(
    torchvision: ModuleType, shared_data: Path, name: str
) -> None:
    """One network of each preprocessing, on frames of a real video."""
    network = NETWORKS[name]
    described = network.description
    video = shared_data / "videos" / "kinetics_like" / "changing_oil" / "mmaction2_test1.mp4"  # 640×480
    clip = Clip("clip", video, start_s=1.0, end_s=1.6)
    whole = Views(window=None, stride=None, tail="loop", average="softmax", min_frames=1)
    (view,) = assemble({"rgb": Weights("random", described)}, whole, flow=None, threads=1)(clip).views
    with read_frames(clip, described.preprocessing.rate) as reader:
        frames = torch.from_numpy(np.stack(list(reader))).permute(0, 3, 1, 2)
    assert len(frames) > 3
    expected = published(torchvision, network).transforms()(frames).permute(1, 2, 3, 0).numpy()
    assert view["rgb"].shape == expected.shape
    # Halfway between two greys the last bit of a sum decides: one pixel in a hundred thousand at most.
    grey = 1 / 255 / min(described.preprocessing.std)
    np.testing.assert_allclose(view["rgb"], expected, rtol=0, atol=grey * 1.001)
    assert (np.abs(view["rgb"] - expected) > 2e-6).mean() < 1e-5


NAME = "tv:mc3_18"
FILE = "mc3_18-a90a0ba3.pth"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small file with a tensor of the right name; the catalogue knows the digits of its digest."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    write_torch({"stem.0.weight": np.ones((2, 3, 1, 1, 1), np.float32)}, tmp_path / "made.pth")
    contents = (tmp_path / "made.pth").read_bytes()
    digits = hashlib.sha256(contents).hexdigest()[:8]
    known = replace(CATALOGUE[NAME], files=(RemoteFile(FILE, sha256=digits),))
    monkeypatch.setattr(catalogue, "CATALOGUE", {**CATALOGUE, NAME: known})
    return contents


@pytest.fixture
def server(file: bytes, monkeypatch: pytest.MonkeyPatch) -> Any:
    with serving() as state:
        state.files[f"models/{FILE}"] = file
        moved = replace(catalogue.CATALOGUE[NAME], base=f"{state.address}/models/")
        monkeypatch.setattr(catalogue, "CATALOGUE", {**CATALOGUE, NAME: moved})
        yield state


def test_the_catalogue_has_address_and_digits() -> None:
    source = CATALOGUE["tv:swin3d_b_22k"]
    assert source.base + source.files[0].path == f"{ADDRESS}swin3d_b_22k-7c6ae6fa.pth"
    assert source.files[0].sha256 == "7c6ae6fa"
    assert ":" not in source.folder


def test_fetched_checked_and_used(server: Server, file: bytes) -> None:
    server.cut = [1000]
    model = find_model(NAME).model
    assert stored_weights(model.streams["rgb"]) is None
    path = fetch(NAME, policy=HASTE)
    assert (path.name, path.read_bytes()) == (FILE, file)
    assert [wanted for _, wanted in server.requests] == ["", "bytes=1000-"]
    record = json.loads((path.parent / "fetched.json").read_text())["files"][FILE]
    assert record["sha256"] == hashlib.sha256(file).hexdigest()
    assert record["checked"] == "first 8 digits of sha256"
    assert verify(NAME).ok
    assert stored_weights(model.streams["rgb"]) == path
    found = resolve_weights("rgb", model.streams["rgb"], path)
    assert (found.kind, found.checked, found.description) == ("published", True, model.streams["rgb"])


def test_the_licence_is_shown_before(server: Server) -> None:
    shown: list[str] = []

    def announce(licence: str) -> None:
        assert not server.requests
        shown.append(licence)

    fetch(NAME, policy=HASTE, announce=announce)
    assert server.requests
    assert shown == ["not stated (torchvision's code: BSD-3-Clause)"]


def test_wrong_bytes_are_refused(server: Server) -> None:
    server.files[f"models/{FILE}"] = b"x" * 5000
    with pytest.raises(WeightsError, match=f"{FILE}: is not the published file: its SHA-256 differs"):
        fetch(NAME, policy=HASTE)
    assert stored_weights(find_model(NAME).model.streams["rgb"]) is None


def lay_out_folder(folder: Path, contents: bytes) -> Path:
    (folder / FILE).write_bytes(contents)
    return folder


def lay_out_file(folder: Path, contents: bytes) -> Path:
    (folder / "downloaded.pth").write_bytes(contents)
    return folder / "downloaded.pth"


@pytest.mark.parametrize("lay_out", [lay_out_folder, lay_out_file])
def test_from_a_folder_or_a_file(file: bytes, tmp_path: Path, lay_out: Callable[[Path, bytes], Path]) -> None:
    (tmp_path / "mirror").mkdir()
    path = fetch(NAME, mirror=str(lay_out(tmp_path / "mirror", file)), policy=HASTE)
    assert path.read_bytes() == file


def test_the_wrong_file_of_a_mirror(file: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(file + b"x")
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        fetch(NAME, mirror=str(tmp_path), policy=HASTE)
