"""The arithmetic of an estimate, with costs that are made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from actionbench.bench.agreement.check import compared_groups
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.estimate import EstimatedStep, estimate
from actionbench.bench.plan.plan import Plan, make_plan
from actionbench.bench.plan.sweep import swept
from actionbench.bench.scenarios.scenario import Cost

TINY = Path(__file__).parents[1] / "networks" / "tiny.py"


@pytest.fixture
def plan(coloured_videos: Callable[[list[int], int], Path], weights_file: Path) -> Plan:
    """Six videos, two models with weights, each scenario in two processes."""
    config = RunConfig(
        models=(f"{TINY}:two@right", f"{TINY}:two@wrong"),
        data=str(coloured_videos([36, 37], 3)),
        weights={"two": str(weights_file)},
        scenarios=("latency", "pipelined", "throughput", "stream"),
        processes=2,
        latency_seconds=5,
        throughput_seconds=10,
        stream_seconds=10,
        threads=2,
        device="cpu",
    )
    return make_plan(config)


COST = Cost(start=3.0, first=2.0, clip=4.0, prediction=1.5, cpu=6.0, frames=32)


def test_parts_of_a_plan(plan: Plan) -> None:
    keys = [model.key for model in plan.models]
    costs = dict.fromkeys(keys, COST)
    parts = estimate(plan, costs, dict.fromkeys(keys, replace(COST, clip=5.0)), peaks_s=2.0)
    of_first = {part.what: part.seconds for part in parts if part.model == keys[0]}
    assert parts[0] == EstimatedStep("matrix product", "", 2.0)
    assert of_first["accuracy"] == 3 + 6 * 5, "of clips as they come, not of those that are timed"
    assert of_first["agreement"] == 3 + 1.5 * 16 / 32
    # two clips of 4 s are more than the 5 s asked for
    assert of_first["latency"] == 2 * (3 + 2 + 8)
    assert of_first["pipelined"] == 2 * (3 + 8 + 8)
    # 2 threads: two answers in 6 s; warm-up 2 answers, 12 s to pass 10, one more in flight
    assert of_first["throughput"] == 2 * (3 + 6 + 12 + 3)
    assert of_first["stream"] == 2 * (3 + 2 + 10 + 4 / 25)
    assert [part.model for part in parts[1:]] == keys * 6


def test_a_search_is_estimated_by_its_longest_way(plan: Plan) -> None:
    """Windows of 4 frames, stride 8. A process takes 5 s before the window is filled.

    Strides: 1, 2, 4, then 3, 10 s each. Rates: 25, 12, 6, 9, 7, 8, where a
    trial takes 160 frames, 20 strides, if that is more than 10 s.
    """
    key = plan.models[0].key
    config = replace(plan.config, stream_fps=25, find_peak=True, scenarios=("stream",))
    only = replace(plan, config=config, models=plan.models[:1])
    parts = estimate(only, {key: COST}, {key: COST})
    (peak,) = [part.seconds for part in parts if part.what.startswith("search")]
    rates = (25, 12, 6, 9, 7, 8)
    assert peak == pytest.approx(4 * (15 + 4 / 25) + sum(5 + max(10, 160 / r) + 4 / r for r in rates))


def test_the_search_for_cameras_is_estimated_by_its_longest_way(plan: Plan) -> None:
    """1, 2, 4, … 256 cameras, then seven trials between 128 and 256, with a stride of 8 frames."""
    key = plan.models[0].key
    config = replace(plan.config, stream_fps=5, streams=True, scenarios=("stream",))
    only = replace(plan, config=config, models=plan.models[:1])
    parts = estimate(only, {key: COST}, {key: COST})
    (search,) = [part.seconds for part in parts if part.what.startswith("search")]
    assert search == pytest.approx((9 + 7) * (3 + 2 + 20 * 8 / 5 + 4 / 5))


def test_a_sweep_and_random_weights_have_no_accuracy_pass(plan: Plan, tiny_module: ModuleType) -> None:
    assert tiny_module.tiny().name == "tiny"
    models = swept(plan.models[:1], {"batch": (1, 2)}, several_videos=True)
    costs = {model.key: COST for model in models}
    parts = estimate(Plan(plan.config, plan.clips, models), costs, costs)
    assert {part.what for part in parts} == {"latency", "pipelined", "throughput", "stream"}


def test_float32_that_is_not_timed_is_counted_as_it_is_and_with_rounded_weights(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actionbench.models.capabilities.cpu_flags", lambda: frozenset({"avx512bw"}))
    config = replace(plan.config, models=("resnext@torch:bf16",), weights={"*": "random"})
    lone = make_plan(config)
    ((reference, group),) = compared_groups(lone.models)
    assert reference.key == "resnext@torch:fp32"
    assert (reference.request.precision, reference.options.precision) == ("fp32", "fp32")
    assert group == list(lone.models)
    parts = estimate(lone, {"resnext@torch:bf16": COST}, {})
    assert sum(part.what == "agreement" for part in parts) == 3
    assert compared_groups(make_plan(replace(config, models=("resnext",))).models) == []
