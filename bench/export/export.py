"""`bench export`: a network as files for other programs, written and then checked as they lie on the disk."""

from __future__ import annotations

import json
import pickle
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ... import __version__
from ...atomic import write_file
from ...child_process import output_of
from ...errors import MeasurementError, UsageError
from ...models.parity import TOLERANCE, BackendAgreement, compare_logits, parity_inputs, parity_pixels
from ...models.registry import ModelRequest, find_model
from ..agreement.check import AGREEMENT_FRAMES
from ..agreement.logits import compute_logits, save_arrays
from ..console.progress import Console
from ..plan.config import RunConfig
from ..plan.files import with_files
from ..plan.plan import PlannedModel, plan_models
from ..plan.selection import unable
from ..worker.supervisor import worker_environment
from .process import ComputeTask, WriteTask

ENDINGS = {"onnx": ".onnx", "openvino": ".xml"}
"""Backend → the ending of its file. Beside an .xml lies a .bin with the weights."""

_IN_FILES = ("fp32", "int8")
"""Precisions that a file has; the others are how a runtime computes what a float32 file holds."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how far its logits are from those of the network.

    - `files`: one for each stream; beside an .xml lies a .bin of the same name.
    - `precision`: "fp32" or "int8". `weights`: stream → "published", "user", "demo" or "random".
    - `reference`: the model that the files were compared with, e.g. "falls@torch".
    - `agreements`: shape of the input, frames×height×width×batch, → how far apart.
    """

    files: tuple[Path, ...]
    precision: str
    weights: Mapping[str, str]
    reference: str
    agreements: Mapping[str, BackendAgreement]


def export(config: RunConfig, out: Path, console: Console) -> Exported:
    """Write the one model of `config` as ONNX, or as OpenVINO's files, and check what the files compute.

    - `config`: of its settings, those of the network: model, weights, threads, interpreters, calibration.
    - `out`: a new file (.onnx or .xml), or a folder, in which files are called after the model and stream.

    The network is written into a temporary folder, loaded from there in a fresh process, and compared with
    another backend on two seeded inputs: a window of its length, and a batch of two short ones. Only then are
    the files put in their place, each whole.

    Raises UsageError for a network or a backend without export, and for files that exist; MeasurementError
    if the files compute something else, after which nothing is written; and as `plan_models` does.
    """
    (name,) = config.models
    request = _request(name, out)
    targets = _targets(request, out)
    # Not the drawn clips, for which demo weights stand in where there are no others.
    config = replace(config, data=str(out), device="cpu")
    (planned,) = plan_models(replace(config, models=(request.key,)), None)
    planned = with_files(planned, config, console.say)
    reference = _reference(request, config)
    (compared_with,) = plan_models(replace(config, models=(reference,)), None)
    compared_with = with_files(compared_with, config, console.say)
    beside = next(iter(targets.values())).parent
    beside.mkdir(parents=True, exist_ok=True)
    # In the folder of the files: whether it can be written is known before anything is computed.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=beside) as folder:
        files = {stream: Path(folder) / path.name for stream, path in targets.items()}
        console.say(f"writing {', '.join(path.name for path in targets.values())}")
        facts = {stream: _facts(planned, stream, targets) for stream in targets}
        _run(
            WriteTask(request.key, planned.weights, planned.options.quantised, facts, files),
            planned,
            "cannot be exported",
        )
        agreements = _agreements(planned, compared_with, files, facts, Path(folder), config, console)
        _require_agreement(request, compared_with.key, agreements, out)
        for stream, path in targets.items():
            # The .xml last: without it, what lies beside it is no network.
            for ending in (".bin", ".xml") if path.suffix == ".xml" else (path.suffix,):
                written = files[stream].with_suffix(ending)
                write_file(path.with_suffix(ending), written.read_bytes())
    kinds = {stream: weights.kind for stream, weights in planned.weights.items()}
    return Exported(tuple(targets.values()), request.precision, kinds, compared_with.key, agreements)


