"""A gate's directory: pairs in turns and slots beside each other, read as they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actionbench.errors import UsageError
from actionbench.records.gate import Arm, Gate, InTurns, PairInTurns, Slot, Turn
from actionbench.records.gate_directory import GateDirectory, GateWriter

from ..file_sizes import limited

GATE = Gate("2026-01-01T00:00:00+00:00", {}, {}, "work", "control", Arm("a", "A", {}), Arm("b", "B", {}))
TURNS = (Turn("base", {"total": 1.5}, 0.01), Turn("candidate", {"total": 1.25}, 0.02))
PAIR = PairInTurns(1, {"m": InTurns(TURNS, {"base": {"load": 2.0}, "candidate": {}})}, 3.0)


def test_pairs_of_both_kinds_are_read_as_they_were_written(tmp_path: Path) -> None:
    slots = [Slot(0, "base", 0, {}, 1.0, 1.0), Slot(0, "candidate", 1, {}, 1.0, 1.0)]
    with GateWriter(tmp_path / "gate", GATE) as writer:
        for entry in (slots[1], PAIR, slots[0], Slot(2, "base", 4, {}, 1.0, 1.0)):
            writer.append(entry)
    gate = GateDirectory(tmp_path / "gate")
    assert gate.slots()[:2] == slots
    assert gate.pairs_in_turns() == [PAIR]
    assert gate.complete_pairs == 2


def test_what_a_pair_runs_is_noted_beside_what_was_planned(tmp_path: Path) -> None:
    with GateWriter(tmp_path / "gate", GATE) as writer:
        writer.note_work("in turns: something")
    found = GateDirectory(tmp_path / "gate").gate
    assert (found.work, found.control, found.state) == ("in turns: something", "control", "running")


def test_a_gate_whose_record_is_refused_can_be_begun_again(tmp_path: Path) -> None:
    """It cannot be gone on with, so no error says so."""
    with limited(100), pytest.raises(OSError, match="File too large"):
        GateWriter(tmp_path / "gate", GATE)
    with GateWriter(tmp_path / "gate", GATE) as writer:
        assert writer.gate == GATE


def turn(arm: str) -> dict[str, Any]:
    return {"arm": arm, "values": {"total": 1.5}, "control_s": 0.01}


@pytest.mark.parametrize(
    "models",
    [
        {},
        {"m": {"turns": [], "once": {"base": {}, "candidate": {}}}},
        {"m": {"turns": [turn("base")], "once": {"base": {}, "candidate": {}}}},
        {"m": {"turns": [turn("base"), turn("base")], "once": {"base": {}, "candidate": {}}}},
        {"m": {"turns": [turn("base"), turn("candidate")], "once": {"candidate": {}}}},
        {"m": {"turns": [turn("base"), turn("candidate")], "once": {"base": {}, "candidate": {}, "c": {}}}},
    ],
)
def test_a_pair_without_both_arms_is_named_by_its_line(tmp_path: Path, models: dict[str, Any]) -> None:
    with GateWriter(tmp_path / "gate", GATE) as writer:
        writer.append(PAIR)
    with (tmp_path / "gate" / "slots.jsonl").open("a") as file:
        file.write(json.dumps({"pair": 2, "models": models, "wall_s": 1.0, "kind": "pair"}) + "\n")
    with pytest.raises(UsageError, match=r"slots\.jsonl: line 2 is damaged"):
        GateDirectory(tmp_path / "gate").pairs_in_turns()
