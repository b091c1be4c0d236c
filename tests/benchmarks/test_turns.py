"""What a loaded process that waits for its turn does to the one that works: its threads, and the caches."""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from actionbench.bench.gate.targets import Place
from actionbench.bench.gate.turns import NetworkTurns, Process, network_turns
from actionbench.records.gate import Arm
from actionbench.records.metrics import CPU, TOTAL
from actionbench.reports.statistics.intervals import median_interval

ROUNDS = 12

pytestmark = pytest.mark.benchmark


class Partner:
    """A process of a gate, and the worker behind it."""

    def __init__(self, networks: NetworkTurns, process: Process) -> None:
        self._process = process
        (worker,) = psutil.Process(networks.conversation._child._process.pid).children()
        self.worker = worker

    def turn(self) -> dict[str, float]:
        """Metric → seconds of a video."""
        return self._process.turn()

    def cpu_s(self) -> float:
        times = self.worker.cpu_times()
        return float(times.user + times.system)


@pytest.fixture(params=["resnet18@torch", "resnet18@openvino", "resnet18@onnx", "i3d-rgb@tensorflow"])
def partners(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Partner, Partner]]:
    """Two loaded processes of one network on all cores; a turn is one video."""
    place = Place(Arm("tree", "here", {}), tmp_path, sys.executable)
    settings = {"models": [request.param], "weights": {"*": "random"}, "views": "single"}
    with ExitStack() as alive:
        found = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            file = tmp_path / name / "settings.json"
            file.write_text(json.dumps(settings | {"latency_clips": 1, "latency_seconds": 0}))
            networks = alive.enter_context(network_turns(place, file, 300))
            process = alive.enter_context(networks.start(networks.models[0], tmp_path))
            found.append(Partner(networks, process))
        yield found[0], found[1]


def test_a_waiting_process_computes_nothing(partners: tuple[Partner, Partner]) -> None:
    """Its thread pools (OpenMP, TBB, Eigen) may spin for a moment when its turn is over, and then sleep."""
    waiting, _ = partners
    moment, second = [], []
    for _ in range(5):
        waiting.turn()
        begin = waiting.cpu_s()
        time.sleep(0.1)
        soon = waiting.cpu_s()
        time.sleep(1.0)
        moment.append(soon - begin)
        second.append(waiting.cpu_s() - soon)
    print(f"\nCPU seconds of a waiting process: first 0.1 s {max(moment):.2f}, next second {max(second):.2f}")
    assert sorted(second)[2] <= 0.02, "CPU seconds in a second of waiting, median of five"


def test_a_waiting_process_does_not_slow_the_one_that_works(partners: tuple[Partner, Partner]) -> None:
    """Turns right after the partner's, which waits or is stopped then, and a turn after one of its own.

    Wall time shows whether a waiting partner takes a core, CPU time whether the caches were emptied.
    """
    working, partner = partners
    waits, cold = [], []
    for number in range(ROUNDS):
        seconds = {}
        for how in ("stopped", "waits") if number % 2 else ("waits", "stopped"):
            partner.turn()
            if how == "stopped":
                partner.worker.send_signal(signal.SIGSTOP)
            seconds[how] = working.turn()
            if how == "stopped":
                partner.worker.send_signal(signal.SIGCONT)
        again = working.turn()[CPU]
        waits.append(math.log(seconds["waits"][TOTAL] / seconds["stopped"][TOTAL]))
        cold.append(math.log(seconds["waits" if number % 2 else "stopped"][CPU] / again))
    print()
    for title, ratios in (
        ("wall, it waits / is stopped", waits),
        ("CPU, after its turn / after an own", cold),
    ):
        interval = median_interval(ratios)
        assert interval is not None
        middle = math.exp(sorted(ratios)[ROUNDS // 2])
        print(f"{title}: {middle:.3f} [{math.exp(interval.low):.3f}–{math.exp(interval.high):.3f}]")
    lowest = median_interval(waits)
    assert lowest is not None
    assert math.exp(lowest.low) <= 1.03