def _request(name: str, out: Path) -> ModelRequest:
    """The model with a backend that has files. Raises UsageError for one without."""
    request = find_model(name)
    ending = out.suffix.lower()
    if request.selection:
        backend = request.backend
    else:
        backend = next((each for each in ENDINGS if ENDINGS[each] == ending), "onnx")
    if backend not in ENDINGS:
        raise UsageError(
            f"the backend {backend} has no file format",
            where=name,
            expected=" or ".join(f"{request.name}@{each}" for each in ENDINGS),
        )
    model = request.model
    if backend not in model.backends or model.onnx is None:
        raise UsageError(
            f"has no graph for {backend}, so that it cannot be exported",
            where=model.name,
            remedy="Set `onnx` of its Model (docs/adding-a-network.md), or name another network.",
        )
    if ending in (*ENDINGS.values(), ".bin") and ending != ENDINGS[backend] and not out.is_dir():
        raise UsageError(
            f"is no name of a file of {backend}", where=f"--out {out}", expected=f"*{ENDINGS[backend]}"
        )
    chosen = request if request.selection else find_model(f"{request.name}@{backend}")
    if chosen.precision not in _IN_FILES:
        raise UsageError(
            f"{chosen.precision} is how a runtime computes, not what a file holds",
            where=name,
            expected=" or ".join(p for p in _IN_FILES if p in chosen.offered.precisions),
            remedy="Export float32, and ask the runtime for the other precision.",
        )
    return chosen


def _targets(request: ModelRequest, out: Path) -> dict[str, Path]:
    """Stream → its file. Raises UsageError for files that exist, or one file for several streams."""
    ending, streams = ENDINGS[request.backend], tuple(request.model.streams)
    name = re.sub(r"[^\w.-]+", "-", request.model.name)
    if out.suffix.lower() == ending and not out.is_dir():
        if len(streams) > 1:
            raise UsageError(
                f"has {len(streams)} streams, each in a file of its own",
                where=request.model.name,
                expected=", ".join(f"{name}-{stream}{ending}" for stream in streams),
                found=f"--out {out}",
                remedy="Name a folder: --out FOLDER.",
            )
        targets = {streams[0]: out.with_suffix(ending)}
    elif out.exists() and not out.is_dir():
        raise UsageError("is a file", where=f"--out {out}", expected=f"a folder, or a new file *{ending}")
    elif len(streams) == 1:
        targets = {streams[0]: out / f"{name}{ending}"}
    else:
        targets = {stream: out / f"{name}-{stream}{ending}" for stream in streams}
    for path in targets.values():
        for each in (path, path.with_suffix(".bin")) if ending == ".xml" else (path,):
            if each.exists():
                raise UsageError("exists already", where=each, remedy="Name another --out, or remove it.")
    return targets


def _reference(request: ModelRequest, config: RunConfig) -> str:
    """The model in a backend that does not compute the exported graph: torch where it is there.

    Raises UsageError if this machine has none.
    """
    others = [backend for backend in request.model.backends if backend not in ENDINGS]
    found = [find_model(f"{request.name}@{backend}") for backend in others]
    able = [
        each.key
        for each in found
        if each.precision == "fp32" and not each.offered.own_network and unable(each, config) is None
    ]
    if not able:
        raise UsageError(
            "cannot be checked: this machine has no other backend of it to compare the file with",
            where=request.model.name,
            found=", ".join(request.model.backends),
        )
    return next((name for name in able if name.endswith("@torch")), able[0])


