"""A gate's result for programs: JSON, JUnit XML, and the format of github-action-benchmark."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict
from typing import Any

from ...plain_text import plain
from ...records.gate import SCHEMA
from ..analysis.gate_result import Change, GateResult

# Characters that XML 1.0 does not allow and `plain` does not replace (section 2.2, Char).
_NO_XML = re.compile("[\ufffe\uffff]")


def to_json(result: GateResult) -> dict[str, Any]:
    """The result as the JSON object that docs/gate.md describes."""
    gate = result.gate
    return {
        "kind": "gate",
        "schema": SCHEMA,
        "started": gate.started,
        "verdict": result.verdict,
        "reason": result.reason,
        "pairs": result.pairs,
        "pairs_in_turns": result.in_turns,
        "turns": result.turns,
        "config": gate.config,
        "work": gate.work,
        "base": asdict(gate.base),
        "candidate": asdict(gate.candidate),
        "environment": gate.environment,
        "changes": [_change(change) for change in result.changes],
        "control": {"workload": gate.control, **_change(result.control)},
        "moved": {
            model: {"stage": stage.metric, "difference_s": stage.difference}
            for model, stage in result.moved.items()
        },
        "accuracy": [asdict(change) for change in result.accuracy],
        "cpu": [
            {
                "model": second.cpu.model,
                "ratio": second.cpu.ratio.value,
                "verdict": second.cpu.verdict,
                "total_verdict": second.wall.verdict,
                "disagrees": second.disagrees,
            }
            for second in result.cpu
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    interval = change.ratio.interval
    return {
        "model": change.model,
        "metric": change.metric,
        "unit": change.unit,
        "base": change.base,
        "candidate": change.candidate,
        "difference": change.difference,
        "ratio": change.ratio.value,
        "ratio_low": None if interval is None else interval.low,
        "ratio_high": None if interval is None else interval.high,
        "interval": None if interval is None else interval.method,
        "primary": change.verdict is not None,
        "verdict": change.verdict,
    }


def to_github_benchmark(result: GateResult) -> list[dict[str, Any]]:
    """The candidate's figures in the format `customSmallerIsBetter` of github-action-benchmark."""
    entries = []
    for change in result.changes:
        interval = change.ratio.interval
        between = "" if interval is None else f" [{interval.low:.3f}–{interval.high:.3f}]"
        entries.append(
            {
                "name": plain(change.name),
                "unit": change.unit,
                "value": change.candidate,
                "extra": f"base {change.base:.6g} {change.unit}, ratio {change.ratio.value:.3f}{between}, "
                f"{result.pairs} pairs",
            }
        )
    return entries


def to_junit(result: GateResult, inconclusive_fails: bool) -> str:
    """JUnit XML with a test case for each primary metric of each model.

    A regression is a failure. `inconclusive_fails`: whether an inconclusive verdict is a failure too, else it
    is skipped.
    """
    suite = ElementTree.Element("testsuite", name="bench gate", timestamp=result.gate.started)
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for change in result.primaries:
        counts["tests"] += 1
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"gate.{_text(change.model)}", name=_text(change.metric)
        )
        verdict = change.verdict
        message = _text(f"{result.reason}. {result.explanation(change.model) or ''}".strip())
        if verdict == "regression" or (verdict == "inconclusive" and inconclusive_fails):
            counts["failures"] += 1
            ElementTree.SubElement(case, "failure", type=verdict, message=message)
        elif verdict == "inconclusive":
            counts["skipped"] += 1
            ElementTree.SubElement(case, "skipped", message=message)
        ElementTree.SubElement(case, "system-out").text = _text(
            f"base {change.base:.6g} {change.unit}, candidate {change.candidate:.6g} {change.unit}, "
            f"ratio {change.ratio.value:.3f}, {result.pairs} pairs: {verdict}"
        )
    suite.attrib.update({name: str(count) for name, count in counts.items()})
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", plain(text))
