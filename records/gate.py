"""The records of a gate's directory: what was compared, and what each slot measured.

A gate's directory holds `gate.json` (a `Gate`) and `slots.jsonl` (`PairInTurns`, `Slot` and `ArmAccuracy`
lines), and, under `slots/`, the output of the processes. Verdict and summaries are derived from the first
two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = 1
"""Version of the records and of the result's JSON; raised when old and new ones cannot be compared."""

ArmName = Literal["base", "candidate"]
ARMS: tuple[ArmName, ArmName] = ("base", "candidate")

Values = dict[str, dict[str, float]]
"""Model → metric → median within one process, in the metric's unit (`records/metrics.py`). The times of an
arm that is a command have the model name "command"."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of the comparison: the base or the candidate.

    - `spec`: as the user wrote it, e.g. "git:main".
    - `title`: a readable description, with the commit.
    - `identity`: what identifies the code; a resumed gate requires that it is unchanged.
    """

    spec: str
    title: str
    identity: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate as planned, and whether it has ended: `gate.json`, rewritten atomically.

    - `started`: ISO 8601, UTC.
    - `config`: the options.
    - `environment`: hardware and software, as in a run directory.
    - `base`, `candidate`: the two sides.
    - `state`: "done" when the gate has ended; "out of time" if its `max_minutes` were over before.
    - `work`: description of what the processes of a pair run, and how: in turns, or slot after slot and why.
    - `control`: description of the control workload.
    - `schema`: version of the records, see `SCHEMA`.
    """

    started: str
    config: dict[str, Any]
    environment: dict[str, Any]
    work: str
    control: str
    base: Arm
    candidate: Arm
    state: Literal["running", "out of time", "done"] = "running"
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Turn:
    """What one of two processes measured while it was its turn, and the control workload just before.

    - `values`: metric → seconds per video, the mean over the turn.
    - `control_s`: seconds of the control workload.
    """

    arm: ArmName
    values: dict[str, float]
    control_s: float


@dataclass(frozen=True, slots=True)
class InTurns:
    """A fresh process of each arm for one model, of which one at a time worked.

    - `turns`: in the order of time. The first two are one of each arm, and so are every two that follow.
    - `once`: arm → metric → what its process measured once: load, first inference, memory.

    Raises ValueError for turns of another order, and where an arm is missing.
    """

    turns: tuple[Turn, ...]
    once: dict[ArmName, dict[str, float]]

    def __post_init__(self) -> None:
        arms = [turn.arm for turn in self.turns]
        if not arms or any(set(arms[n : n + 2]) != set(ARMS) for n in range(0, len(arms), 2)):
            raise ValueError("its turns are not one of each arm after another")
        if self.once.keys() != set(ARMS):
            raise ValueError(f"`once` is not of {' and '.join(ARMS)}")


@dataclass(frozen=True, slots=True)
class PairInTurns:
    """A pair of fresh processes that took turns, of each model.

    - `pair`: 0, 1, …
    - `models`: model → what its two processes measured; at least one.
    - `wall_s`: seconds that the whole pair took.

    Raises ValueError without a model.
    """

    pair: int
    models: dict[str, InTurns]
    wall_s: float
    kind: Literal["pair"] = "pair"

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("a pair without a model")


@dataclass(frozen=True, slots=True)
class Slot:
    """One fresh process of one arm to its end, and the control workload just before and after it.

    - `pair`: 0, 1, …; each pair has one slot of each arm.
    - `order`: position among all slots of the gate, from 0.
    - `values`: the medians that the process measured.
    - `control_s`: seconds of the control workload, mean of the two times.
    - `wall_s`: seconds that the whole slot took.
    """

    pair: int
    arm: ArmName
    order: int
    values: Values
    control_s: float
    wall_s: float
    kind: Literal["slot"] = "slot"


@dataclass(frozen=True, slots=True)
class ArmAccuracy:
    """The accuracy pass of one arm. `right`: model → clip id → whether the top-1 label is the true class."""

    arm: ArmName
    right: dict[str, dict[str, bool]] = field(default_factory=dict)
    kind: Literal["accuracy"] = "accuracy"
