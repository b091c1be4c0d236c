"""The task "arrays": logits of given network input, for comparing backends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..scenarios.scenario import Loaded
from .events import Send, StageProgress
from .job import Job


@dataclass(frozen=True, slots=True)
class ArraySettings:
    """What is computed.

    - `files`: pairs of a file with input, .npz of stream → (N, T, H, W, C) float32, and the .npy file that
      its logits (N, classes) are written to.
    """

    files: tuple[tuple[Path, Path], ...] = ()


def compute_arrays(job: Job, loaded: Loaded, send: Send) -> None:
    """Write the logits of each file of input."""
    settings: ArraySettings = job.settings
    network = loaded.network
    for number, (source, destination) in enumerate(settings.files, 1):
        with np.load(source, allow_pickle=False) as inputs:
            batch = {stream: inputs[stream] for stream in job.weights}
        np.save(destination, network.download(network.forward(network.upload(batch))), allow_pickle=False)
        send(StageProgress("forward", number, len(settings.files)))
