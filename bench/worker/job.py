"""What a worker process is asked to do, and the events it answers with.

The job goes to the worker's standard input as one pickle (from its own parent, never from a file); the
events come back as JSON lines. The worker ends when its standard input is closed: when its parent dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets.clip import Clip
from ...models.spec import LoadOptions, Weights


@dataclass(frozen=True, slots=True)
class Job:
    """One network in one fresh process.

    - `mode`: "accuracy" (predictions of `clips`, preparation beside the forward pass), "arrays" (logits of
      given input, for parity and `--logits`), "loadgen" (answers to LoadGen's queries), or the name of a
      scenario that is timed.
    - `request`: the model as the user named it. `weights`: stream → weights. `classes`: length of its scores.
    - `window`: one window of so many frames from the middle instead of the authors' protocol (None).
    - `flow_cache`: folder of the flow cache; None in timing.
    - `ahead`: clips prepared ahead of the one in the network; 0 does one thing at a time.
    - `settings`: what the scenario, or the mode "loadgen", is told beside: a dataclass of its own.
    - `arrays`: for the mode "arrays", pairs of a file with input (.npz of stream → (N, T, H, W, C) float32)
      and the .npy file that its logits (N, classes) are written to.
    - `run`: run directory that a small picture of each clip goes to, in the mode "accuracy"; None for none.
    - `logits`: .npy file for the logits (views, classes) of the clips, in the mode "accuracy".
    """

    mode: str
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
    settings: Any = None
    arrays: tuple[tuple[Path, Path], ...] = ()
    run: Path | None = None
    logits: Path | None = None
