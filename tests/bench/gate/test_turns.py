"""Pairs whose processes take turns: who works when, what is measured, and what is done where they cannot."""

from __future__ import annotations

import json
import math
import shlex
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actionbench.bench.gate import arm_process, pairs
from actionbench.bench.gate.targets import Place
from actionbench.bench.gate.turns import Conversation, network_turns, takes_turns
from actionbench.errors import UsageError
from actionbench.records.gate import Arm
from actionbench.records.metrics import FIRST, LOAD, PEAK_MEMORY, TOTAL
from actionbench.reports.statistics.sequential import Rule

from ..conftest import NETWORKS, write_video
from .conftest import Command, FixedControl
from .test_gate_cli import arms, python, run_gate

FAST = ("--pair-seconds", "0.001")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Arm("tree", "here", {}), tmp_path, sys.executable)


def records(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "gate" / "slots.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("control")
def test_one_process_at_a_time_works_and_neither_is_always_first(
    tmp_path: Path, turn_taker: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = run_gate(tmp_path, *arms(turn_taker("b"), turn_taker("c")), *FAST)
    assert (code, result["verdict"]) == (0, "fine")
    # A turn of each alone, which does not count, then four rounds a pair; the next pair begins the other way.
    turns = (tmp_path / "turns.log").read_text()
    assert turns[:18] == "bc" + "bccbbccb" + "cbbccbbc"
    assert len(turns) == 2 + 6 * 8
    assert (result["pairs"], result["pairs_in_turns"], result["turns"]) == (6, 6, 4)
    assert "4.00 turns each" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("control")
def test_a_slowdown_is_seen_through_a_neighbour_that_doubles_all_times(
    tmp_path: Path, turn_taker: Command
) -> None:
    code, result = run_gate(tmp_path, *arms(turn_taker("b"), turn_taker("c", 1.08)), *FAST)
    assert (code, result["verdict"]) == (3, "regression")
    (total,) = (change for change in result["changes"] if change["metric"] == TOTAL)
    assert total["ratio"] == pytest.approx(1.08)
    assert {"load", "cpu", "peak_memory", "flow", "forward"} <= {c["metric"] for c in result["changes"]}


@pytest.mark.usefixtures("control")
def test_cpu_time_that_says_otherwise_is_told_and_does_not_decide(
    tmp_path: Path, turn_taker: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = run_gate(tmp_path, *arms(turn_taker("b"), turn_taker("c", 1.2, cpu_s=1.0)), *FAST)
    assert (code, result["verdict"]) == (3, "regression")
    (second,) = result["cpu"]
    assert (second["verdict"], second["total_verdict"], second["disagrees"]) == ("fine", "regression", True)
    assert "wall time and CPU time disagree" in capsys.readouterr().out


@pytest.mark.usefixtures("control")
def test_an_arm_that_takes_no_turns_makes_both_run_slot_after_slot_and_it_is_said(
    tmp_path: Path, turn_taker: Command, arm: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = run_gate(tmp_path, *arms(turn_taker("b", 2.0), arm()))
    assert (code, result["verdict"], result["pairs_in_turns"]) == (0, "fine", 0)
    said = "slot after slot, not in turns (candidate: its command does not take turns)"
    assert said in result["work"]
    assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("control")
def test_two_that_do_not_fit_into_memory_run_slot_after_slot_and_it_is_said(
    tmp_path: Path, turn_taker: Command
) -> None:
    large = arms(turn_taker("b", memory=1 << 50), turn_taker("c", memory=1 << 50))
    _, result = run_gate(tmp_path, *large, *FAST)
    assert result["pairs_in_turns"] == 0
    assert "not in turns (two processes of command do not fit into memory)" in result["work"]
    assert {record["kind"] for record in records(tmp_path)} == {"slot"}


DEVICE = """
import fcntl, json, os, sys
size, free, device = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "r+")
def hold():
    fcntl.flock(device, fcntl.LOCK_EX)
    device.seek(0)
    held = [line for line in device.read().split() if os.path.exists("/proc/" + line)]
    if str(os.getpid()) not in held:
        if (len(held) + 1) * size > free:
            sys.exit("out of memory on the device")
        device.write(str(os.getpid()) + " ")
        device.flush()
    fcntl.flock(device, fcntl.LOCK_UN)
facts = json.dumps({"total_s": 1.0, "peak_rss_bytes": 1000, "peak_device_bytes": size})
if "ACTIONBENCH_TURNS" not in os.environ:
    hold()
    print(facts)
    sys.exit()
print('{"ready": {}}', flush=True)
for line in sys.stdin:
    hold()
    print(facts, flush=True)
"""
"""An arm whose processes hold memory of a device, which has only so much, from their first turn on."""


@pytest.mark.usefixtures("control")
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the device's processes are found in /proc")
@pytest.mark.parametrize(("free", "in_turns"), [(20, 6), (19, 0)])
def test_two_that_do_not_fit_onto_a_device_run_slot_after_slot_and_it_is_said(
    tmp_path: Path, free: int, in_turns: int
) -> None:
    (tmp_path / "device").touch()
    words = [sys.executable, "-S", "-E", "-c", DEVICE, "10", str(free), str(tmp_path / "device")]
    one = f"command:{shlex.join(words)}"
    code, result = run_gate(tmp_path, *arms(one, one), *FAST)
    assert (code, result["verdict"], result["pairs_in_turns"]) == (0, "fine", in_turns)
    reason = "not in turns (two processes of command do not run beside each other: "
    assert (reason in result["work"]) == (in_turns == 0)
    assert "peak_device_memory" in {change["metric"] for change in result["changes"]}


@pytest.mark.usefixtures("control")
def test_a_gate_in_turns_that_was_interrupted_goes_on(tmp_path: Path, turn_taker: Command) -> None:
    from actionbench.bench.cli.app import run_app

    run_gate(tmp_path, *arms(turn_taker("b"), turn_taker("c", 1.2)), *FAST)
    slots, record = tmp_path / "gate" / "slots.jsonl", tmp_path / "gate" / "gate.json"
    kept = slots.read_bytes().splitlines(keepends=True)
    slots.write_bytes(b"".join(kept[:3]) + kept[3][:50])
    record.write_text(record.read_text().replace('"done"', '"running"'))
    assert run_app(["gate", "--resume", str(tmp_path / "gate")]) == 3
    found = records(tmp_path)
    assert [one["pair"] for one in found] == list(range(6))
    assert [one["models"]["command"]["turns"][0]["arm"] for one in found[:4]] == ["base", "candidate"] * 2


def test_the_control_workload_is_done_before_every_turn(
    tmp_path: Path, turn_taker: Command, control: type[FixedControl]
) -> None:
    # Slower before each of the candidate's turns: base, candidate, candidate, base, …
    control.seconds = staticmethod(lambda call: 1.2 if call % 4 in (1, 2) else 1.0)
    code, result = run_gate(tmp_path, *arms(turn_taker("b"), turn_taker("c")), *FAST)
    # Which arm that is changes from pair to pair, so neither is treated worse in the end.
    first, second = (
        {turn["arm"]: turn["control_s"] for turn in record["models"]["command"]["turns"]}
        for record in records(tmp_path)[:2]
    )
    assert (first, second) == ({"base": 1.0, "candidate": 1.2}, {"base": 1.2, "candidate": 1.0})
    assert (code, result["control"]["ratio"]) == (0, pytest.approx(1.1, abs=0.11))


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("say({'ready': {}}); input(); raise SystemExit('broken')", "broken"),
        ("say({'ready': {}}); input()", "before its work was done"),
        ("say({'ready': {}}); input(); say({'a': 1}); input()", "did not say"),
        ("say({'error': 'no weights'}); input()", "no weights"),
        ("say({'ready': {'load_s': -1}}); input()", "a number ≥ 0"),
    ],
)
def test_a_process_that_fails_in_its_turn_is_an_error(
    tmp_path: Path, turn_taker: Command, capsys: pytest.CaptureFixture[str], code: str, complaint: str
) -> None:
    say = "import json\ndef say(facts): print(json.dumps(facts), flush=True)\n"
    assert run_gate(tmp_path, *arms(turn_taker("b"), python(say + code)), *FAST) == (2, {})
    assert complaint in capsys.readouterr().err


def test_a_network_takes_turns(place: Place, tmp_path: Path, tiny_module: object) -> None:
    write_video(tmp_path / "data" / "abseiling" / "one.mp4", tiny_module.colour_of(0))  # type: ignore[attr-defined]
    settings = tmp_path / "settings.json"
    run = {"models": [f"{NETWORKS}:tiny"], "weights": {"*": "random"}, "data": str(tmp_path / "data")}
    settings.write_text(json.dumps(run | {"latency_clips": 1, "latency_seconds": 0.05, "threads": 1}))
    with network_turns(place, settings, 60) as networks:
        assert networks.models == ("tiny",)
        for _ in range(2):  # planned once, a fresh process each
            with networks.start("tiny", tmp_path / "folder") as process:
                first, second = process.turn(), process.turn()
            assert {TOTAL, "cpu", "decode", "forward"} <= first.keys() == second.keys()
            assert {LOAD, FIRST, PEAK_MEMORY} <= process.once.keys()
            assert 0 < first["forward"] < first[TOTAL] < 60


def test_networks_that_cannot_be_planned_are_an_error(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"models": ["no-such-network"]}))
    with pytest.raises(UsageError, match="no-such-network"):
        arm_process._workers(settings)


