"""Where the clips of the accuracy pass are predicted."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ...datasets.clip import Clip
from ..plan.config import RunConfig
from ..worker.events import Event
from ..worker.supervisor import Worker
from .predictor import Predictor

Executor = Callable[[Worker, Sequence[Clip]], Generator[Event]]
"""Predicts clips by workers like the given one, whose job has no clips.

It yields a `Predicted` or a `ClipFailed` for each clip, in any order, and signs of life. `Failed` comes last,
if the model is given up.
"""


def predict_here(worker: Worker, clips: Sequence[Clip]) -> Generator[Event]:
    """The `Executor` of this machine: one worker process after the other."""
    with closing(Predictor(worker)) as predict:
        yield from predict(clips)


@contextmanager
def executor_of(config: RunConfig, run: Path) -> Iterator[Executor]:
    """The executor that the settings name, connected while the block runs; `run`: the run directory."""
    if config.executor == "local":
        yield predict_here
        return
    # Only here: Ray takes a second to import.
    from .cluster import connected
    from .ray_pass import RayExecutor

    with connected(config.ray_address):
        yield RayExecutor(run, config.ray_gpus)
