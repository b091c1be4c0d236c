"""What a worker process is asked to do.

The job goes to the worker's standard input as one pickle, from its own parent, never from a file; the answers
come back as `events`. To a worker that is `Waiting` its parent sends a line: an empty one, or further clips.
The worker ends when its standard input is closed: when its parent dies.
"""

from __future__ import annotations

import pickle
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datasets.clip import Clip
from ...models.detectors.registry import ChosenDetector
from ...models.spec import LoadOptions, Views, Weights


@dataclass(frozen=True, slots=True)
class Job:
    """One network in one fresh process.

    - `task`: "accuracy" (predictions of `clips`, then of those that its parent sends), "arrays" (logits of
      given input), "loadgen" (answers to LoadGen's queries), "turns" (clips timed when it is this process's
      turn), "live" (a live session), "live videos" (one session for each of `clips`), or the name of a
      scenario.
    - `request`: the model as the user named it. `weights`: stream → weights. `classes`: length of its scores.
    - `views`: how a video is cut into views.
    - `window`: one window of so many frames from the middle instead of `views`; None for `views`.
    - `batch`: most views in a forward call.
    - `flow`: name of the flow method, None if no stream needs flow.
    - `people`: detector by which the main person is found; None: whole frames.
    - `flow_cache`: folder of the flow cache; None in timing.
    - `settings`: the task's own: `AccuracySettings`, `ArraySettings`, `LoadGenSettings`, `TurnSettings`,
      `LiveSettings`, or what its scenario has; None where it needs none.
    """

    task: str
    request: str
    weights: Mapping[str, Weights]
    options: LoadOptions
    classes: int
    views: Views
    clips: tuple[Clip, ...] = ()
    window: int | None = None
    batch: int = 1
    flow: str | None = None
    people: ChosenDetector | None = None
    flow_cache: Path | None = None
    settings: Any = None


def clips_as_line(clips: Sequence[Clip]) -> bytes:
    """Clips for a worker that waits, as a line without its line feed; empty for no clips."""
    return b64encode(pickle.dumps(tuple(clips))) if clips else b""


def clips_of_line(line: bytes) -> tuple[Clip, ...]:
    """The clips of `clips_as_line`. Only for what the worker's own parent has sent."""
    clips: tuple[Clip, ...] = pickle.loads(b64decode(line)) if line else ()
    return clips
