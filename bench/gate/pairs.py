"""How a pair of processes is measured: in turns, both loaded and warm, or one slot after the other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from ...errors import MeasurementError
from ...records.gate import ARMS, ArmName, InTurns, PairInTurns, Slot, Turn, Values
from ...records.metrics import PEAK_DEVICE_MEMORY, PEAK_MEMORY
from ...reports.statistics.gate_pairs import FEWEST_ROUNDS, PRECISION, log_ratios_of_turns, standard_error
from ...reports.statistics.sequential import Rule
from .commands import Work
from .control import Control
from .targets import Place
from .turns import Process, TakesTurns, empty

_USABLE = 0.9
"""Share of the free memory that the two processes of a pair may need."""


@dataclass(frozen=True, slots=True)
class Arms:
    """Both arms, ready to run: place and work of each."""

    places: Mapping[ArmName, Place]
    works: Mapping[ArmName, Work]

    def measure(self, arm: ArmName, folder: Path) -> Values:
        """What a slot of an arm measures; `folder`, which must not exist, is for what it leaves."""
        folder.mkdir(parents=True)
        return self.works[arm](self.places[arm], folder)


@dataclass(frozen=True, slots=True)
class Length:
    """When a pair has had enough turns.

    - `most_s`: after so many seconds at the latest.
    - `metrics`: the primary ones: before, when the pair's figure of each is known to `error` (log ratio).
    """

    most_s: float
    metrics: tuple[str, ...]
    error: float

    @classmethod
    def of(cls, most_s: float, primary: Sequence[str], rule: Rule) -> Length:
        """The length of a pair in a gate that decides on `primary` by `rule`."""
        return cls(most_s, tuple(primary), PRECISION * rule.margin)

    def reached(self, turns: Sequence[Turn], passed_s: float) -> bool:
        """Whether `turns`, which took `passed_s` seconds, are enough."""
        series = [log_ratios_of_turns(turns, metric) for metric in self.metrics]
        known = [bool(standard_error(ratios) <= self.error) for ratios in series if ratios]
        return passed_s >= self.most_s or (bool(known) and all(known))


class MeasuresPairs(Protocol):
    """A way to measure pairs. `in_words`: what is done, and why so, for the gate's record."""

    in_words: str

    def __call__(self, pair: int, folder: Path, note: Callable[[str], None]) -> Iterator[Slot | PairInTurns]:
        """The records of pair number `pair`, each as soon as it is measured.

        `folder` is for what the processes leave; `note` shows what is being done.
        """


def way_to_measure(
    arms: Arms, control: Control, length: Length, folder: Path, note: Callable[[str], None], held: ExitStack
) -> MeasuresPairs:
    """In turns if both arms can and two processes fit into memory, else slot after slot; warms both arms.

    - `length`: when a pair ends.
    - `folder`: for what the processes leave. `note`: shows what is being done.
    - `held`: gets processes that live as long as the gate.

    Raises MeasurementError if an arm cannot be measured at all.
    """
    takers: dict[ArmName, TakesTurns] = {}
    warmed: dict[ArmName, dict[str, Process]] = {}
    reasons: list[str] = []
    for arm in ARMS:
        note(f"{arm}, not counted")
        found = arms.works[arm].turns(arms.places[arm], empty(folder / f"warm-up-{arm}"), held)
        if isinstance(found, str):
            reasons.append(f"{arm}: {found}")
        else:
            takers[arm] = found
            warmed[arm] = {model: _one_turn(found, model, folder / f"alone-{arm}") for model in found.models}
    reasons = reasons or _without_room(warmed) or _not_beside_each_other(takers, warmed, folder)
    if reasons:
        return SlotAfterSlot(arms, control, "; ".join(reasons))
    return PairsInTurns(takers, control, length)


def _one_turn(arm: TakesTurns, model: str, folder: Path) -> Process:
    """A process, ended, after a turn that is not counted."""
    with arm.start(model, folder) as process:
        process.turn()
    return process


def _without_room(warmed: Mapping[ArmName, Mapping[str, Process]]) -> list[str]:
    """Why the processes of both arms cannot be paired, or do not fit into memory at once; else empty."""
    base, candidate = (warmed[arm] for arm in ARMS)
    if base.keys() != candidate.keys():
        return ["the arms measure different models"]
    most = _USABLE * psutil.virtual_memory().available
    both = {model: sum(one[model].once.get(PEAK_MEMORY, 0.0) for one in (base, candidate)) for model in base}
    # Without the figures: gates with the same words are one series of a history.
    return [f"two processes of {model} do not fit into memory" for model in both if both[model] > most]


