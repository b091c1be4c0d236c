"""Log ratios of pairs on a shared machine, simulated turn by turn with noise that was measured.

The log time of a turn is the sum of

- a neighbour: other programs compute or rest for seconds, and everything takes `factor` times as long or not;
- what changes from turn to turn, Student's t with 5 degrees of freedom: differences of adjacent turns had a
  kurtosis of 5.3 and 8.1, those of two such values have 6;
- a drift, a random walk;
- the luck of the process, its memory layout for one, which lasts as long as it does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .gate_pairs import FEWEST_ROUNDS, standard_error

Array = npt.NDArray[np.float64]

TURN_S = 0.4
"""Seconds from one turn to the next, control workload included."""

SLOT_TURNS, GAP_TURNS = 3, 8
"""A slot measures as long as so many turns, and the next one begins so many turns later: a second, and three
until its process is loaded."""

MOST_ROUNDS = 36
"""In 30 seconds, the gate's default."""


@dataclass(frozen=True, slots=True)
class SharedMachine:
    """Noise of one machine at one time.

    - `turn_sd`: standard deviation from turn to turn, of the log time.
    - `factor`: how much longer a turn takes while the neighbour computes. `rests_s`, `computes_s`: means of
      how long it does, exponentially distributed.
    - `luck_sd`: standard deviation between processes of the same code.
    - `drift_sd`: of the random walk, in one turn.
    """

    turn_sd: float
    factor: float
    rests_s: float
    computes_s: float
    luck_sd: float
    drift_sd: float


MACHINES = {
    "loaded, I": SharedMachine(0.118, 1.58, 29.5, 21.5, luck_sd=0.015, drift_sd=0.005),
    "loaded, II": SharedMachine(0.127, 1.79, 77.0, 116.0, luck_sd=0.023, drift_sd=0.005),
    "switching": SharedMachine(0.05, 2.4, 3.0, 3.0, luck_sd=0.015, drift_sd=0.005),
}
"""Name → noise of a shared machine.

"loaded, I" and "loaded, II": two cores of one virtual machine at a load average of 5 to 10, 29 November 2026,
measured by 768 turns of the self-test's workload and 640 of a network on one thread. A hidden Markov model of
two states gave `factor`, `rests_s` and `computes_s`; differences of adjacent turns gave `turn_sd`. `luck_sd`
is what the CPU time of processes differed by, of which luck is a part at most. Beside the two states no drift
was seen; 0.5 % a turn is assumed.

"switching": two cores of another, with AMX, on 28 November 2026. A network in bfloat16 took 39 ms for seconds
and 95 ms for seconds, in turns, which gave `factor`; three seconds are assumed. The ratios of twelve pairs of
16 turns had a standard deviation of 2.7 %, which bounds `turn_sd`. The rest is as above.
"""


def pairs_in_turns(
    rng: np.random.Generator, machine: SharedMachine, histories: int, pairs: int, error: float
) -> Array:
    """log(candidate / base) of unchanged code, (histories, pairs) float64, each pair measured in turns.

    `error`: a pair ends when the standard error of its figure is as small as that, as in a gate.
    """
    found = np.empty((histories, pairs))
    for pair in range(pairs):
        times = _times(rng, machine, histories, 2 * MOST_ROUNDS)
        times += np.tile(_luck(rng, machine, histories), MOST_ROUNDS)[:, _arm_order()]
        found[:, pair] = _figures(_adjacent(times), error)
    return found


def pairs_of_slots(rng: np.random.Generator, machine: SharedMachine, histories: int, pairs: int) -> Array:
    """As `pairs_in_turns`, but one slot after the other."""
    found = np.empty((histories, pairs))
    for pair in range(pairs):
        times = _times(rng, machine, histories, 2 * SLOT_TURNS + GAP_TURNS)
        first = np.median(times[:, :SLOT_TURNS], axis=1)
        second = np.median(times[:, -SLOT_TURNS:], axis=1)
        luck = _luck(rng, machine, histories)
        sign = 1 if pair % 2 == 0 else -1
        found[:, pair] = sign * (second - first) + luck[:, 1] - luck[:, 0]
    return found


def _times(rng: np.random.Generator, machine: SharedMachine, histories: int, turns: int) -> Array:
    """Log times of turns, (histories, turns), without luck."""
    # Of a two-state Markov chain: probability of the other state after one turn.
    rates = 1 / machine.rests_s, 1 / machine.computes_s
    mixed = 1 - math.exp(-TURN_S * sum(rates))
    share = rates[0] / sum(rates)
    begins, ends = share * mixed, (1 - share) * mixed
    busy = np.empty((histories, turns), dtype=bool)
    now = rng.random(histories) < share
    for turn in range(turns):
        busy[:, turn] = now
        now = np.where(now, rng.random(histories) >= ends, rng.random(histories) < begins)
    white = rng.standard_t(5, (histories, turns)) * machine.turn_sd / math.sqrt(5 / 3)
    drift = rng.normal(0, machine.drift_sd, (histories, turns)).cumsum(axis=1)
    times: Array = busy * math.log(machine.factor) + white + drift
    return times


def _luck(rng: np.random.Generator, machine: SharedMachine, histories: int) -> Array:
    """Of the base's process and of the candidate's, (histories, 2)."""
    return rng.normal(0, machine.luck_sd, (histories, 2))


def _arm_order() -> npt.NDArray[np.int64]:
    """Index of the arm of each turn, 0 or 1, plus an even number: base, candidate, candidate, base, …"""
    rounds = np.arange(2 * MOST_ROUNDS).reshape(-1, 2)
    rounds[1::2] = rounds[1::2, ::-1]
    return rounds.ravel()


def _adjacent(times: Array) -> Array:
    """log(candidate / base) of each round, (histories, rounds)."""
    rounds = times.reshape(len(times), -1, 2)
    differences = rounds[:, :, 1] - rounds[:, :, 0]
    differences[:, 1::2] *= -1
    return differences


def _figures(ratios: Array, error: float) -> Array:
    """The median of each row, as far as a pair goes."""
    found = np.median(ratios, axis=1)
    open_ = np.arange(len(ratios))
    for rounds in range(FEWEST_ROUNDS, ratios.shape[1], 2):
        known = standard_error(ratios[open_, :rounds]) <= error
        found[open_[known]] = np.median(ratios[open_[known], :rounds], axis=1)
        open_ = open_[~known]
    return found
