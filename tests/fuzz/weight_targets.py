"""Targets that are about networks: files of weights in every format, their descriptions, whole folders."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.errors import WeightsError
from actionbench.models.weights import sidecar
from actionbench.models.weights.archive import unpack
from actionbench.models.weights.descriptions import description
from actionbench.models.weights.formats import leveldb_table, tensor_bundle
from actionbench.models.weights.formats.pickled_arrays import read_pickled_arrays
from actionbench.models.weights.formats.readers import detect_format
from actionbench.models.weights.formats.safetensors_files import read_safetensors, write_safetensors
from actionbench.models.weights.formats.tensor_bundle import (
    index_path,
    list_tensors,
    prefix_of,
    read_tensors,
    write_bundle,
)
from actionbench.models.weights.formats.torch_files import read_torch
from actionbench.models.weights.record import recorded
from actionbench.parsing import to_yaml

from .target import Files, Target, shared_data, written

_DRAWN = np.random.default_rng(0)
TENSORS = {
    f"layer{n}.{name}": _DRAWN.normal(size=shape).astype(np.float32)
    for n in range(3)
    for name, shape in (("weight", (3, 2, 1)), ("bias", (3,)), ("scale", ()))
}


def _bundles() -> list[Files]:
    made = written(lambda folder: write_bundle(folder / "model.ckpt", TENSORS))
    data = shared_data()
    if data is not None:
        for path in sorted((data / "annotations" / "i3d_published" / "checkpoints").rglob("*.index")):
            made.append({"model.ckpt.index": path.read_bytes()})
    return made


def _read_bundle(path: Path) -> None:
    _detect(path)
    prefix = prefix_of(path)
    read_tensors(prefix, list_tensors(index_path(prefix)))


class _RightChecksum(int):
    """Equal to every checksum: a changed file seldom gets beyond its own."""

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = int.__hash__


def _read_bundle_unchecked(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in (leveldb_table, tensor_bundle):
            patch.setattr(module, "masked_crc32c", lambda _: _RightChecksum())
        _read_bundle(path)


def _detect(path: Path) -> None:
    """As any file of weights is: these tensors are of no known network."""
    with contextlib.suppress(WeightsError):
        detect_format(path)


def _torch(folder: Path, legacy: bool, nested: bool) -> None:
    import torch

    state: Any = {f"module.{name}": torch.from_numpy(np.array(tensor)) for name, tensor in TENSORS.items()}
    if nested:
        state = {"epoch": 3, "arch": "net", "state_dict": state, "optimizer": {"lr": 0.1, "steps": [1, 2]}}
    torch.save(state, folder / "net.pth", _use_new_zipfile_serialization=not legacy)


def _torch_files() -> list[Files]:
    return written(
        *(
            partial(_torch, legacy=legacy, nested=nested)
            for legacy in (False, True)
            for nested in (False, True)
        )
    )


def _pickles() -> list[Files]:
    nested = {"a": {"w": TENSORS["layer0.weight"], "f": np.asfortranarray(TENSORS["layer1.weight"])}}
    return [{"arrays.ckpt": pickle.dumps(nested, protocol=protocol)} for protocol in (3, 4)]


def _read_pickle(path: Path) -> None:
    with path.open("rb") as file:
        read_pickled_arrays(file, path)


def _read_safetensors(path: Path) -> None:
    _detect(path)
    read_safetensors(path)


def _archives() -> list[Files]:
    made: list[Files] = []
    for mode, ending in (("w", "tar"), ("w:gz", "tar.gz")):
        text = io.BytesIO()
        with tarfile.open(fileobj=text, mode=mode) as archive:  # type: ignore[call-overload]
            for name in ("module", "module/saved_model.pb", "module/variables/variables.index"):
                entry = tarfile.TarInfo(name)
                entry.type = tarfile.REGTYPE if "." in name else tarfile.DIRTYPE
                entry.size = 700 if "." in name else 0
                archive.addfile(entry, io.BytesIO(bytes(range(70)) * 10))
        made.append({f"module.{ending}": text.getvalue()})
    return made


def _unpack(path: Path) -> None:
    folder = path.parent / "unpacked"
    unpack(path, folder)
    outside = [each for each in folder.rglob("*") if not each.resolve().is_relative_to(folder.resolve())]
    assert not outside, f"leads out of its folder: {outside}"


SIDECAR = {
    "rate": "30000/1001",
    "labels": ["falling", "walking"],
    "licence": "CC BY 4.0",
    "figures": {"top1": 71.1, "top5": 89.3, "data": "Kinetics-400", "source": "paper"},
    "short_side": 256,
    "resize": "opencv-bilinear",
    "crop": 224,
    "scale": "1/255",
    "mean": [0.4, 0.5, 0.6],
    "std": [0.2, 0.2, 0.2],
    "window": 64,
    "stride": 32,
    "tail": "loop",
    "average": "softmax",
}


def _sidecars() -> list[Files]:
    return [
        {"net.pt.yaml": to_yaml(SIDECAR).encode()},
        {"net.pt.yaml": b"like: deepmind-rgb-imagenet\nwindow: 16\nclips: 3\ncrops: 3\n"},
        {
            "net.pt.yaml": b"labels: names.txt\nstretch: [112, 112]\ncrop: 112\n",
            "names.txt": b"# two\nfalling\nwalking\n",
        },
    ]


def _described(path: Path) -> None:
    from actionbench.models.labels import labels

    weights = path.with_name(path.name.removesuffix(".yaml"))
    found = sidecar.described(description("deepmind-rgb-imagenet"), weights)
    labels(found.labels)
    sidecar.states(weights, "rate")


def _onnx_files() -> list[Files]:
    from ..models.families.onnx_file.onnx_networks import STREAMING, running_mean, weighted_sum
    from ..models.families.onnx_file.onnx_networks import written as write_network
    from ..models.families.onnx_file.test_onnx_file_reading import with_external_data

    return [
        {name: each[name] for name in sorted(each)}
        for each in written(
            lambda folder: write_network(folder, weighted_sum("NCTHW")),
            lambda folder: write_network(
                folder, weighted_sum("NTHWC", fixed="C", softmax=True), layout="NTHWC"
            ),
            lambda folder: write_network(folder, running_mean(), STREAMING),
            lambda folder: write_network(folder, with_external_data(folder, "weights.bin")),
        )
    ]


def _onnx_network(path: Path) -> None:
    from actionbench.models.families.onnx_file.model import graph
    from actionbench.models.registry import find_model

    model = find_model(f"onnx:{path}").model
    graph(model.fixed_weights["rgb"])
    if model.macs is not None:
        model.macs({"rgb": (4, 6, 6)}, 3)


def _detectors() -> list[Files]:
    from ..detector_files import finding

    found = [
        dict(each) for each in written(lambda folder: finding(folder / "net.onnx", (0.1, 0.1, 0.5, 0.9)))
    ]
    found[0]["net.onnx.yaml"] = b"person: 1\n"
    return list(found)


def _detector(path: Path) -> None:
    from actionbench.models.detectors.registry import choose_detector

    choose_detector(f"onnx:{path}")


def _hugging_face_folders() -> list[Files]:
    from ..models.families.hugging_face.hugging_face_folders import CONFIGS, write_folder

    found = []
    for kind in CONFIGS:
        (files,) = written(lambda folder, kind=kind: write_folder(folder / "net", kind))  # type: ignore[misc]
        found.append({"net/config.json": files["net/config.json"]} | dict(files))
    index = {"weight_map": {"a": "one.safetensors"}}
    tensors = found[0]["net/model.safetensors"]
    sharded = {name: content for name, content in found[0].items() if name != "net/model.safetensors"}
    sharded |= {
        "net/model.safetensors.index.json": json.dumps(index).encode(),
        "net/one.safetensors": tensors,
    }
    return [*found, sharded]


def _hugging_face(path: Path) -> None:
    from actionbench.models.registry import find_model
    from actionbench.models.weights import resolve_weights

    model = find_model(f"hf:{path.parent}").model
    resolve_weights("rgb", model.streams["rgb"], path.parent)


def write_trained(folder: Path) -> None:
    from actionbench.models.finetuning.finetuned import Finetuned, write_description
    from actionbench.models.registry import find_model
    from actionbench.models.resnet.architecture import tensor_shapes
    from actionbench.models.weights.record import digest
    from actionbench.operating_point import Costs, OperatingPoint

    tensors = {name: np.zeros(1, np.float32) for name in tensor_shapes(2)}
    write_safetensors(tensors, folder / "weights.safetensors")
    network = Finetuned(
        base="resnet18",
        stream="rgb",
        preprocessing=find_model("resnet18").model.streams["rgb"].preprocessing,
        window=8,
        views=1,
        labels=("falling", "walking"),
        sha256=digest([folder / "weights.safetensors"]),
        began_with={"name": "net", "licence": "MIT"},
        licences={"hmdb51": "CC BY 4.0"},
        operating_point=OperatingPoint("falling", 0.25, Costs(5, 1), 30, 9),
        people={"detector": "hog"},
    )
    write_description(folder, network)


def _trained_network(path: Path) -> None:
    from actionbench.models.finetuning.finetuned import finetuned_weights, named_base
    from actionbench.models.registry import find_model

    named_base(path.parent)
    model = find_model(str(path.parent)).model
    finetuned_weights(path.parent, "rgb", model.streams["rgb"])


def _record() -> list[Files]:
    file = {"size": 3, "sha256": "0" * 64, "checked": "sha256"}
    return [{"fetched.json": json.dumps({"files": {"a.pt": file, "b/c.index": file}}).encode()}]


TARGETS = (
    Target("TensorFlow checkpoint", _bundles, _read_bundle),
    Target("TensorFlow checkpoint, any checksum", _bundles, _read_bundle_unchecked),
    Target("torch file, zip and legacy", _torch_files, read_torch, heavy=True),
    Target("pickled arrays", _pickles, _read_pickle),
    Target(
        "safetensors",
        lambda: written(lambda folder: write_safetensors(TENSORS, folder / "net.safetensors")),
        _read_safetensors,
    ),
    Target("weights archive (tar)", _archives, _unpack),
    Target("description of weights", _sidecars, _described),
    Target("ONNX network and its description", _onnx_files, _onnx_network, heavy=True),
    Target("ONNX detector", _detectors, _detector, heavy=True),
    Target("Hugging Face folder", _hugging_face_folders, _hugging_face),
    Target("trained network", lambda: written(write_trained), _trained_network),
    Target("record of fetched weights", _record, lambda path: recorded(path.parent)),
)