def _not_beside_each_other(
    takers: Mapping[ArmName, TakesTurns], warmed: Mapping[ArmName, Mapping[str, Process]], folder: Path
) -> list[str]:
    """Why a device does not hold the processes of both arms; empty if it does, or there is none.

    How much memory of a device is free is not known without its framework, so this is tried.
    """
    for model, process in warmed["base"].items():
        if PEAK_DEVICE_MEMORY in process.once:
            try:
                with ExitStack() as alive:
                    starts = [takers[arm].start(model, folder / f"both-{arm}") for arm in ARMS]
                    for each in [alive.enter_context(start) for start in starts]:
                        each.turn()
            except MeasurementError as error:
                return [f"two processes of {model} do not run beside each other: {error.what}"]
    return []


class PairsInTurns:
    """Two fresh processes of each model, of which one at a time works."""

    def __init__(self, arms: Mapping[ArmName, TakesTurns], control: Control, length: Length) -> None:
        """Parameters: see `way_to_measure`."""
        self._arms, self._control, self._length = arms, control, length
        self.in_words = "in turns"

    def __call__(self, pair: int, folder: Path, note: Callable[[str], None]) -> Iterator[PairInTurns]:
        """See `MeasuresPairs`: one record."""
        begin = time.monotonic()
        models = {}
        for model in self._arms["base"].models:
            note(f"pair {pair + 1}, {model}")
            models[model] = self._one(model, pair, folder)
        yield PairInTurns(pair, models, time.monotonic() - begin)

    def _one(self, model: str, pair: int, folder: Path) -> InTurns:
        # Which process was started first, and which begins, must favour neither arm.
        first: Sequence[ArmName] = ARMS if pair % 2 == 0 else ARMS[::-1]
        with ExitStack() as alive:
            starts = {arm: self._arms[arm].start(model, folder / f"{pair:03}-{arm}") for arm in first}
            processes = {arm: alive.enter_context(start) for arm, start in starts.items()}
            turns = take_turns(processes, first, self._control.once, self._length)
            return InTurns(turns, {arm: processes[arm].once for arm in ARMS})


def take_turns(
    processes: Mapping[ArmName, Process],
    first: Sequence[ArmName],
    control: Callable[[], float],
    length: Length,
) -> tuple[Turn, ...]:
    """Turns of two processes in the order ABBA.

    - `processes`: of both arms. `first`: the arms in the order of the first round.
    - `control`: the control workload, done before every turn; gives its seconds.
    - `length`: when there are enough. There are an even number of rounds, `FEWEST_ROUNDS` at least.
    """
    turns: list[Turn] = []
    begin = time.monotonic()
    rounds = 0
    while rounds < FEWEST_ROUNDS or rounds % 2 or not length.reached(turns, time.monotonic() - begin):
        for arm in first if rounds % 2 == 0 else reversed(first):
            control_s = control()
            turns.append(Turn(arm, processes[arm].turn(), control_s))
        rounds += 1
    return tuple(turns)


class SlotAfterSlot:
    """A fresh process of one arm, then one of the other, each to its end. `reason`: why not in turns."""

    def __init__(self, arms: Arms, control: Control, reason: str) -> None:
        """`arms`: both. `control`: done before and after each slot. `reason`: why they do not take turns."""
        self._arms, self._control = arms, control
        self.in_words = f"slot after slot, not in turns ({reason})"

    def __call__(self, pair: int, folder: Path, note: Callable[[str], None]) -> Iterator[Slot]:
        """See `MeasuresPairs`: two records."""
        for position, arm in enumerate(ARMS if pair % 2 == 0 else reversed(ARMS)):
            note(f"pair {pair + 1}, {arm}")
            path = folder / f"{pair:03}-{arm}"
            shutil.rmtree(path, ignore_errors=True)
            begin = time.monotonic()
            before = self._control()
            values = self._arms.measure(arm, path)
            control_s = (before + self._control()) / 2
            yield Slot(pair, arm, 2 * pair + position, values, control_s, time.monotonic() - begin)
