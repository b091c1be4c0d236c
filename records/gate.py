"""The records of a gate's directory: what was compared, and what each slot gave.

A gate's directory holds `gate.json` (a `Gate`) and `slots.jsonl` (`Slot` and `ArmAccuracy` lines), and, under
`slots/`, what the processes of each slot left. Verdict and summaries are derived from the first two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = 1
"""Version of the records and of the result's JSON; raised when old and new ones cannot be compared."""

ArmName = Literal["base", "candidate"]
ARMS: tuple[ArmName, ArmName] = ("base", "candidate")

Values = dict[str, dict[str, float]]
"""Model → metric → median of one process, in the metric's unit. What a command times is a model called
"command"."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of the comparison.

    - `spec`: as the user wrote it, e.g. "git:main". `title`: in words, with the commit.
    - `identity`: what makes it the same code; a gate that is resumed compares it.
    """

    spec: str
    title: str
    identity: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate as planned, and whether it has ended: `gate.json`, rewritten atomically.

    - `started`: ISO 8601, UTC. `config`: the options. `environment`: as in a run directory.
    - `work`: what a slot runs, in words. `control`: the control workload, in words.
    """

    started: str
    config: dict[str, Any]
    environment: dict[str, Any]
    work: str
    control: str
    base: Arm
    candidate: Arm
    state: Literal["running", "done"] = "running"
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Slot:
    """One fresh process of one arm, and the control workload just before and after it.

    - `pair`: 0, 1, …; both arms have one slot in each. `order`: position among all slots of the gate.
    - `control_s`: mean of the control workload's two times. `wall_s`: what the whole slot took.
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
    """The accuracy pass of one arm. `right`: model → clip → whether its first label is the clip's."""

    arm: ArmName
    right: dict[str, dict[str, bool]] = field(default_factory=dict)
    kind: Literal["accuracy"] = "accuracy"
