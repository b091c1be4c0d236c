"""Demo weights: a seeded random network whose last layer is fitted to the drawn training clips.

They make every accuracy table, interval and test run end to end without a download. They are written in
the authors' formats and read back by the same readers. They say nothing about real video.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock

from ...errors import MeasurementError, WeightsError
from ...home import home
from ...models.spec import Weights
from ..worker.supervisor import worker_environment
from .environment import cores
from .plan import PlannedModel

VERSION = 3
"""Raised when the same seed gives other weights."""

_FLOW = "dis"
"""Flow that the flow stream's last layer is fitted on: 100 times cheaper than TV-L1, and only a demo."""

Architecture = Literal["i3d-rgb", "i3d-flow", "resnext"]

ARCHITECTURES: dict[str, Architecture] = {
    "deepmind-rgb-imagenet": "i3d-rgb",
    "deepmind-flow-imagenet": "i3d-flow",
    "hara-resnext-101-16f": "resnext",
    "hara-resnext-101-64f": "resnext",
}
"""Weights description → the network that is made in its place."""

_COMPLETE = "complete"
"""File that is written last and holds the digest of the weights."""

_FILES: dict[Architecture, str] = {
    "i3d-rgb": "model.ckpt",
    "i3d-flow": "model.ckpt",
    "resnext": "resnext-101-kinetics.pth",
}


def demo_path(architecture: Architecture, seed: int) -> Path:
    """The weights, for the drawn set and the seed that they were fitted to; they need not be there."""
    from ...datasets.synthetic.clips import DRAWING  # needs a video library, which runs on arrays do without

    folder = home() / "demo-weights" / f"v{VERSION}-drawing{DRAWING}-seed{seed}"
    return folder / architecture / _FILES[architecture]


def with_demo_weights(model: PlannedModel, python: str, progress: Callable[[str], None]) -> PlannedModel:
    """The model with its demo weights on disk; made now, by `python`, where they are not.

    `progress` is told what. Raises WeightsError for a network that there are none for, MeasurementError if
    they cannot be made.
    """
    weights = {s: _made(w, python, progress) if w.kind == "demo" else w for s, w in model.weights.items()}
    return replace(model, weights=weights)


def _made(weights: Weights, python: str, progress: Callable[[str], None]) -> Weights:
    name = weights.description.name
    if name not in ARCHITECTURES:
        raise WeightsError(
            f"there are no demo weights in place of {name}",
            remedy="--weights MODEL=PATH names a file, --weights random measures time only.",
        )
    architecture = ARCHITECTURES[name]
    path = demo_path(architecture, weights.seed)
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent.parent / f"{architecture}.lock"):
        if not (path.parent / _COMPLETE).exists():
            progress(f"making demo weights for {architecture} (once)")
            answer = subprocess.run(
                [python, "-m", "actionbench.bench.plan.demo", architecture, str(weights.seed)],
                capture_output=True,
                text=True,
                env=worker_environment(cores()),
            )
            if answer.returncode != 0:
                raise MeasurementError(
                    f"demo weights for {architecture} could not be made: {answer.stderr.strip()[-500:]}",
                    where=python,
                    remedy="They need torch: --python torch=INTERPRETER names one that has it.",
                )
    return replace(weights, path=path, sha256=(path.parent / _COMPLETE).read_text(encoding="utf-8"))


def make(architecture: Architecture, seed: int) -> None:
    """Fit a network to the drawn training clips and write it; in a process that may import torch."""
    import torch

    from ...datasets.synthetic.clips import load_demo
    from ...models.demo import demo_state
    from ...models.labels import labels
    from ...models.registry import find_model
    from ...models.weights import write_state
    from ...models.weights.record import digest
    from ...preprocessing.assembly import assemble

    torch.set_num_threads(cores())
    model = find_model(f"{architecture}@torch").model
    ((stream, description),) = model.streams.items()
    weights = {stream: Weights("random", description, seed=seed)}
    flow = _FLOW if description.preprocessing.modality == "flow" else None
    preparer = assemble(weights, model.views, flow=flow, threads=cores())
    names = labels(description.labels)
    inputs, targets = [], []
    for clip in load_demo("train"):
        assert clip.label is not None
        for view in preparer(clip).views:
            inputs.append(view[stream].astype(np.float32, copy=False))
            targets.append(names.index(clip.label))
    state = demo_state(architecture, inputs, targets, len(names), seed)
    path = demo_path(architecture, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_state(state, path, description.format, stream)
    files = sorted(file for file in path.parent.iterdir() if file.name != _COMPLETE)
    (path.parent / _COMPLETE).write_text(digest(files), encoding="utf-8")


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]))  # type: ignore[arg-type]  # written by `_made`, from ARCHITECTURES
