"""Schedules: what they hold, what they refuse, which levels they make."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import UsageError
from actionbench.flow.registry import get_method
from actionbench.flow.schedule import (
    BALANCED,
    FAITHFUL,
    FAST,
    SMALLEST_LEVEL,
    Convergence,
    DualAscent,
    PrimalDual,
    Schedule,
)


def test_faithful_has_every_parameter_of_opencv() -> None:
    theirs = get_method("opencv").describe()["parameters"]
    assert isinstance(FAITHFUL.solver, DualAscent)
    assert FAITHFUL.stop is not None
    assert FAITHFUL.warps == FAITHFUL.warps_below
    assert {
        "Tau": FAITHFUL.solver.tau,
        "Lambda": FAITHFUL.data_weight,
        "Theta": FAITHFUL.coupling,
        "ScalesNumber": FAITHFUL.scales,
        "ScaleStep": FAITHFUL.step,
        "WarpingsNumber": FAITHFUL.warps_below,
        "Epsilon": FAITHFUL.stop.tolerance,
        "InnerIterations": FAITHFUL.iterations,
        "OuterIterations": FAITHFUL.stop.rounds,
        "MedianFiltering": FAITHFUL.median,
    }.items() <= theirs.items()


@given(st.integers(16, 600), st.integers(16, 600), st.sampled_from([FAITHFUL, BALANCED, FAST]))
def test_levels_shrink_by_the_step_and_not_too_far(height: int, width: int, schedule: Schedule) -> None:
    levels = schedule.levels(height, width)
    assert levels[0] == (height, width)
    assert 1 <= len(levels) <= schedule.scales
    assert min(min(level) for level in levels) >= SMALLEST_LEVEL
    for finer, coarser in itertools.pairwise(levels):
        assert coarser == tuple(round(side * schedule.step) for side in finer)


@pytest.mark.parametrize("schedule", [FAITHFUL, BALANCED, FAST])
def test_a_description_is_complete_and_survives_json(schedule: Schedule) -> None:
    description = schedule.describe()
    assert json.loads(json.dumps(description)) == description
    assert description["solver"]["name"] in ("DualAscent", "PrimalDual")
    assert description != replace(schedule, iterations=schedule.iterations + 1).describe()


@pytest.mark.parametrize(
    "change",
    [
        {"scales": 0},
        {"warps": 0},
        {"warps_below": 0},
        {"iterations": 0},
        {"step": 0.95},
        {"step": 0.2},
        {"median": 4},
        {"data_weight": 0},
        {"coupling": -1},
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        replace(FAST, **change)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (DualAscent, {"tau": 0.3}),
        (DualAscent, {"tau": 0}),
        (PrimalDual, {"tau": 0.5}),
        (PrimalDual, {"sigma": -1}),
        (PrimalDual, {"relaxation": 2}),
        (Convergence, {"tolerance": 0, "rounds": 1}),
        (Convergence, {"tolerance": 0.1, "rounds": 0}),
    ],
)
def test_a_solver_that_diverges_is_refused(kind: Any, parameters: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        kind(**parameters)
