"""The judge of bars, on machines whose clocks are made up."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from . import bars
from .bars import Bar, Side, judge
from .conftest import pytest_terminal_summary
from .served import served

BAR = Bar("ours", "the port", 2.0)

Verdict = str


def verdict(bar: Bar, fast: bars.Call, base: bars.Call) -> tuple[Verdict, str]:
    """What became of the test ("passed", "failed", "skipped"), and the only text that was told."""
    told: list[str] = []
    outcome, reason = "passed", None
    try:
        judge(bar, fast, base, told.append)
    except pytest.skip.Exception as skipped:
        outcome, reason = "skipped", str(skipped)
    except pytest.fail.Exception as failed:
        outcome, reason = "failed", str(failed)
    (text,) = told
    assert reason in (None, text)
    return outcome, text


def quiet(seconds: float, seed: int = 0) -> bars.Call:
    """Calls that take the same, up to one percent."""
    draw = random.Random(seed)
    return lambda: seconds * draw.uniform(1, 1.01)


def restless(seconds: float) -> bars.Call:
    """Calls of which no two take the same: each is slowed down by something else."""
    steps = count()
    return lambda: seconds * 1.06 ** next(steps)


def test_a_quiet_machine_decides() -> None:
    outcome, text = verdict(BAR, quiet(0.4), quiet(1.0))
    assert outcome == "passed"
    assert text.startswith("ours against the port: 2.5× (0.4")
    assert text.endswith("12 turns; bar 2×): reached")
    outcome, text = verdict(BAR, quiet(0.6), quiet(1.0))
    assert outcome == "failed"
    assert text.endswith("bar 2×): missed")


@pytest.mark.parametrize(
    ("fast", "base"),
    [
        (restless(0.1), quiet(1.0)),
        (quiet(0.1), restless(1.0)),
        (restless(0.1), restless(1.0)),
        (restless(10.0), quiet(1.0)),
    ],
)
def test_a_side_that_was_never_undisturbed_decides_nothing(fast: bars.Call, base: bars.Call) -> None:
    """Neither for the bar nor against it, however far from it the ratio is."""
    outcome, text = verdict(BAR, fast, base)
    assert outcome == "skipped"
    assert f"{bars.MOST_TURNS} turns" in text
    assert "not decided here" in text
    assert "spread" in text


def shared_machine(seed: int) -> Callable[[float], bars.Call]:
    """Makes calls of so many seconds, with one clock and a neighbour that slows them down for seconds."""
    draw = random.Random(seed)
    clock = SimpleNamespace(now=0.0, change=draw.expovariate(1 / 5), busy=draw.random() < 0.5)

    def call(seconds: float) -> bars.Call:
        def work() -> float:
            begin, left = clock.now, seconds * draw.uniform(1, 1.02)
            while left > 0:
                speed = 0.42 if clock.busy else 1.0
                took = min(left / speed, clock.change - clock.now)
                left -= took * speed
                clock.now += took
                if clock.now >= clock.change:
                    clock.busy = not clock.busy
                    clock.change += draw.expovariate(1 / 5)
            return float(clock.now - begin)

        return work

    return call


def test_a_neighbour_that_comes_and_goes_causes_no_false_verdict() -> None:
    """Two states, dwell times of five seconds, calls of 0.3 and about 0.6 s: as seen on shared machines."""
    outcomes: dict[float, list[Verdict]] = {1.8: [], 2.2: []}
    for times, seen in outcomes.items():
        for seed in range(200):
            call = shared_machine(seed)
            seen.append(verdict(BAR, call(0.3), call(0.3 * times))[0])
    assert "passed" not in outcomes[1.8]
    assert "failed" not in outcomes[2.2]
    for seen, right in ((outcomes[1.8], "failed"), (outcomes[2.2], "passed")):
        assert seen.count(right) > 150


def test_the_sides_take_turns_and_stop_when_both_were_quiet() -> None:
    order: list[str] = []
    steps = count()

    def fast() -> float:
        order.append("f")
        return 1.0 if next(steps) >= 10 else 2.0 + len(order)

    def base() -> float:
        order.append("b")
        return 5.0

    assert verdict(BAR, fast, base)[0] == "passed"
    # Of 12 calls the fastest quarter is three: the 11th to the 13th are the first three that repeat.
    assert "".join(order) == "fbbf" * 6 + "fb"


def test_figures_without_a_bar_are_told() -> None:
    outcome, text = verdict(Bar("ours", "theirs", None), quiet(1), restless(3))
    assert outcome == "skipped"
    assert text.endswith(f"one call), {bars.TURNS_WITHOUT_BAR} turns): no bar")


def test_what_the_machine_lacks_is_named_with_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = Bar("ours", "the port", 2.0, needs="AMX")
    monkeypatch.setitem(bars.MACHINES, "AMX", lambda: False)
    outcome, text = verdict(bar, quiet(1.0), quiet(1.0))
    assert outcome == "skipped"
    assert text.endswith("bar 2×): needs AMX")
    monkeypatch.setitem(bars.MACHINES, "AMX", lambda: True)
    assert verdict(bar, quiet(1.0), quiet(1.0))[0] == "failed"


def test_a_bar_near_one_wants_a_quieter_machine() -> None:
    noisy = [quiet(1.0, seed) for seed in range(2)]
    assert verdict(Bar("a", "b", 0.97), *noisy)[0] == "passed"
    outcome, text = verdict(Bar("a", "b", 0.97, quiet=0.0001), *noisy)
    assert outcome == "skipped"
    assert "not decided here" in text


def test_one_call_was_never_seen_to_repeat() -> None:
    side = Side(lambda: 1.0)
    for _ in range(7):
        side.take_turn()
    assert side.spread is None
    assert not side.is_quiet(1.0)
    side.take_turn()
    assert side.is_quiet(0.0)


def test_a_served_process_answers_by_the_clock_that_is_asked_for() -> None:
    script = "def own(): return 2.5\ndef wait(): time.sleep(0.05)\nserve(own=own, wait=wait)\n"
    with served(script) as ask:
        assert ask("own", "given") == 2.5
        assert ask("wait", "wall") >= 0.05
        assert ask("wait", "cpu") < 0.05
    with pytest.raises(pytest.fail.Exception, match="did not start: a b"), served("", "a", "b"):
        pass


def test_the_summary_lists_every_verdict() -> None:
    reports = {
        "passed": [SimpleNamespace(user_properties=[("figures", "a: reached")])],
        "failed": [SimpleNamespace(user_properties=[("figures", "b: missed")])],
        "skipped": [
            SimpleNamespace(user_properties=[("other", "no")]),
            SimpleNamespace(user_properties=[("figures", "c: not decided here")]),
        ],
    }
    lines: list[str] = []
    reporter: Any = SimpleNamespace(
        getreports=lambda outcome: reports[outcome],
        write_sep=lambda _sign, title: lines.append(title),
        write_line=lines.append,
    )
    pytest_terminal_summary(reporter)
    assert lines == ["bars of speed", "a: reached", "b: missed", "c: not decided here"]
    lines.clear()
    reports.update(passed=[], failed=[], skipped=[])
    pytest_terminal_summary(reporter)
    assert lines == []
