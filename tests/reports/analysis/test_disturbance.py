"""One definition of a disturbed time, for workers, reports and the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.bench.gate.commands import read_latency
from actionbench.bench.scenarios.latency import disturbed
from actionbench.preprocessing.stopwatch import Meter
from actionbench.records.disturbance import drop_disturbed, is_disturbed, waiting_ratio
from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.process_medians import process_medians
from actionbench.reports.analysis.timing import timing

SAMPLES = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()))


def test_the_ratio_is_per_second_and_worker() -> None:
    assert waiting_ratio(1.0, 2.0) == 0.5
    assert waiting_ratio(1.0, 2.0, workers=5) == 0.1
    assert waiting_ratio(None, 2.0) is None
    assert waiting_ratio(0.0, 0.0) is None
    assert [is_disturbed(w) for w in (None, 0.0, 0.2, 0.21)] == [False, False, False, True]


@given(SAMPLES)
def test_every_clip_stays_and_with_undisturbed_samples_alone_where_it_has_any(
    samples: list[tuple[str, bool]],
) -> None:
    kept = drop_disturbed(samples, clip=lambda s: s[0], disturbed=lambda s: s[1])
    assert {clip for clip, _ in kept} == {clip for clip, _ in samples}
    for clip in {clip for clip, _ in samples}:
        states = [state for name, state in samples if name == clip]
        found = [state for name, state in kept if name == clip]
        assert found == ([False] * states.count(False) or states)


@pytest.mark.parametrize("waited_s", [None, 0.1, 0.19, 0.21, 3.0])
def test_a_worker_and_a_report_judge_alike(two_models: RunData, waited_s: float | None) -> None:
    meter = Meter()
    meter.wall_s, meter.waited_s = 1.0, waited_s
    samples = tuple(replace(s, total_s=1.0, waited_s=waited_s) for s in two_models.latencies)
    reported = timing(merge([replace(two_models, latencies=samples)]).models[0]).disturbed
    assert disturbed(meter) == reported


def test_the_gate_and_the_reports_judge_by_the_same_samples(fake: SimpleNamespace, tmp_path: Path) -> None:
    """One clip has an undisturbed sample, the others have none: all of them count in both."""
    run = fake.run([fake.model("net", fake.answers(2, 2), forward_s=[0.2], repetitions=3)])
    first = run.latencies[0].clip
    times = [float(2**i) for i in range(len(run.latencies))]
    samples = tuple(
        replace(s, total_s=t, disturbed=s.clip != first or s.repetition == 0)
        for s, t in zip(run.latencies, times, strict=True)
    )
    run = replace(run, latencies=samples)
    folder = fake.write(tmp_path, run)
    (model,) = merge([run]).models
    assert read_latency(folder)["net"]["total"] == process_medians(model)["total"][0]
