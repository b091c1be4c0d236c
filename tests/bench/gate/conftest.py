"""Arms whose times are made up by a process that prints them; a control workload whose times are given."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from actionbench.bench.gate import runner

ARM = """
import json, math, pathlib, sys
counter, flow_s, forward_s, noise, seed = pathlib.Path(sys.argv[1]), *map(float, sys.argv[2:])
n = int(counter.read_text()) if counter.exists() else 0
counter.write_text(str(n + 1))
factor = math.exp(noise * math.sin(7 * n + seed))
stages = {"flow": flow_s * factor, "forward": forward_s * factor}
print("starting")
print(json.dumps({"stages_s": stages, "total_s": sum(stages.values()), "peak_rss_bytes": 1000}))
"""

TURNS = """
import json, os, sys
log, name, seconds, cpu_s, memory = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
def facts():
    stages = {"flow": seconds / 2, "forward": seconds / 2}
    return {"stages_s": stages, "cpu_s": cpu_s, "peak_rss_bytes": memory}
if "ACTIONBENCH_TURNS" not in os.environ:
    print(json.dumps(facts()))
    sys.exit()
print('{"ready": {"load_s": 0.5}}', flush=True)
for line in sys.stdin:
    assert line == "turn\\n"
    with open(log, "a+") as file:
        file.write(name)
        file.seek(0)
        # Everything slows down and recovers, whoever's turn it is.
        factor = 1.0 + (len(file.read()) // 14 % 2)
    times = facts()
    times["stages_s"] = {stage: factor * s for stage, s in times["stages_s"].items()}
    print("something else", json.dumps(times), sep="\\n", flush=True)
"""

Command = Callable[..., str]


@pytest.fixture
def arm(tmp_path: Path) -> Command:
    """Function that makes an arm: one process a slot, which prints stage times with seeded noise."""
    script = tmp_path / "arm.py"
    script.write_text(ARM)
    made = 0

    def make(flow_s: float = 1.0, forward_s: float = 1.0, noise: float = 0.01) -> str:
        nonlocal made
        made += 1
        counter = tmp_path / f"counter-{made}"
        words = [sys.executable, "-S", "-E", script, counter, flow_s, forward_s, noise, made]
        return "command:" + shlex.join(map(str, words))

    return make


@pytest.fixture
def turn_taker(tmp_path: Path) -> Command:
    """Function that makes an arm that takes turns, and writes its name to `turns.log` in each."""
    script = tmp_path / "turns.py"
    script.write_text(TURNS)

    def make(name: str, seconds: float = 1.0, cpu_s: float = 1.0, memory: float = 1000) -> str:
        words = [sys.executable, "-S", "-E", script, tmp_path / "turns.log", name, seconds, cpu_s, memory]
        return "command:" + shlex.join(map(str, words))

    return make


class FixedControl:
    """A control workload that takes as long as `seconds` says, call after call."""

    seconds: Callable[[int], float] = staticmethod(lambda _: 1.0)

    def __init__(self) -> None:
        self.calls = 0

    def describe(self) -> str:
        return "made up"

    def __call__(self) -> float:
        self.calls += 1
        return type(self).seconds(self.calls - 1)

    once = __call__


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> type[FixedControl]:
    """The control workload of every gate of the test; set its `seconds` to disturb it."""

    class Control(FixedControl):
        pass

    monkeypatch.setattr(runner, "Control", Control)
    return Control
