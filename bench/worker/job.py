"""What a worker process is asked to do, and the events it answers with.

The job goes to the worker's standard input as one pickle (from its own parent, never from a file); the
events come back as JSON lines. The worker ends when its standard input is closed: when its parent dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from ...datasets.clip import Clip
from ...models.spec import LoadOptions, Weights
from ...records.run import Scenario


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """A camera that gives `fps` frames a second for `seconds`, and a label asked for every `stride` of them.

    `window`: frames that a label is about.
    """

    fps: Fraction
    window: int
    stride: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LoadGenSettings:
    """What MLPerf's LoadGen is to ask.

    `scenario`: its name for it. `seconds`: least time it asks for. `qps`: videos a second, None for what the
    network is measured to manage. `logs`: folder of its logs.
    """

    scenario: str
    seconds: float
    qps: float | None
    logs: Path


@dataclass(frozen=True, slots=True)
class Job:
    """One network in one fresh process.

    - `mode`: "accuracy" (predictions of `clips`, preparation beside the forward pass), "arrays" (logits of
      given input, for parity and `--logits`), "loadgen" (answers to LoadGen's queries), or a scenario that is
      timed.
    - `request`: the model as the user named it. `weights`: stream → weights. `classes`: length of its scores.
    - `window`: one window of so many frames from the middle instead of the authors' protocol (None).
    - `flow_cache`: folder of the flow cache; None in timing.
    - `ahead`: clips prepared ahead of the one in the network; 0 does one thing at a time.
    - `min_seconds`: a scenario's sample is gone through again until so much has been measured.
    - `lanes`: threads that clips are worked on by, each with `options.threads` in the network; `in_flight`:
      clips on their way at the same time. For the scenarios "pipelined" and "throughput".
    - `camera`: of the scenario "stream". `loadgen`: of the mode of this name.
    - `arrays`: for the mode "arrays", pairs of a file with input (.npz of stream → (N, T, H, W, C) float32)
      and the .npy file that its logits (N, classes) are written to.
    - `run`: run directory that a small picture of each clip goes to, in the mode "accuracy"; None for none.
    - `logits`: .npy file for the logits (views, classes) of the clips, in the mode "accuracy".
    """

    mode: Literal["accuracy", "arrays", "loadgen"] | Scenario
    request: str
    weights: Mapping[str, Weights]
    options: LoadOptions
    classes: int
    clips: tuple[Clip, ...] = ()
    window: int | None = None
    batch: int = 1
    flow: str | None = None
    flow_cache: Path | None = None
    ahead: int = 1
    min_seconds: float = 0.0
    lanes: int = 1
    in_flight: int = 1
    camera: CameraSettings | None = None
    loadgen: LoadGenSettings | None = None
    arrays: tuple[tuple[Path, Path], ...] = ()
    run: Path | None = None
    logits: Path | None = None
