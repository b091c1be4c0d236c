"""Demo weights: a seeded random network whose last layer is fitted to the drawn training clips.

With them every accuracy table, interval and test can be computed without a download. A network declares how
they are made (`Model.demo`); ours are written in the authors' formats and read back by the same readers.
Their accuracy says nothing about real video.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from ...atomic import write_file
from ...child_process import output_of
from ...errors import WeightsError
from ...home import home
from ...models.registry import ModelRequest
from ...models.spec import DemoWeights, Weights
from ...registry import LOAD_REMEDY, load
from ..worker.supervisor import worker_environment
from .environment import cores
from .plan import PlannedModel

VERSION = 3
"""Raised when the same seed gives other weights."""

_FLOW = "dis"
"""Flow that the flow stream's last layer is fitted on: 100 times cheaper than TV-L1, and only a demo."""

_COMPLETE = "complete"
"""File that is written last and holds the digest of the weights."""


def demo_path(demo: DemoWeights, seed: int) -> Path:
    """Path of demo weights, which need not exist.

    - `demo`: how they are made.
    - `seed`: of the random network.
    """
    from ...datasets.synthetic.clips import DRAWING  # needs a video library, which runs on arrays do without

    folder = home() / "demo-weights" / f"v{VERSION}-drawing{DRAWING}-seed{seed}"
    return folder / demo.name / demo.file


def with_demo_weights(model: PlannedModel, python: str, progress: Callable[[str], None]) -> PlannedModel:
    """The model with its demo weights on disk; they are made if they do not exist.

    - `model`: the model; weights of other kinds are not changed.
    - `python`: an interpreter with torch, which makes them.
    - `progress`: called with a line of text when something is made.

    Raises WeightsError for a network that declares none (`Model.demo`), MeasurementError if they cannot be
    made.
    """
    weights = {
        stream: _made(model.request, each, python, progress) if each.kind == "demo" else each
        for stream, each in model.weights.items()
    }
    return replace(model, weights=weights)


def _made(request: ModelRequest, weights: Weights, python: str, progress: Callable[[str], None]) -> Weights:
    stream = weights.description.stream
    demo = request.model.demo.get(stream)
    if demo is None:
        raise WeightsError(
            f"there are no demo weights in place of {weights.description.name}",
            where=request.key,
            remedy="--weights MODEL=PATH names a file, --weights random measures time only.",
        )
    path = demo_path(demo, weights.seed)
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent.parent / f"{demo.name}.lock"):
        if not (path.parent / _COMPLETE).exists():
            progress(f"making demo weights for {demo.name} (once)")
            output_of(
                [python, "-m", "actionbench.bench.plan.demo", request.key, stream, str(weights.seed)],
                f"demo weights for {demo.name} could not be made",
                where=python,
                remedy="They need torch: --python torch=INTERPRETER names one that has it.",
                env=worker_environment(cores()),
            )
    return replace(weights, path=path, sha256=(path.parent / _COMPLETE).read_text(encoding="utf-8"))


def make(name: str, stream: str, seed: int) -> None:
    """Fit a network to the training part of the demo clips and write it; for a process that may import torch.

    - `name`: the request of the model (`find_model`).
    - `stream`: a stream that the model declares demo weights for.
    - `seed`: of the random network.

    Clips of classes that the network does not have are left out. Raises WeightsError if none is left,
    BackendUnavailable if the function that gives the network cannot be loaded.
    """
    import torch

    from ...datasets.synthetic.clips import load_demo
    from ...models.demo import fit
    from ...models.labels import labels
    from ...models.registry import find_model, keep_importable
    from ...models.weights.record import digest
    from ...preprocessing.assembly import assemble

    torch.set_num_threads(cores())
    request = find_model(name)
    description, demo = request.model.streams[stream], request.model.demo[stream]
    weights = {stream: Weights("random", description, seed=seed)}
    flow = _FLOW if description.preprocessing.modality == "flow" else None
    preparer = assemble(weights, demo.views or description.views, flow=flow, threads=cores())
    names = labels(description.labels)
    inputs, targets = [], []
    for clip in load_demo("train"):
        if clip.label not in names:
            continue
        for view in preparer(clip).views:
            inputs.append(view[stream].astype(np.float32, copy=False))
            targets.append(names.index(clip.label))
    if not inputs:
        raise WeightsError("has no class of the demo clips, which demo weights are fitted to", where=name)
    keep_importable(request)
    network = load(demo.network, f"the network for the demo weights of {name}", LOAD_REMEDY)(
        description, len(names), seed
    )
    fit(network, inputs, targets, seed)
    path = demo_path(demo, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path)
    files = sorted(file for file in path.parent.iterdir() if file.name != _COMPLETE)
    write_file(path.parent / _COMPLETE, digest(files))


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2], int(sys.argv[3]))  # written by `_made`
