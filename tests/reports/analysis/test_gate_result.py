"""The verdict of a gate's slots, what explains it, and its texts for people and machines."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from actionbench.errors import MeasurementError, UsageError
from actionbench.records.gate import Arm, ArmAccuracy, Gate, Slot, Values
from actionbench.records.gate_directory import GateDirectory, GateWriter
from actionbench.reports.analysis.gate_result import GateResult, judge, load_gate
from actionbench.reports.formats.gate_formats import to_github_benchmark, to_json, to_junit
from actionbench.reports.formats.gate_text import markdown, terminal
from actionbench.reports.statistics.sequential import Rule

GATE = Gate("2026-01-01T00:00:00+00:00", {}, {}, "work", "control", Arm("a", "A", {}), Arm("b", "B", {}))
RULE = Rule(pairs=6, max_pairs=6)


def slots(base: Values, candidate: Values, pairs: int = 6) -> list[Slot]:
    """Pairs whose figures all wander by the same factor, which no ratio sees."""
    found = []
    for pair in range(pairs):
        drift = math.exp(0.1 * math.sin(pair))
        for order, (arm, values) in enumerate((("base", base), ("candidate", candidate))):
            drifted = {m: {name: x * drift for name, x in v.items()} for m, v in values.items()}
            found.append(Slot(pair, arm, 2 * pair + order, drifted, 0.1 * drift, 1.0))  # type: ignore[arg-type]
    return found


def judged(base: Values, candidate: Values, *primary: str) -> GateResult:
    return judge(GATE, slots(base, candidate), [], primary or ("total",), RULE)


def test_the_stage_that_moved_most_in_the_totals_direction_is_named() -> None:
    before = {"m": {"total": 3.0, "flow": 1.0, "decode": 1.0, "forward": 1.0, "load": 1.0}}
    after = {"m": {"total": 3.4, "flow": 1.6, "decode": 0.2, "forward": 1.6001, "load": 9.0}}
    result = judged(before, after)
    assert result.verdict == "regression"
    assert result.moved["m"].metric == "forward"  # not load, which is no part of the total
    assert result.moved["m"].difference == pytest.approx(0.6, rel=0.2)
    assert judged(after, before).moved["m"].metric == "forward"
    assert result.explanation("m") is not None
    assert judged({"m": {"total": 1.0}}, {"m": {"total": 1.0}}).explanation("m") is None


def test_every_model_decides() -> None:
    before = {"a": {"total": 1.0}, "b": {"total": 1.0}}
    after = {"a": {"total": 1.0}, "b": {"total": 1.2}}
    result = judge(GATE, slots(before, after, 10), [], ["total"], Rule(pairs=10, max_pairs=10))
    assert {change.name: change.verdict for change in result.primaries} == {
        "a: total": "fine",
        "b: total": "regression",
    }
    assert result.verdict == "regression"


def test_a_metric_of_one_model_alone_decides_for_that_one() -> None:
    before = {"a": {"total": 1.0, "flow": 1.0}, "b": {"total": 1.0}}
    result = judged(before, before, "flow")
    assert [change.name for change in result.primaries] == ["a: flow"]


def test_incomplete_pairs_do_not_count_and_none_is_an_error() -> None:
    same = {"m": {"total": 1.0}}
    whole = slots(same, same)
    assert judge(GATE, [*whole, replace(whole[0], pair=6)], [], ["total"], RULE).pairs == 6
    with pytest.raises(MeasurementError, match="measured nothing"):
        judge(GATE, whole[:1], [], ["total"], RULE)


HOW = {"primary": ["total"], "threshold": 0.05, "pairs": 6, "max_pairs": 6}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({name: value for name, value in HOW.items() if name != "threshold"}, "missing fields: threshold"),
        (HOW | {"pairs": "six"}, "pairs: expected a whole number"),
        (HOW | {"primary": "total"}, "primary: expected a list"),
        (HOW | {"threshold": -1}, "--threshold: must be above 0"),
        (HOW | {"max_pairs": 2**31}, "--max-pairs: is more than a gate can be meant to measure"),
    ],
)
def test_a_gate_whose_settings_are_damaged_is_named(
    tmp_path: Path, config: dict[str, Any], says: str
) -> None:
    same = {"m": {"total": 1.0}}
    for name, values in (("whole", HOW), ("damaged", config)):
        with GateWriter(tmp_path / name, replace(GATE, config=values)) as writer:
            for slot in slots(same, same):
                writer.append(slot)
    assert load_gate(GateDirectory(tmp_path / "whole")).verdict == "fine"
    with pytest.raises(UsageError, match=f"gate.json: damaged: config: {says}"):
        load_gate(GateDirectory(tmp_path / "damaged"))


def test_what_a_directory_says_nothing_of_names_the_directory(tmp_path: Path) -> None:
    same = {"m": {"total": 1.0}}
    with GateWriter(tmp_path / "gate", replace(GATE, config=HOW | {"primary": []})) as writer:
        for slot in slots(same, same):
            writer.append(slot)
    with pytest.raises(UsageError, match="/gate: no primary metric to decide on"):
        load_gate(GateDirectory(tmp_path / "gate"))


@pytest.mark.parametrize("bad", [0.0, math.inf, math.nan])
def test_a_primary_that_is_no_figure_is_an_error_and_never_a_verdict(bad: float) -> None:
    with pytest.raises(MeasurementError, match="positive, finite value in every slot"):
        judged({"m": {"total": 1.0}}, {"m": {"total": bad}})


def test_a_primary_that_one_arm_lacks_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="positive, finite value in every slot"):
        judged({"m": {"total": 1.0, "flow": 1.0}}, {"m": {"total": 1.0}}, "flow")
    with pytest.raises(UsageError, match="measured in no slot"):
        judged({"m": {"total": 1.0}}, {"m": {"total": 1.0}}, "flow")


def test_a_stage_that_takes_no_time_is_left_out_of_the_explanation() -> None:
    values = {"m": {"total": 1.0, "upload": 0.0, "flow": 1.0}}
    assert [change.metric for change in judged(values, values).changes] == ["total", "flow"]


@settings(max_examples=30)
@given(st.floats(0.2, 5.0), st.floats(0.01, 100.0))
def test_the_unit_of_time_does_not_matter(ratio: float, scale: float) -> None:
    one = judged({"m": {"total": 1.0}}, {"m": {"total": ratio}})
    other = judged({"m": {"total": scale}}, {"m": {"total": scale * ratio}})
    assert one.changes[0].ratio.value == pytest.approx(other.changes[0].ratio.value)
    if abs(abs(math.log(ratio)) - RULE.margin) > 1e-9:
        assert one.verdict == other.verdict


def test_accuracy_is_compared_on_the_clips_of_both_arms() -> None:
    base = ArmAccuracy("base", {"m": {"a": True, "b": True, "c": False, "only here": True}})
    candidate = ArmAccuracy("candidate", {"m": {"a": True, "b": False, "c": False}})
    same = {"m": {"total": 1.0}}
    result = judge(GATE, slots(same, same), [base, candidate], ["total"], RULE)
    (change,) = result.accuracy
    assert (change.clips, change.base_right, change.candidate_right) == (3, 2, 1)
    assert (change.only_base, change.only_candidate, change.p) == (1, 0, 1.0)
    assert "exact McNemar" in markdown(result)
    assert not judge(GATE, slots(same, same), [base], ["total"], RULE).accuracy


def hostile() -> GateResult:
    name = "<img src=x onerror=alert(1)>|[a](http://b)\x1b[31m\x00\ufffe&[red]"
    values = {name: {"total": 1.0, name: 1.0}}
    slower = {name: {"total": 1.5, name: 1.5}}
    result = judged(values, slower)
    return replace(result, gate=replace(GATE, base=Arm(name, name, {}), work=name))


def test_texts_from_data_are_escaped_everywhere() -> None:
    result = hostile()
    text = markdown(result)
    assert "<img" not in text
    assert "[a](http" not in text
    junit = to_junit(result, True)
    (case,) = ElementTree.fromstring(junit).iter("testcase")
    assert "onerror" in str(case.get("classname"))
    assert "\x1b" not in junit + text
    console = Console(width=200)
    with console.capture() as capture:
        console.print(terminal(result))
    assert "\x1b" not in capture.get()
    assert "[red]" in capture.get()  # shown, not read as markup
    json.dumps([to_json(result), to_github_benchmark(result)], allow_nan=False)


@pytest.mark.parametrize(("fails", "tag"), [(True, "failure"), (False, "skipped")])
def test_junit_of_an_inconclusive_gate(fails: bool, tag: str) -> None:
    values = {"m": {"total": 1.0}}
    (change,) = judged(values, values).changes
    result = replace(
        judged(values, values),
        verdict="inconclusive",
        reason="disturbed",
        changes=(replace(change, verdict="inconclusive"),),
    )
    suite = ElementTree.fromstring(to_junit(result, fails))
    assert [element.get("message") for element in suite.iter(tag)] == ["disturbed."]
    assert suite.get("failures") == ("1" if fails else "0")


def test_json_tells_every_metric_with_its_interval() -> None:
    facts = to_json(judged({"m": {"total": 1.0, "flow": 0.5}}, {"m": {"total": 1.2, "flow": 0.7}}))
    assert (facts["kind"], facts["schema"], facts["verdict"]) == ("gate", 1, "regression")
    total, flow = facts["changes"]
    assert (total["primary"], total["verdict"], flow["primary"], flow["verdict"]) == (
        True,
        "regression",
        False,
        None,
    )
    assert total["ratio_low"] == pytest.approx(1.2)
    assert flow["ratio"] == pytest.approx(1.4)


@pytest.mark.parametrize(
    ("wall", "cpu", "disagrees"), [(1.2, 1.0, True), (1.0, 1.2, True), (1.2, 1.2, False), (1.0, 0.8, False)]
)
def test_cpu_time_is_a_second_look_that_decides_nothing(wall: float, cpu: float, disagrees: bool) -> None:
    result = judged({"m": {"total": 1.0, "cpu": 2.0}}, {"m": {"total": wall, "cpu": 2 * cpu}})
    assert result.verdict == judged({"m": {"total": 1.0}}, {"m": {"total": wall}}).verdict
    (second,) = result.cpu
    assert (second.disagrees, second.decides_alone) == (disagrees, False)
    assert ("wall time and CPU time disagree" in markdown(result)) == disagrees
    # Wall time is not decided, CPU time is.
    undecided = replace(second, wall=replace(second.wall, verdict="inconclusive"))
    assert (undecided.disagrees, undecided.decides_alone) == (False, True)
    text = markdown(replace(result, cpu=(undecided,)))
    assert "where wall time is not decided" in text
    assert "It decides nothing" in text


def test_cpu_time_that_decides_needs_no_second_look() -> None:
    values = {"m": {"total": 1.0, "cpu": 2.0}}
    assert judged(values, values, "cpu").cpu == ()
    assert judged({"m": {"total": 1.0}}, {"m": {"total": 1.0}}).cpu == ()


def test_cpu_time_is_no_stage() -> None:
    result = judged(
        {"m": {"total": 1.0, "cpu": 2.0, "flow": 0.5}}, {"m": {"total": 1.2, "cpu": 4.0, "flow": 0.7}}
    )
    assert result.moved["m"].metric == "flow"
