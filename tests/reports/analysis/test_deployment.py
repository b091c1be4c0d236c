"""Whether a network keeps up with a camera: a clear yes needs all of the interval."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.reports.analysis.deployment import (
    deployment,
    deployments,
    keeps_up,
    notes,
    pareto_front,
    ranked,
)
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


def test_weights_with_a_frame_rate_of_their_own_keep_up_in_real_time(fake: SimpleNamespace) -> None:
    """5 frames a second are all that they need, of a camera of any rate. Videos of 10 s."""
    works = {"fast": 9.4, "slow": 9.6}
    models = [
        fake.model(name, fake.answers(1, 2), forward_s=(s, s), flow_s=None, source_frames=None)
        for name, s in works.items()
    ]
    summary = summarise(merge([fake.run(models)]))
    frame = deployment(summary).frame().set_index("model")
    for asked in (25, 30):
        assert frame[f"keeps_up_{asked}_fps"].to_dict() == {"fast": "yes", "slow": "no"}
    assert frame["frames_per_s"].isna().all()
    assert any("where the real-time factor reaches 1" in note for note in notes(summary))


def test_frames_that_the_network_leaves_out_count_for_a_camera(fake: SimpleNamespace) -> None:
    """Videos of 30 frames a second, of which 300 stand for the 250 that are sampled; 10 s in 9.9 s."""
    model = fake.model("net", fake.answers(1, 2), forward_s=(9.389,), flow_s=None, source_frames=300)
    (found,) = deployments(summarise(merge([fake.run([model])])))
    assert found.pace.frames_per_s is not None
    assert found.pace.frames_per_s.value == pytest.approx(300 / 9.9)
    assert found.answers == ((25, "yes"), (30, "yes"))


def test_one_process_is_said(fake: SimpleNamespace) -> None:
    run = fake.run([fake.model("net", fake.answers(1, 2), forward_s=[1.0])])
    assert "Timed in one process only: another one may be slower." in notes(summarise(merge([run])))


def summary_of(fake: SimpleNamespace, *models: Any) -> Any:
    return summarise(merge([fake.run(list(models))]))


def test_what_keeps_up_comes_first_then_the_more_accurate_then_the_faster(fake: SimpleNamespace) -> None:
    """Videos of 10 s; the work beside the network's takes half a second."""
    found = summary_of(
        fake,
        fake.model("dead", {}, state="failed", error="out of memory", forward_s=[]),
        fake.model("random-slow", fake.answers(9, 10), forward_s=(30.0,) * 3, flow_s=None, kind="random"),
        fake.model("accurate-late", fake.answers(10, 10), forward_s=(12.0,) * 3, flow_s=None),
        fake.model("sometimes", fake.answers(10, 10), forward_s=(9.0, 9.1, 9.9), flow_s=None),
        fake.model("random-fast", fake.answers(9, 10), forward_s=(0.1,) * 3, flow_s=None, kind="random"),
        fake.model("demo", fake.answers(10, 10), forward_s=(0.2,) * 3, flow_s=None, kind="demo"),
        fake.model("worse", fake.answers(2, 10), forward_s=(0.5,) * 3, flow_s=None),
        fake.model("better-slow", fake.answers(8, 10), forward_s=(5.0,) * 3, flow_s=None),
        fake.model("better-fast", fake.answers(8, 10), forward_s=(4.0,) * 3, flow_s=None),
    )
    order = [
        *("better-fast", "better-slow", "worse", "random-fast", "demo"),
        *("sometimes", "accurate-late", "random-slow", "dead"),
    ]
    assert [m.name for m in ranked(found)] == order
    assert [d.model.name for d in deployments(found)] == order


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 10)), min_size=2, max_size=6))
def test_the_front_is_what_nothing_dominates(fake: SimpleNamespace, found: list[tuple[int, int]]) -> None:
    """Against the definition, with equal times and accuracies among them."""
    models = [
        fake.model(f"m{i}", fake.answers(hits, 10, others=0), forward_s=(tenths / 10,), repetitions=1)
        for i, (tenths, hits) in enumerate(found)
    ]
    pareto = pareto_front(summary_of(fake, *models))
    for i, (time, hits) in enumerate(found):
        beaten = any(t <= time and h >= hits and (t < time or h > hits) for t, h in found)
        assert pareto.standing(f"m{i}") == ("dominated" if beaten else "front")


def test_no_front_is_claimed_of_what_says_nothing(fake: SimpleNamespace) -> None:
    def front(*kinds: str) -> Any:
        models = [fake.model(f"m{i}", fake.answers(5, 10), kind=kind) for i, kind in enumerate(kinds)]
        return pareto_front(summary_of(fake, *models))

    for kinds in (("random", "random"), ("demo", "random")):
        assert front(*kinds).reason == "the accuracy of random and demo weights says nothing about real video"
    assert "fewer than two models have both" in front("user", "random").reason
    assert front("user", "published").reason is None
    mixed = front("user", "published", "random")
    assert mixed.standing("m2") is None


def test_no_front_over_different_videos_or_machines(fake: SimpleNamespace) -> None:
    one = fake.run([fake.model("a", fake.answers(5, 10))])
    two = fake.run([fake.model("b", fake.answers(6, 10))], name="run-2")
    assert pareto_front(summarise(merge([one, two]))).reason is None
    other = replace(two, run=replace(two.run, data={**two.run.data, "digest": "other"}))
    assert "different lists of videos" in (pareto_front(summarise(merge([one, other]))).reason or "")
    moved = replace(two, run=replace(two.run, environment={**two.run.environment, "cores": 64}))
    assert "different machines" in (pareto_front(summarise(merge([one, moved]))).reason or "")
