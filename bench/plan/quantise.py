"""Networks quantised to int8: made once from calibration clips, before any worker starts, and kept.

The clips give the ranges of the activations; their labels are not used. `bench parity` and a run's tables
show how far the results differ from float32. Any network that declares an ONNX graph (`Model.onnx`) can be
quantised.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from ...child_process import output_of
from ...datasets.clip import Clip
from ...datasets.sources.registry import load_clips
from ...errors import BackendUnavailable, UsageError
from ...home import home
from ...models.capabilities import INT8_REMEDY, QUANTISER
from ...models.spec import Weights
from ..worker.supervisor import worker_environment
from .config import DEFAULTS, RunConfig
from .environment import cores
from .plan import PlannedModel, sample

VERSION = 1
"""Raised when the same weights and clips give another network."""

CLIPS = 8
"""Clips that the ranges are taken from, one view from the middle of each."""


@dataclass(frozen=True, slots=True)
class QuantisationTask:
    """The task of the process that quantises; a pickle on its standard input, from its own parent.

    - `request`: names the network.
    - `weights`: stream → its weights.
    - `window`: frames of the view that is taken of each clip.
    - `clips`: the calibration clips.
    - `flow`: name of the flow method, None if no stream needs flow.
    - `targets`: stream → the file to write.
    - `note`: text that describes the clips, for the record.
    """

    request: str
    weights: Mapping[str, Weights]
    window: int
    clips: tuple[Clip, ...]
    flow: str | None
    targets: Mapping[str, Path]
    note: str


def with_quantised(model: PlannedModel, config: RunConfig, progress: Callable[[str], None]) -> PlannedModel:
    """The model with the int8 networks of its streams, which are made if they do not exist.

    - `model`: in int8.
    - `config`: gives the calibration clips.
    - `progress`: called with a line of text when something is made, and where the clips are not like those
      that the weights are for.

    Raises BackendUnavailable without NNCF, UsageError without clips, MeasurementError if one cannot be made.
    """
    if model.packages.get(QUANTISER) is None:
        raise BackendUnavailable(
            "int8 needs NNCF, which is not installed",
            where=f"{model.key} ({model.python})",
            remedy=f"`{INT8_REMEDY}`.",
        )
    found = load_clips(config.calibration, vocabulary=model.labels)
    clips = sample(found.clips, CLIPS, seed=0)
    if not clips:
        raise UsageError("holds no videos", where=f"--calibration {config.calibration}")
    trained = any(weights.kind in ("published", "user") for weights in model.weights.values())
    if trained and config.calibration == DEFAULTS.calibration:
        progress(
            f"{model.key}: its ranges come from synthetic clips, which trained weights are not for; it "
            "drifts less with ranges from videos like those that it will see: `--calibration`"
        )
    paths = {
        stream: _path(stream, weights, found.digest(), model) for stream, weights in model.weights.items()
    }
    folder = home() / "quantised"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        missing = {stream: path for stream, path in paths.items() if not path.exists()}
        if missing:
            progress(f"quantising {model.key} ({', '.join(missing)}; once)")
            note = f"{len(clips)} clips of {Path(config.calibration).name}"
            _run(
                QuantisationTask(
                    model.request.key,
                    model.weights,
                    model.views.single_frames,
                    clips,
                    model.flow,
                    missing,
                    note,
                ),
                model.python,
            )
    return replace(model, options=replace(model.options, quantised=paths))


def _path(stream: str, weights: Weights, clips: str, model: PlannedModel) -> Path:
    """One file for each set of weights, clips, preparation and versions."""
    what = {
        "version": VERSION,
        "weights": [weights.kind, weights.sha256, weights.seed, weights.description.name],
        "preprocessing": repr(weights.description.preprocessing),
        "frames": model.views.single_frames,
        "classes": len(model.labels),
        "clips": clips,
        "flow": model.flow if weights.description.preprocessing.modality == "flow" else None,
        "packages": {name: model.packages.get(name) for name in (QUANTISER, "openvino")},
    }
    name = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    # A network's stream may be a model of its own, called "network-stream": both have one file.
    network = model.request.model.name.removesuffix(f"-{stream}")
    return home() / "quantised" / f"{network}-{stream}-{name}.xml"


def _run(task: QuantisationTask, python: str) -> None:
    output_of(
        [python, "-m", "actionbench.bench.plan.quantise"],
        "cannot be quantised",
        where=task.request,
        env=worker_environment(cores()),
        stdin=pickle.dumps(task),
    )


def make(task: QuantisationTask) -> None:
    """Quantise the streams in `task.targets`; in a process that may import torch."""
    from ...models.backends.onnx_graphs import stream_graph
    from ...models.backends.quantisation import quantise
    from ...models.registry import find_model, keep_importable
    from ...preprocessing.assembly import assemble

    request = find_model(task.request)
    keep_importable(request)
    model = request.model
    preparer = assemble(
        task.weights, request.views(task.weights), flow=task.flow, threads=cores(), window=task.window
    )
    views = [preparer(clip).views[0] for clip in task.clips]
    for stream, path in task.targets.items():
        inputs = [view[stream][None] for view in views]
        quantise(stream_graph(model, task.weights[stream]), inputs, path, task.note)


if __name__ == "__main__":
    make(pickle.load(sys.stdin.buffer))
