"""What a gate is asked to do: one record behind the command line and the gate's directory."""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...errors import UsageError, unknown_name
from ...records.metrics import TOTAL
from ...records.run import current_settings
from ...typed_values import typed
from ..plan.config import from_mapping

if TYPE_CHECKING:
    from ...reports.statistics.sequential import Rule

TURN = {"latency_clips": 1, "latency_seconds": 0.3}
"""What a turn measures by default: one clip, again and again for so many seconds."""

SLOT = {"latency_clips": 1, "latency_seconds": 1.0}
"""What a slot measures by default."""

Packages = Literal["pinned", "shared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """Settings of `bench gate`.

    - `base`, `candidate`: the arms, as `places.find_place` reads them.
    - `repository`: folder of the repository under test.
    - `command`: what a slot runs in each arm instead of `bench run`; None for that.
    - `run`: settings of `bench run`, as in its YAML file; only those that were given, since an arm may be
      an older version.
    - `packages`: "pinned": a commit whose pins differ gets packages of its own; "shared": all commits use
      those of this environment, so that the code alone is compared.
    - `primary`: the metrics that decide. `threshold`, `pairs`, `max_pairs`: see `Rule`.
    - `pair_s`: seconds that the two processes of a pair take turns at most.
    - `max_minutes`: of the whole gate: no pair begins that is likely to end later. None: as long as it takes.
    - `accuracy`: predict the labelled clips once in each arm.
    - `timeout_s`: after which a slot, the start of a process or a turn is given up.
    """

    base: str
    candidate: str = "tree"
    repository: str = "."
    command: str | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    packages: Packages = "pinned"
    primary: tuple[str, ...] = (TOTAL,)
    threshold: float = 0.05
    pairs: int = 10
    max_pairs: int = 30
    pair_s: float = 30.0
    max_minutes: float | None = None
    accuracy: bool = False
    timeout_s: float = 600.0

    def __post_init__(self) -> None:
        _ = self.rule  # refuses numbers that make no sense
        if self.packages not in get_args(Packages):
            raise unknown_name("value of --packages", self.packages, get_args(Packages))
        if not self.primary:
            raise UsageError("no primary metric is given", where="--primary")
        if len(set(self.primary)) < len(self.primary):
            raise UsageError("a metric is named twice", where="--primary", found=", ".join(self.primary))
        if not self.timeout_s > 0:
            raise UsageError("must be above 0", where="--timeout", found=self.timeout_s)
        if not 0 < self.pair_s < math.inf:
            raise UsageError("must be a number above 0", where="--pair-seconds", found=self.pair_s)
        if self.max_minutes is not None and not 0 < self.max_minutes < math.inf:
            raise UsageError("must be a number above 0", where="--max-minutes", found=self.max_minutes)
        if from_mapping(self.turn_run(), "bench gate").latency_clips < 1:
            raise UsageError("a turn would measure nothing", where="--latency-clips", expected="at least 1")
        if beside := sorted({"scenarios", "sweep"} & self.run.keys()):
            raise UsageError(
                "is not what a gate measures: one clip at a time, in one way",
                where=", ".join(f"`{name}` of --config" for name in beside),
                remedy="Leave it out of the settings that the gate is given.",
            )
        if self.accuracy and self.command is not None:
            raise UsageError("is measured by `bench run`, not by a command", where="--accuracy")
        if self.accuracy and "random" in self.run.get("weights", {}).values():
            raise UsageError("random weights predict nothing", where="--accuracy")

    @property
    def rule(self) -> Rule:
        # Imported late: the command line takes its defaults from here, and scipy takes a second.
        from ...reports.statistics.sequential import Rule

        return Rule(self.threshold, self.pairs, self.max_pairs)

    def turn_run(self) -> dict[str, Any]:
        """Settings of the networks that take turns; `latency_seconds` is that of a turn."""
        run = {**TURN, **self.run, "processes": 1}
        return run if "weights" in run else {**run, "weights": {"*": "random"}}

    def slot_run(self) -> dict[str, Any]:
        """Settings of the run of one slot: one process for each model, and no accuracy pass to speak of."""
        run = {**self.turn_run(), **SLOT, **self.run}
        return {**run, "max_clips": run["latency_clips"]} if "weights" in self.run else run

    def accuracy_run(self) -> dict[str, Any]:
        """Settings of the run that predicts all clips once."""
        return {**self.run, "latency_clips": 0}

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `gate.json` has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> GateConfig:
        """The settings that `to_dict` gave. Raises UsageError if they are not such."""
        run = raw.get("run")
        if isinstance(run, Mapping):
            raw = {**raw, "run": current_settings(run)}
        try:
            return typed(cls, raw)
        except ValueError as error:
            raise UsageError(f"invalid gate settings: {error}", where="config") from error


def words(command: str, where: str) -> tuple[str, ...]:
    """The command's words, split as a shell does; no shell runs it. Raises UsageError if it has none."""
    try:
        found = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"cannot be split into words: {error}", where=where, found=command) from error
    if not found:
        raise UsageError("is empty", where=where)
    return found
