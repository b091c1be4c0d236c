"""The arithmetic of what other machines would take, with times that are made up."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from actionbench.bench.plan.other_machines import (
    EFFICIENCY,
    Machine,
    MeasuredWork,
    in_words,
    parse_machine,
    parse_videos,
    span,
    table,
    work_of_run,
)
from actionbench.errors import UsageError
from actionbench.records.scenarios.latency import LatencyRecord

from ...reports.conftest import FakeModel, answers, make_run, write_run


def sample(
    clip: str, total_s: float, cpu_s: float, forward_s: float = 1.0, repetition: int = 0
) -> LatencyRecord:
    return LatencyRecord("net", 0, repetition, clip, {"forward": forward_s}, total_s, cpu_s, 1, 250, 10.0)


ON_TWO = MeasuredWork("net", "cpu", 2, (sample("a", 4.0, 6.0), sample("b", 5.0, 8.0)), 30.0)
ON_GPU = MeasuredWork("net", "NVIDIA X", 16, (sample("a", 4.0, 6.0, 1.0), sample("b", 5.0, 8.0, 4.5)), 30.0)


def test_the_machine_that_was_measured_takes_what_was_measured() -> None:
    found = span(ON_TWO, Machine("cores", 2), 1000)
    assert found is not None
    assert found.value == 30 + 1000 * 4.5
    assert (found.low, found.high) == (30 + 1000 * 4.0, 30 + 1000 * 5.0), "the range over two videos"
    times = [4.0, 5.0, 4.5, 4.1, 4.6, 4.2, 6.0]
    many = replace(ON_TWO, samples=tuple(sample(str(t), t, t) for t in times))
    found = span(many, Machine("cores", 2), 1000)
    assert found is not None
    low, high = stats.t.interval(0.95, 6, loc=sum(times) / 7, scale=stats.sem(times))
    assert (found.low, found.high) == pytest.approx((30 + 1000 * low, 30 + 1000 * high))


def test_other_cores_share_the_cpu_time_less_what_is_assumed_to_be_lost() -> None:
    alike = replace(ON_TWO, samples=(sample("a", 4.0, 7.0), sample("b", 4.0, 7.0)))
    found = span(alike, Machine("cores", 14), 1000)
    assert found is not None
    assert (found.high, found.value, found.low) == tuple(30 + 1000 * 7 / 14 / share for share in EFFICIENCY)


def test_gpus_work_while_the_cores_prepare_and_are_not_invented() -> None:
    found = span(ON_GPU, Machine("gpus", 8), 1000)
    assert found is not None
    assert found.value == 30 + 1000 * (3.0 + 4.5) / 2 / 8
    assert span(ON_TWO, Machine("gpus", 1), 1000) is None
    assert span(ON_GPU, Machine("cores", 16), 1000) is None


def test_one_video_gives_no_interval_and_repetitions_count_once() -> None:
    repeated = replace(
        ON_TWO, samples=tuple(sample("a", total, 1.0, repetition=k) for k, total in enumerate((4, 5, 9)))
    )
    found = span(repeated, Machine("cores", 2), 10)
    assert found is not None
    assert (found.value, found.low, found.high) == (30 + 10 * 5, None, None)


@given(st.integers(1, 64), st.integers(1, 10**6), st.integers(1, 10**6))
def test_more_videos_take_longer_and_more_cores_shorter(cores: int, videos: int, more: int) -> None:
    def seconds(cores: int, videos: int) -> float:
        found = span(replace(ON_TWO, cores=1000), Machine("cores", cores), videos)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
        return found.value

    assert seconds(cores, videos + more) > seconds(cores, videos) > seconds(cores + 1, videos)


def test_the_table_names_its_assumptions_and_what_was_not_measured() -> None:
    machines = (Machine("cores", 2), Machine("cores", 16, 0.8), Machine("gpus", 8))
    grid, *notes = table([ON_TWO], machines, (4000, 240_000))
    head, _, first, second = (line.split("|") for line in grid.splitlines())
    assert [cell.strip() for cell in head[1:-1]] == ["Model", "Videos", "2 cores", "16 cores", "8 GPUs"]
    assert first[2].strip() == "4,000"
    found = span(ON_TWO, machines[1], 240_000)
    assert found is not None
    assert second[4].strip().endswith(f", costs {0.8 * found.value / 3600:,.2f}")
    assert second[5].strip() == "not measured here"
    text = "\n".join(notes)
    for part in ("Estimates", "2 videos of 10 s", "85%", "assumption", "95%"):
        assert part in text
    assert "GPUs:" not in text
    disturbed = replace(ON_TWO, samples=tuple(replace(s, waited_s=s.total_s) for s in ON_TWO.samples))
    assert "other programs" in "\n".join(table([disturbed], machines, (4000,)))
    assert "other programs" not in text
    with_gpu = "\n".join(table([ON_TWO, ON_GPU], machines, (4000,)))
    assert "NVIDIA X" in with_gpu
    assert "not measured here" not in with_gpu


def test_what_was_measured_on_as_many_cores_is_not_replaced_by_an_assumption() -> None:
    on_sixteen = replace(ON_TWO, cores=16, samples=(sample("a", 1.0, 9.0), sample("b", 1.0, 9.0)))
    machines = (Machine("cores", 2), Machine("cores", 16), Machine("cores", 4))
    grid, *notes = table([ON_TWO, on_sixteen], machines, (1000,))
    cells = [cell.strip().partition(" [")[0] for cell in grid.splitlines()[2].split("|")[3:-1]]
    from_sixteen = span(on_sixteen, machines[2], 1000)
    assert from_sixteen is not None
    assert cells == [in_words(30 + 1000 * 4.5), in_words(30 + 1000), in_words(from_sixteen.value)]
    assert sum("measured on" in note for note in notes) == 2


def test_work_is_read_from_a_run(tmp_path: Path) -> None:
    run = make_run([FakeModel("net", answers(1, 2), forward_s=(1.0, 1.0))])
    (work,) = work_of_run(write_run(tmp_path, run))
    assert (work.model, work.device, work.cores, work.start_s) == ("net", "cpu", 1, 1.5)
    assert len({sample.clip for sample in work.samples}) == 4
    empty = make_run([FakeModel("net", answers(1, 2), forward_s=())], name="empty")
    with pytest.raises(UsageError, match=r"--estimate-from .*empty: has no measured times"):
        work_of_run(write_run(tmp_path, empty))


@pytest.mark.parametrize(
    ("text", "machine"),
    [
        ("cores=16", Machine("cores", 16)),
        ("gpus=8@24.5", Machine("gpus", 8, 24.5)),
        ("cores=1@0", Machine("cores", 1, 0.0)),
    ],
)
def test_a_machine_is_named_with_its_price(text: str, machine: Machine) -> None:
    assert parse_machine(text) == machine


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cores",
        "cores=0",
        "cores=-1",
        "tpus=8",
        "cores=²",
        "cores=2@",
        "cores=2@x",
        "gpus=1@nan",
        "gpus=1@-1",
    ],
)
def test_what_is_no_machine_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no machine"):
        parse_machine(text)


def test_numbers_of_videos() -> None:
    assert parse_videos("4000, 240000,4000") == (4000, 240_000)
    for text in ("", "0", "1,,2", "4e3", "-1"):
        with pytest.raises(UsageError, match="is no list of numbers of videos"):
            parse_videos(text)


def test_durations_in_words() -> None:
    assert [in_words(s) for s in (0.2, 60, 90, 5400, 130_000, 400 * 86400 * 2)] == [
        *("0.2 s", "60 s", "1.5 min", "1.5 h", "1.5 days", "2.2 years")
    ]
    assert not math.isnan(float(in_words(1e9).split()[0]))