def _facts(planned: PlannedModel, stream: str, targets: Mapping[str, Path]) -> dict[str, str]:
    """What a file says of itself: name → plain text, or JSON."""
    request, weights = planned.request, planned.weights[stream]
    how = weights.description.preprocessing
    picture = "uint8 RGB pixels 0–255, resized and cropped as `preprocessing` says; scaled in the file"
    flow = "float32 optical flow, prepared as `preprocessing` says"
    others = [path.name for other, path in targets.items() if other != stream]
    facts = {
        "producer": f"ActionBench {__version__}",
        "model": request.model.name,
        "title": request.model.title,
        "stream": stream,
        "precision": request.precision,
        "input": f"(N, T, H, W, {how.channels}) {picture if how.modality == 'rgb' else flow}",
        "output": "(N, classes) float32 logits"
        + (f", to be added to those of {', '.join(others)}" if others else ""),
        "labels": _json(planned.labels),
        "preprocessing": _json(asdict(how) | {"rate": None if how.rate is None else str(how.rate)}),
        "views": _json(asdict(request.model.views)),
        "weights": f"{weights.kind}: {weights.description.name}",
        "weights_sha256": weights.sha256 or "",
        "licence": weights.description.licence,
        "source": weights.description.source,
    }
    if planned.people is not None:
        facts["people"] = _json(planned.people.record())
    point = planned.operating_point
    return facts if point is None else facts | {"operating_point": _json(asdict(point))}


def _json(value: object) -> str:
    # In ASCII: not every reader of an .xml file minds its encoding.
    return json.dumps(value, allow_nan=False)


def _agreements(
    planned: PlannedModel,
    reference: PlannedModel,
    files: Mapping[str, Path],
    facts: Mapping[str, Mapping[str, str]],
    folder: Path,
    config: RunConfig,
    console: Console,
) -> dict[str, BackendAgreement]:
    """How far the files' logits are from those of `reference`, for each shape of the input."""
    model = planned.request.model
    side = max(weights.description.preprocessing.crop for weights in planned.weights.values())
    least, frames = model.views.min_frames, max(model.views.min_frames, model.views.single_frames)
    # An odd number of frames and a batch: mistakes in padding, and in what the file holds fixed, show.
    odd = frames if "size" in model.details else max(least, min(frames, AGREEMENT_FRAMES) - 1)
    shapes = ((frames, side, side, 1), (odd, side, side, 2))
    # What the weights say of pixels, which may differ from what the network assumes.
    used = replace(model, streams={s: w.description for s, w in planned.weights.items()})
    prepared = [folder / f"prepared-{number}.npz" for number, _ in enumerate(shapes)]
    pixels = [folder / f"pixels-{number}.npz" for number, _ in enumerate(shapes)]
    for number, shape in enumerate(shapes):
        save_arrays(prepared[number], parity_inputs(used, *shape, seed=number))
        save_arrays(pixels[number], parity_pixels(used, *shape, seed=number))
    expected = compute_logits(reference, prepared, config, console)
    console.say("computing with the files")
    arrays = tuple((path, path.with_suffix(".npy")) for path in pixels)
    _run(ComputeTask(files, facts, arrays, planned.options.threads), planned, "its files cannot be used")
    agreements = {}
    for shape, logits, (_, path) in zip(shapes, expected, arrays, strict=True):
        try:
            found = compare_logits(logits, np.load(path, allow_pickle=False))
        except ValueError as error:
            raise MeasurementError(
                f"what the file computes cannot be compared with {reference.key}: {error}",
                where=planned.key,
            ) from error
        agreements["×".join(map(str, shape))] = found
    return agreements


def _require_agreement(
    request: ModelRequest, reference: str, agreements: Mapping[str, BackendAgreement], out: Path
) -> None:
    for shape, agreement in agreements.items():
        if agreement.verdict(request.precision) == "other":
            raise MeasurementError(
                f"the file computes something else than {reference}; it is not kept",
                where=f"--out {out}",
                expected=f"logits within {TOLERANCE:g}",
                found=f"{agreement.max_abs:.2g} on input of {shape}",
                remedy="`bench parity` compares the network's backends.",
            )


def _run(task: WriteTask | ComputeTask, planned: PlannedModel, failure: str) -> None:
    output_of(
        [planned.python, "-m", "actionbench.bench.export.process"],
        failure,
        where=planned.key,
        env=worker_environment(planned.options.threads),
        stdin=pickle.dumps(task),
    )
