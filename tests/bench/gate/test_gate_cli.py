"""`bench gate` from end to end, on arms whose times are made up."""

from __future__ import annotations

import fcntl
import io
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.bench.gate import runner
from actionbench.reports.statistics import gate_simulation
from actionbench.reports.statistics.gate_simulation import Cell
from actionbench.reports.statistics.sequential import Rule

from .conftest import Command, FixedControl, arms_in

pytestmark = pytest.mark.usefixtures("control")


FEW = ("--pairs", "6", "--max-pairs", "6")
"""As many as a verdict needs where there is hardly any noise."""

OUTPUTS = {"junit": "junit.xml", "github-benchmark": "benchmark.json", "markdown": "summary.md"}


def run_gate(tmp_path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code, and the result's JSON if there is one; of `FEW` pairs unless the options say otherwise."""
    result = tmp_path / "result.json"
    result.unlink(missing_ok=True)
    code = run_app(["gate", "--out", str(tmp_path / "gate"), "--json", str(result), *FEW, *options])
    return code, json.loads(result.read_text()) if result.exists() else {}


def arms(base: str, candidate: str) -> list[str]:
    return ["--base", base, "--candidate", candidate]


def python(code: str) -> str:
    return "command:" + shlex.join([sys.executable, "-S", "-c", code])


@dataclass(frozen=True)
class Ran:
    """A finished gate that several tests read. `folder`: its directory and the files it wrote beside it."""

    folder: Path
    code: int
    result: dict[str, Any]
    said: str

    def slots(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "gate" / "slots.jsonl").read_text().splitlines()]


