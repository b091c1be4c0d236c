"""Whether a network keeps up with a camera: a clear yes needs all of the interval."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from actionbench.reports.analysis.deployment import deployment, keeps_up, notes
from actionbench.reports.analysis.load_runs import merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.statistics.intervals import Estimate, Interval


@pytest.mark.parametrize(
    ("value", "low", "answer"),
    [
        (30, 26, "yes"),
        (25, 25, "yes"),
        (26, 24, "not always"),
        (24.9, 20, "no"),
        (26, None, "yes"),
        (24, None, "no"),
    ],
)
def test_answers(value: float, low: float | None, answer: str) -> None:
    interval = None if low is None else Interval(low, 99, "range of 3 processes")
    assert keeps_up(Estimate(value, interval, 3), 25) == answer


def test_nothing_measured_is_unknown() -> None:
    assert keeps_up(None, 25) == "unknown"


def test_the_table_counts_preprocessing(fake: SimpleNamespace) -> None:
    # 250 frames: 0.51 s of other work, then the network's, then flow.
    slow = fake.model("slow", fake.answers(1, 2), forward_s=(1.0, 1.0), flow_s=20.0)
    some = fake.model("some", fake.answers(1, 2), forward_s=(8.0, 9.0), flow_s=None)
    fast = fake.model("fast", fake.answers(1, 2), forward_s=(1.0, 1.0), flow_s=None)
    dead = fake.model("dead", {}, state="failed", error="out of memory", forward_s=[])
    summary = summarise(merge([fake.run([slow, some, fast, dead])]))
    frame = deployment(summary).frame().set_index("model")
    assert frame["keeps_up_25_fps"].to_dict() == {
        "slow": "no",
        "some": "yes",
        "fast": "yes",
        "dead": "unknown",
    }
    assert frame["keeps_up_30_fps"]["some"] == "no"
    assert "dead: unknown, as it failed: out of memory." in notes(summary)


def test_one_process_is_said(fake: SimpleNamespace) -> None:
    run = fake.run([fake.model("net", fake.answers(1, 2), forward_s=[1.0])])
    assert "Timed in one process only: another one may be slower." in notes(summarise(merge([run])))
