"""`onnx:FILE`: any network in an ONNX file, described by the YAML file beside it (docs/onnx-files.md).

The file is not trusted: it is checked before anything computes it, and computed by our own backends within a
graph like those of our networks (`wrapping`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import ActionBenchError, BackendUnavailable, UsageError, WeightsError
from ...capabilities import BACKENDS
from ...spec import InputSizes, LoadOptions, Model, Network, Weights
from ...transforms import Triple
from ...weights.record import digest
from ...weights.sidecar import sidecar_path
from .one_by_one import OneByOne

if TYPE_CHECKING:
    from onnx import ModelProto

    from .description import FileDescription

_HERE = "actionbench.models.families.onnx_file.model"


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFile:
    """An ONNX file and its description, read and checked.

    - `path`: of it. `sha256`: of its bytes, those of the files that hold some of its tensors, in name order,
      and those of its description.
    - `description`: what both say. `shapes`: its graph without its larger tensors.
    - `parameters`: numbers in its weights.
    """

    path: Path
    sha256: str
    description: FileDescription
    shapes: ModelProto
    parameters: int


def model(name: str) -> Model:
    """The network in the ONNX file at the path `name`.

    Raises UsageError if there is no such file or it is a folder, BackendUnavailable without the package that
    reads it, and WeightsError for a file or a description that cannot be used (`onnx_reading`,
    `description`).
    """
    path = Path(name)
    if name and path.is_dir():
        raise UsageError(
            "is a folder, where one file is expected",
            where=f"onnx:{name}",
            expected="onnx:FILE.onnx",
            remedy="A folder of Hugging Face's is named hf:FOLDER; one of `bench finetune`, by its path.",
        )
    if not path.is_file():
        raise UsageError("there is no such file", where=f"onnx:{name}", expected="onnx:FILE.onnx")
    if importlib.util.find_spec("onnx") is None:
        raise BackendUnavailable(
            "ONNX files cannot be read: the package onnx is not installed",
            where=f"onnx:{name}",
            remedy=f"`{BACKENDS['onnx'].remedy}`.",
        )
    read = _read(path.absolute(), _stamps(path))
    found = read.description
    streams = {"rgb": found.weights}
    return Model(
        name=found.name,
        title=f"{found.name}, an ONNX file",
        streams=streams,
        backends={"onnx": f"{_HERE}:load_onnxruntime", "openvino": f"{_HERE}:load_openvino"},
        # Neither rounding nor quantising the inside of the operator that carries states has been tried.
        precisions={"openvino": ("fp32",)} if found.interface.states else {},
        paper=found.weights.paper,
        macs=partial(_macs, read),
        parameters=lambda _stream, _classes: read.parameters,
        onnx=f"{_HERE}:graph",
        fixed_weights={"rgb": Weights("user", found.weights, read.path, read.sha256)},
        sizes=InputSizes(
            frames=found.weights.views.single_frames,
            side=found.weights.preprocessing.crop,
            batch=1 if found.interface.states else found.interface.size("N"),
        ),
    )


def graph(weights: Weights, wide: bool = False) -> bytes:  # noqa: ARG001
    """The graph of the file `weights.path` from prepared frames to logits (`Model.onnx`).

    Raises WeightsError if the file, or its description, is no longer the one that `weights` is about.
    """
    from ...backends.onnx_reading import read_network
    from .wrapping import round_weights, wrapped

    assert weights.path is not None, "the weights of such a network are in its file"
    read = _read(weights.path, _stamps(weights.path))
    if read.sha256 != weights.sha256:
        raise WeightsError(
            "has changed since it was checked, or its description has",
            where=weights.path,
            expected=f"sha256 {weights.sha256}",
            found=read.sha256,
        )
    network, _ = read_network(weights.path)
    if weights.mantissa is not None:
        round_weights(network, weights.mantissa)
    found = read.description
    crop = found.weights.preprocessing.crop
    return wrapped(network, found.interface, crop, found.scores, found.answer)


def load_onnxruntime(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network in ONNX Runtime. Raises WeightsError if that cannot load it, and as `OnnxNetwork` does."""
    from ...backends.onnx_network import load

    return _loaded("ONNX Runtime", partial(load, model, weights, options), model)


def load_openvino(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network in OpenVINO. Raises WeightsError if that cannot load it, and as `OpenVinoNetwork` does."""
    from ...backends.openvino_network import load

    return _loaded("OpenVINO", partial(load, model, weights, options), model)


def _loaded(runtime: str, make: Callable[[], Network], model: Model) -> Network:
    try:
        network = make()
    except ActionBenchError:
        raise
    except MemoryError as error:
        raise WeightsError(
            f"does not fit into the memory of this machine in {runtime}", where=model.name
        ) from error
    except Exception as error:  # the runtimes' own, which have no class in common
        raise WeightsError(
            f"cannot be loaded by {runtime}", where=model.name, found=" ".join(str(error).split())
        ) from error
    return network if model.sizes.batch is None else OneByOne(network)


def _stamps(path: Path) -> tuple[tuple[int, int], ...]:
    """What tells a file, or its description, from a later version of it."""
    files = [each.stat() for each in (path, sidecar_path(path)) if each.is_file()]
    return tuple((each.st_mtime_ns, each.st_size) for each in files)


@lru_cache(maxsize=16)
def _read(path: Path, stamps: tuple[tuple[int, int], ...]) -> OnnxFile:  # noqa: ARG001
    """The file at `path`; a run asks for it many times, and it may have gigabytes."""
    from ...backends.onnx_reading import read_network
    from .counting import parameters, without_weights
    from .description import describe
    from .wrapping import require_scan

    network, files = read_network(path)
    description = describe(path, network.graph)
    if description.interface.states:
        require_scan(network, path)
    count = parameters(network)
    return OnnxFile(path, digest([*files, sidecar_path(path)]), description, without_weights(network), count)


@lru_cache(maxsize=64)
def _counted(read: OnnxFile, size: Triple) -> int | None:
    from .counting import multiply_accumulates

    found, frames = read.description, size[0]
    interface = found.interface
    at_once = (interface.size("T") or 1) if interface.states else frames
    sizes = dict(zip("NCTHW", (1, 3, at_once, *size[1:]), strict=True))
    inputs = {interface.input: tuple(sizes[axis] for axis in interface.layout)}
    inputs |= {each.input: each.shape for each in interface.states}
    once = multiply_accumulates(read.shapes, inputs, found.name)
    return None if once is None else once * (frames // at_once)


def _macs(read: OnnxFile, streams: Mapping[str, Triple], classes: int) -> int | None:  # noqa: ARG001
    return _counted(read, streams["rgb"])