def ran(folder: Path, control: type[FixedControl], *options: str) -> Ran:
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr(runner, "Control", control)
        code, result = run_gate(folder, *options)
    return Ran(folder, code, result, said.getvalue())


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A gate of identical arms."""
    folder = tmp_path_factory.mktemp("unchanged")
    arm = arms_in(folder)
    return ran(folder, FixedControl, *arms(arm(), arm()))


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A gate whose candidate's flow takes 1.4 times as long, with all files for machines."""
    folder = tmp_path_factory.mktemp("slower")
    arm = arms_in(folder)
    files = [word for name, file in OUTPUTS.items() for word in (f"--{name}", str(folder / file))]
    return ran(folder, FixedControl, *arms(arm(), arm(flow_s=1.4)), *files)


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A gate of a slower candidate on a machine that is slower whenever the candidate runs."""

    class Disturbed(FixedControl):
        # Two calls a slot; base, candidate, candidate, base, …
        seconds = staticmethod(lambda call: 1.2 if call // 2 % 4 in (1, 2) else 1.0)

    folder = tmp_path_factory.mktemp("disturbed")
    arm = arms_in(folder)
    junit = ["--junit", str(folder / OUTPUTS["junit"])]
    return ran(folder, Disturbed, *arms(arm(), arm(flow_s=1.4)), "--max-pairs", "12", *junit)


def test_identical_arms_are_fine(unchanged: Ran) -> None:
    assert (unchanged.code, unchanged.result["verdict"], unchanged.result["pairs"]) == (0, "fine", 6)
    assert "fine: not slower by more than 5 %" in unchanged.said


def test_a_slower_stage_is_a_regression_and_is_named(slower: Ran) -> None:
    assert (slower.code, slower.result["verdict"]) == (3, "regression")
    assert slower.result["moved"]["command"]["stage"] == "flow"
    assert slower.result["moved"]["command"]["difference_s"] == pytest.approx(0.4, rel=0.1)
    assert "flow changed most" in slower.said


def test_faster_is_an_improvement_and_no_failure(tmp_path: Path, arm: Command) -> None:
    code, result = run_gate(tmp_path, *arms(arm(forward_s=1.5), arm()))
    assert (code, result["verdict"]) == (0, "improvement")
    assert result["moved"]["command"]["stage"] == "forward"


def test_what_lies_on_the_threshold_stays_inconclusive_after_the_most_pairs(
    tmp_path: Path, arm: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    slower = arms(arm(noise=0.03), arm(1.05, 1.05, noise=0.03))
    code, result = run_gate(tmp_path, *slower, "--max-pairs", "14")
    assert (code, result["verdict"], result["pairs"]) == (4, "inconclusive", 14)
    assert "More pairs (--max-pairs)" in capsys.readouterr().out
    again = ["gate", "--resume", str(tmp_path / "gate")]
    assert run_app([*again, "--on-inconclusive", "ok"]) == 0
    assert run_app(again) == 4


def test_a_disturbed_control_workload_allows_no_verdict(disturbed: Ran) -> None:
    code, result = disturbed.code, disturbed.result
    assert (code, result["verdict"], result["pairs"]) == (4, "inconclusive", 12)
    assert "control workload" in result["reason"]
    # No metric's own verdict may be read either, as "regression" or as "fine".
    assert {change["verdict"] for change in result["changes"] if change["primary"]} == {"inconclusive"}
    assert result["control"]["ratio"] == pytest.approx(1.2)


def test_a_disturbed_machine_fails_a_job_as_junit_reads_it(disturbed: Ran) -> None:
    junit = disturbed.folder / OUTPUTS["junit"]
    assert ElementTree.parse(junit).getroot().get("failures") == "1"


def test_a_drift_that_both_arms_meet_is_not_taken_for_a_change(
    tmp_path: Path, arm: Command, control: type[FixedControl]
) -> None:
    control.seconds = staticmethod(lambda call: 1.0 + 0.01 * call)
    code, result = run_gate(tmp_path, *arms(arm(), arm()))
    assert (code, result["verdict"]) == (0, "fine")


@pytest.mark.parametrize("status", [1, 3, 4])
def test_an_arm_that_fails_is_an_error_with_its_last_words(
    tmp_path: Path, arm: Command, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    crash = python(f"import sys; print('no weights here', file=sys.stderr); sys.exit({status})")
    code, result = run_gate(tmp_path, *arms(arm(), crash))
    assert (code, result) == (2, {})
    assert f"exit status {status}" in (message := capsys.readouterr().err)
    assert "no weights here" in message
    assert "--resume" not in message, "nothing was measured"


def test_an_arm_that_fails_later_keeps_what_was_measured(
    tmp_path: Path, arm: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = tmp_path / "calls"
    code = f"file = open({str(calls)!r}, 'a+'); file.write('x'); file.seek(0); assert len(file.read()) < 4; "
    failing = python(code + "print('{\"total_s\": 2}')")
    assert run_gate(tmp_path, *arms(arm(), failing)) == (2, {})
    assert f"go on with: bench gate --resume {tmp_path / 'gate'}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("print('{\"total_s\": 0}')", "measured nothing"),
        ("print('{\"stages_s\": {}}')", "measured nothing"),
        ("print('{\"total_s\": NaN}')", "a number ≥ 0"),
        ('print(\'{"total_s": "fast"}\')', "a number ≥ 0"),
        ('print(\'{"total_s": 1, "stages_s": 3}\')', "no object"),
        ("import os; os.kill(os.getpid(), 9)", "killed (SIGKILL)"),
    ],
)
def test_what_measured_nothing_is_an_error(
    tmp_path: Path, arm: Command, capsys: pytest.CaptureFixture[str], code: str, complaint: str
) -> None:
    assert run_gate(tmp_path, *arms(arm(), python(code))) == (2, {})
    assert complaint in capsys.readouterr().err


def test_an_arm_that_hangs_is_given_up(
    tmp_path: Path, arm: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    hang = python("import time; time.sleep(60)")
    assert run_gate(tmp_path, *arms(arm(), hang), "--timeout", "0.3") == (2, {})
    assert "longer than 0.3 s" in capsys.readouterr().err


DRIVER = """
from actionbench.__main__ import main
from actionbench.bench.gate import runner

class Control:
    describe = lambda self: "made up"
    __call__ = lambda self: 1.0