@pytest.mark.parametrize("protocol", ["VERSION = '0'", "raise ImportError"])
def test_an_arm_whose_actionbench_is_of_another_version_takes_no_turns(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    gate = tmp_path / "other" / "actionbench" / "bench" / "gate"
    gate.mkdir(parents=True)
    for folder in (gate, gate.parent, gate.parent.parent):
        (folder / "__init__.py").write_text("")
    (gate / "protocol.py").write_text(protocol)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    assert not takes_turns(place)


def test_an_arm_of_this_version_takes_turns(place: Place) -> None:
    assert takes_turns(place)


@pytest.mark.parametrize(
    ("scatter", "most_s", "rounds"),
    [(0.0, 9.0, 4), (0.5, 0.0, 4), (0.5, 0.2, 10), (0.1, 9.0, 34)],
)
def test_a_pair_goes_on_until_its_ratio_is_known_or_its_time_is_over(
    scatter: float, most_s: float, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0

    def turn() -> dict[str, float]:
        nonlocal now
        now += 1
        return {TOTAL: math.exp(scatter if now % 8 == 0 else -scatter if now % 8 == 3 else 0.0)}

    monkeypatch.setattr(time, "monotonic", lambda: now / 100)
    processes: Any = {arm: SimpleNamespace(turn=turn) for arm in ("base", "candidate")}
    length = pairs.Length.of(most_s, [TOTAL], Rule())
    turns = pairs.take_turns(processes, ("base", "candidate"), lambda: 1.0, length)
    assert len(turns) == 2 * rounds
    assert [turn.arm[0] for turn in turns[:8]] == list("bccbbccb")


def test_a_process_whose_messages_cannot_be_kept_is_not_said_not_to_run(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "is not there"
    with pytest.raises(FileNotFoundError) as caught:
        Conversation([sys.executable, "-c", ""], place, folder, 10)
    assert str(caught.value.filename) == str(folder / "stderr.txt")
