"""How a scenario is measured: the job that its processes are given, their work, and how long that takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from ...datasets.clip import Clip
from ...models.spec import Model, Network
from ...preprocessing.preparer import Preparer
from ...records.scenarios.registry import SCENARIOS
from ..worker.events import Send
from ..worker.job import Job
from .stream_networks import StreamNetwork

if TYPE_CHECKING:  # a worker needs neither
    from ..plan.config import RunConfig
    from ..plan.planned_model import PlannedModel


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a worker works with. `networks`: the model's one network, or one for each of its streams."""

    model: Model
    networks: tuple[StreamNetwork, ...]
    preparer: Preparer

    @property
    def network(self) -> Network:
        """The first one: the whole network where the streams do not compute by themselves."""
        return self.networks[0].network


@dataclass(frozen=True, slots=True)
class Cost:
    """What one model was measured to take, seconds.

    - `start`: from the start of a process until its network is loaded, compiled flow included; `first`: its
      first forward pass.
    - `clip`: one clip, stage after stage; `prediction`: of that, upload to read-back; `cpu`: CPU time of a
      clip. Means over the clips. `frames`: of a clip.
    """

    start: float
    first: float
    clip: float
    prediction: float
    cpu: float
    frames: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """How one scenario is measured.

    - `job`: from a model, the clips that are timed and the configuration to the job of one process.
      `model.options.threads` is what all of its threads at work together amount to.
    - `measure`: the worker's side. It reports its measurements as `Measured` events, and names the clip in
      them where it reported a `Started` before.
    - `seconds`: what a process takes once its network is loaded, from the model, its cost, the number of
      clips and the configuration; for `--estimate`.
    - `apart`: each stream of a network is loaded by itself, so that they can compute at the same time.
    - `several_videos`: views of several videos may share a forward call.
    """

    job: Callable[[PlannedModel, Sequence[Clip], RunConfig], Job]
    measure: Callable[[Job, Loaded, Send], None]
    seconds: Callable[[PlannedModel, Cost, int, RunConfig], float]
    apart: bool = False
    several_videos: bool = False


def scenario(name: str) -> Scenario:
    """How the scenario of this name is measured. Raises KeyError for an unknown name."""
    module, _, attribute = SCENARIOS[name].partition(":")
    return cast(Scenario, getattr(import_module(f"{__package__}.{module}"), attribute))


def repeated(once: float, least: float) -> float:
    """Seconds of doing something that takes `once` at least once and until `least` seconds have passed."""
    return once * max(1, math.ceil(least / once))