runner.Control = Control
main()
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_gate_that_is_killed_leaves_no_slot_running(tmp_path: Path, how: int) -> None:
    running = tmp_path / "running"
    # The slot's process and one that it has started hold this lock as long as they live.
    code = "import fcntl, subprocess, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
    code += "subprocess.run(['sleep', '300'], pass_fds=[file.fileno()], stdout=file)"
    words = shlex.join([sys.executable, "-S", "-c", code, str(running)])
    options = ["gate", *arms(f"command:{words}", f"command:{words}"), "--out", str(tmp_path / "gate")]
    with subprocess.Popen([sys.executable, "-c", DRIVER, *options], stderr=subprocess.PIPE) as driver:
        assert holds(lambda: not is_free(running), 60)
        driver.send_signal(how)
        assert driver.wait(20) == (130 if how == signal.SIGTERM else -how)
    assert holds(lambda: is_free(running), 20)


def is_free(lock: Path) -> bool:
    """Whether no process holds the lock."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def holds(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it holds before so many seconds have passed."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_a_command_that_says_nothing_is_timed_as_a_whole(tmp_path: Path) -> None:
    quick, slow = python("pass"), python("import time; time.sleep(0.2); print('done')")
    code, result = run_gate(tmp_path, *arms(quick, slow))
    (change,) = result["changes"]
    assert (code, result["verdict"]) == (3, "regression")
    assert change["difference"] == pytest.approx(0.2, rel=0.5)
    assert result["moved"] == {}


def test_a_gate_that_fails_leaves_no_result_of_an_earlier_one(tmp_path: Path, arm: Command) -> None:
    files = {name: tmp_path / name for name in ("json", "junit", "markdown", "github-benchmark")}
    for path in files.values():
        path.write_text("fine")
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    crash = arms(arm(), python("raise SystemExit(3)"))
    assert run_app(["gate", "--out", str(tmp_path / "gate"), *options, *crash]) == 2
    assert not any(path.exists() for path in files.values())


def test_an_interrupted_gate_goes_on_where_it_was(tmp_path: Path, slower: Ran) -> None:
    shutil.copytree(slower.folder / "gate", tmp_path / "gate")
    slots, record = tmp_path / "gate" / "slots.jsonl", tmp_path / "gate" / "gate.json"
    kept = slots.read_bytes().splitlines(keepends=True)
    # As after a kill in the middle of pair 5's second slot: its first one is whole, the next line is torn.
    slots.write_bytes(b"".join(kept[:9]) + kept[9][:20])
    record.write_text(record.read_text().replace('"done"', '"running"'))
    resumed = tmp_path / "resumed.json"
    assert run_app(["gate", "--resume", str(tmp_path / "gate"), "--json", str(resumed)]) == 3
    again = json.loads(resumed.read_text())
    assert (again["verdict"], again["pairs"]) == (slower.result["verdict"], 6)
    lines = [json.loads(line) for line in slots.read_text().splitlines()]
    assert [line["pair"] for line in lines[:9]] == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    # The pair was measured anew as a whole: its halves must not lie far apart in time.
    assert [line["pair"] for line in lines[9:11]] == [4, 4]
    assert {line["arm"] for line in lines[9:11]} == {"base", "candidate"}


def test_a_gate_whose_time_is_over_says_so_with_its_table_and_goes_on_later(
    tmp_path: Path, arm: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slots = tmp_path / "gate" / "slots.jsonl"

    def now() -> float:
        return 20.0 * len(slots.read_text().splitlines()) if slots.exists() else 0.0

    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=now))
    # A slot takes 20 s, so that the fourth pair would end after 160 s.
    both = arms(arm(), arm(flow_s=1.4))
    code, result = run_gate(tmp_path, *both, "--max-minutes", "2.5")
    assert (code, result["verdict"], result["pairs"]) == (4, "inconclusive", 3)
    assert "its time was over (--max-minutes) after 3 pairs, of 6 at most" in result["reason"]
    answer = capsys.readouterr()
    assert "flow changed most" in answer.out
    resume = ["gate", "--resume", str(tmp_path / "gate"), "--json", str(tmp_path / "result.json")]
    assert f"go on with: bench {' '.join(resume[:3])}" in answer.err
    assert run_app(resume) == 3, "with its time counted anew, three more pairs are measured"
    resumed = json.loads((tmp_path / "result.json").read_text())
    assert (resumed["pairs"], "its time" in resumed["reason"]) == (6, False)


def test_a_gate_without_time_measures_one_pair(tmp_path: Path, arm: Command) -> None:
    code, result = run_gate(tmp_path, *arms(arm(), arm()), "--max-minutes", "1e-9")
    assert (code, result["verdict"], result["pairs"]) == (4, "inconclusive", 1)


def test_time_that_is_enough_changes_nothing(tmp_path: Path, arm: Command) -> None:
    code, result = run_gate(tmp_path, *arms(arm(), arm()), "--max-minutes", "60")
    assert (code, result["verdict"], result["pairs"]) == (0, "fine", 6)


def test_a_gate_is_resumed_as_it_began(unchanged: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    gate = str(unchanged.folder / "gate")
    assert run_app(["gate", "--resume", gate, "--pairs", "20"]) == 2
    assert "--pairs" in capsys.readouterr().err
    assert run_app(["gate", "--out", gate, *arms("command:true", "command:true")]) == 2
    assert "already holds a gate" in capsys.readouterr().err


def test_the_order_within_pairs_alternates(unchanged: Ran) -> None:
    slots = unchanged.slots()
    assert [slot["arm"][0] for slot in slots[:8]] == list("bccbbccb")
    assert [slot["order"] for slot in slots] == list(range(12))


def test_several_primaries_decide_together(tmp_path: Path, arm: Command) -> None:
    slower = [*arms(arm(), arm(flow_s=1.4)), "--max-pairs", "10"]
    code, result = run_gate(tmp_path, *slower, "--primary", "forward", "--primary", "peak_memory")
    assert (code, result["verdict"]) == (0, "fine")
    (tmp_path / "gate").rename(tmp_path / "first")
    code, result = run_gate(tmp_path, *slower, "--primary", "forward", "--primary", "flow")
    assert (code, result["verdict"]) == (3, "regression")
    assert {c["metric"]: c["verdict"] for c in result["changes"] if c["primary"]} == {
        "forward": "fine",
        "flow": "regression",
    }


def test_outputs_for_machines_are_what_their_readers_take(slower: Ran) -> None:
    junit, benchmark, summary = (slower.folder / file for file in OUTPUTS.values())
    suite = ElementTree.parse(junit).getroot()
    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "1", "1")
    (failure,) = suite.iter("failure")
    assert "flow changed most" in str(failure.get("message"))
    entries = json.loads(benchmark.read_text())
    assert {"name", "unit", "value"} <= entries[0].keys()
    assert entries[0]["value"] == pytest.approx(2.4, rel=0.05)
    assert summary.read_text().startswith("## Timing gate: regression")


def test_estimate_tells_the_duration_and_leaves_nothing(
    tmp_path: Path, arm: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gate"
    assert run_app(["gate", *arms(arm(), arm()), "--estimate", "--out", str(out)]) == 0
    assert "10 pairs: about" in capsys.readouterr().out
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--base", "command:true", "--threshold", "much"], "is not a share"),
        (["--base", "command:true", "--pairs", "5"], "too few pairs"),
        (["--base", "command:true", "--on-inconclusive", "maybe"], "--on-inconclusive"),
        (["--base", "command:true", "--packages", "mine"], "--packages"),
        (["--base", "command:true"], "one arm is a command"),
        (["--base", "command:"], "is empty"),
        (["--base", "command:'"], "cannot be split"),
        (["--base", "python:/no/such/python"], "no such interpreter"),
        (["--base", "command:/no/such/program", "--candidate", "command:true"], "cannot be run"),
        (["--base", "command:true", "--max-minutes", "0"], "--max-minutes"),
        (["--self-test", "--max-minutes", "1"], "--max-minutes"),
        (["--base", "command:true", "--latency-clips", "0"], "--latency-clips"),
        (["--base", "command:true", "--latency-seconds", "-1"], "--latency-seconds"),
        (["--base", "command:true", "--accuracy", "--weights", "random"], "--accuracy"),
        (["--base", "command:true", "--primary", "total", "--primary", "total"], "twice"),
        (["--self-test", "--json", "result.json"], "--json"),
        (["--base", "command:true", "--simulate"], "--self-test"),
        ([], "--base"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert run_app(["gate", "--out", str(tmp_path / "gate"), *options]) == 2
    assert complaint in capsys.readouterr().err


def test_a_metric_that_is_not_measured_cannot_decide(
    tmp_path: Path, arm: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_gate(tmp_path, *arms(arm(), arm()), "--primary", "upload")[0] == 2
    assert "flow, forward, peak_memory, total" in capsys.readouterr().err
    assert len((tmp_path / "gate" / "slots.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow  # compiles TV-L1
def test_the_real_control_workload_takes_time() -> None:
    from actionbench.bench.gate.control import Control

    control = Control()
    assert 0 < control() < 60
    assert "tvl1-fast" in control.describe()


def test_the_workload_of_the_self_test_does_more_when_told_to(tmp_path: Path) -> None:
    from actionbench.bench.gate import workload

    video = tmp_path / "video.mp4"
    workload.write_video(video)
    answer = subprocess.run(
        [sys.executable, "-P", "-m", workload.__name__, str(video), "--slow", "2", "--slow-stage", "flow"],
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(answer.stdout)
    assert set(facts["stages_s"]) == set(workload.STAGES)
    assert facts["total_s"] > facts["stages_s"]["flow"] > 0
    counts = dict.fromkeys(workload.STAGES, 0)

    def count(stage: str) -> None:
        counts[stage] += 1

    work: dict[str, Callable[[], object]] = {stage: partial(count, stage) for stage in workload.STAGES}
    workload.sample(work, workload.units(0.2, "flow"))
    assert counts == {"decode": 10, "flow": 12, "arithmetic": 10}


def test_self_test_keeps_each_gate_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from actionbench.bench.gate import workload

    monkeypatch.setattr(workload, "write_video", lambda path: path.touch())
    fake = tmp_path / "fake.py"
    fake.write_text("import sys; print('{\"total_s\": %f}' % (1 + 0.2 * ('--slow' in sys.argv)))")
    monkeypatch.setattr(workload, "command", lambda _: [sys.executable, "-S", str(fake)])
    options = ["gate", "--self-test", "--pairs", "6", "--max-pairs", "8", "--out", str(tmp_path / "out")]
    assert run_app([*options, "--gates", "1"]) == 0
    assert run_app([*options, "--gates", "2"]) == 0
    kept = [json.loads(line) for line in (tmp_path / "out" / "gates.jsonl").read_text().splitlines()]
    assert [one["verdict"] for one in kept] == ["fine", "regression", "fine", "regression"]
    out = capsys.readouterr().out
    assert "0 of 2" in out
    assert "2 of 2" in out
    assert "34.2 % – 100.0 %" in out  # Wilson, 2 of 2
    assert "identical arms: a gate took 0.0 minutes (median of 2) and 6 to 6 pairs, median 6" in out


@pytest.mark.parametrize(("alarms", "code", "said"), [(9, 0, "kept: "), (11, 2, "NOT kept: ")])
def test_the_simulation_fails_if_a_promise_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], alarms: int, code: int, said: str
) -> None:
    ends = {"regression": alarms, "fine": 1000 - alarms}
    cell = Cell("plain", "alternating", Rule(pairs=10, max_pairs=10), 0.0, ends, 10)
    monkeypatch.setattr(gate_simulation, "simulate", lambda _: [cell])
    monkeypatch.setattr(gate_simulation, "simulate_shared", lambda _: [])
    assert run_app(["gate", "--self-test", "--simulate"]) == code
    answer = capsys.readouterr()
    promise = "unchanged code: at most 1 % false alarms, always"
    assert f"\n{said}{promise}; found {alarms / 10} %\n" in answer.out
    assert (promise in answer.err) == (code == 2)


def test_self_test_refuses_what_it_cannot_inject(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["gate", "--self-test", "--injected", "7%"]) == 2
    assert "multiple of 10 %" in capsys.readouterr().err
