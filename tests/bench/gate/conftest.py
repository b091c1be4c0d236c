"""Arms whose times are made up by a process that prints them; a control workload whose times are given."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from actionbench.bench.gate import runner
from actionbench.bench.plan.environment import environment

# Neither imports a module that Python does not start with: a gate starts a dozen of them.
ARM = """
import math, sys
path, (flow_s, forward_s, noise, seed) = sys.argv[1], map(float, sys.argv[2:])
with open(path, "a") as counter:
    n = counter.tell()
    counter.write("x")
factor = math.exp(noise * math.sin(7 * n + seed))
flow_s, forward_s = flow_s * factor, forward_s * factor
print("starting")
stages = '{"flow": %r, "forward": %r}' % (flow_s, forward_s)
print('{"stages_s": %s, "total_s": %r, "peak_rss_bytes": 1000}' % (stages, flow_s + forward_s))
"""

TURNS = """
import os, sys
log, name, seconds, cpu_s, memory = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
def facts(factor):
    stage_s = factor * seconds / 2
    stages = '{"flow": %r, "forward": %r}' % (stage_s, stage_s)
    return '{"stages_s": %s, "cpu_s": %r, "peak_rss_bytes": %r}' % (stages, cpu_s, memory)
if "ACTIONBENCH_TURNS" not in os.environ:
    print(facts(1.0))
    sys.exit()
print('{"ready": {"load_s": 0.5}}', flush=True)
for line in sys.stdin:
    assert line == "turn\\n"
    with open(log, "a+") as file:
        file.write(name)
        file.seek(0)
        # Everything slows down and recovers, whoever's turn it is.
        factor = 1.0 + (len(file.read()) // 14 % 2)
    print("something else", facts(factor), sep="\\n", flush=True)
"""

Command = Callable[..., str]


def arms_in(folder: Path) -> Command:
    """Function that makes an arm: one process a slot, which prints stage times with seeded noise."""
    script = folder / "arm.py"
    script.write_text(ARM)
    made = 0

    def make(flow_s: float = 1.0, forward_s: float = 1.0, noise: float = 0.01) -> str:
        nonlocal made
        made += 1
        counter = folder / f"counter-{made}"
        words = [sys.executable, "-S", "-E", script, counter, flow_s, forward_s, noise, made]
        return "command:" + shlex.join(map(str, words))

    return make


@pytest.fixture
def arm(tmp_path: Path) -> Command:
    """As `arms_in`, in the test's folder."""
    return arms_in(tmp_path)


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


@pytest.fixture(autouse=True, scope="module")
def _machine() -> Iterator[None]:
    """What the machine is, asked once for a file of tests: each gate asks git and the packages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "environment", cache(environment))
        yield


@pytest.fixture
def control(monkeypatch: pytest.MonkeyPatch) -> type[FixedControl]:
    """The control workload of every gate of the test; set its `seconds` to disturb it."""

    class Control(FixedControl):
        pass

    monkeypatch.setattr(runner, "Control", Control)
    return Control
