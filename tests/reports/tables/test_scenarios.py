"""Figures of the scenarios from hand-made records, whose values are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actionbench.records.run import ProcessRecord
from actionbench.records.run_directory import RunWriter
from actionbench.records.scenarios.latency import LatencyRecord
from actionbench.records.scenarios.stream import STREAM, StreamRecord
from actionbench.records.scenarios.throughput import PIPELINED, THROUGHPUT, ThroughputRecord
from actionbench.reports.analysis.load_runs import RunData, Timings, merge, read_run
from actionbench.reports.analysis.summary import Summary, summarise
from actionbench.reports.analysis.timing import timing
from actionbench.reports.formats.markdown import report
from actionbench.reports.sentences import verdict
from actionbench.reports.statistics.intervals import Estimate
from actionbench.reports.tables.all_tables import all_tables
from actionbench.reports.tables.scenarios import scenario, sweep
from actionbench.reports.tables.timing import latency

from ...known import known

STRETCH = ThroughputRecord(
    model="net",
    process=0,
    in_flight=3,
    lanes=2,
    network_threads=1,
    batch=1,
    streams_apart=True,
    forwards_at_once=True,
    warm_up=2,
    wall_s=10.0,
    cpu_s=19.0,
    videos=20,
    views=20,
    frames=5000,
    video_s=200.0,
    answer_s=(1.0, 1.5, 1.2),
    rss_bytes=tuple([100] * 4 + [101] * 4 + [102] * 4),
    waited_s=0.4,
    skipped={"bad.mp4": "is empty"},
)

CAMERA = StreamRecord(
    model="net",
    process=0,
    clip="a",
    fps=25.0,
    window=16,
    stride=8,
    frames=266,
    dropped=0,
    due=32,
    age_s=(0.2,) * 31 + (0.9,),
    frame_s=0.002,
    forward_s=0.15,
    preparing_threads=1,
    network_threads=1,
    wall_s=10.7,
    cpu_s=6.0,
    waited_s=0.1,
    stages_s={"resize": 0.0015, "flow": 0.0004},
    waiting_frames=(0, 0, 1, 0, 3),
)


def with_scenarios(fake: SimpleNamespace, **samples: tuple[ThroughputRecord | StreamRecord, ...]) -> RunData:
    run = fake.run([fake.model("net", fake.answers(5, 10))])
    scenarios = {
        name: Timings(tuple(ProcessRecord("net", s.process, 0, 1.0) for s in records), records)
        for name, records in samples.items()
    }
    joined: RunData = replace(run, scenarios=scenarios)
    return joined


def figure(of: Any, name: str) -> Estimate:
    found = of.figures[name]
    assert isinstance(found, Estimate)
    return found


def summary_of(run: RunData) -> Summary:
    return summarise(merge([run]))


def test_throughput_is_a_rate_over_the_stretch(fake: SimpleNamespace) -> None:
    run = with_scenarios(fake, throughput=(STRETCH, replace(STRETCH, process=1, wall_s=20.0, waited_s=0.0)))
    t = summary_of(run).models[0].scenarios["throughput"]
    assert t.figures["videos"] == 40
    assert (figure(t, "videos_per_s").value, figure(t, "videos_per_s").n) == (1.5, 2)
    assert figure(t, "sampled_frames_per_s").value == 375
    assert t.figures["frames_per_s"] is None
    assert figure(t, "video_s_per_s").value == 15
    assert figure(t, "answer_s_per_video").value == 1.2
    assert figure(t, "cores_busy").value == pytest.approx((0.95 + 0.475) / 2)
    assert t.figures["memory_growth"] == pytest.approx(0.02)
    assert not t.disturbed
    table = scenario(THROUGHPUT, summary_of(run))
    assert table.records[0]["videos_per_s"] == 1.5
    assert table.records[0]["precision"] == "float32"
    assert "flow tvl1, float32" in table.rows[0][0]
    assert any("skipped bad.mp4" in note for note in table.notes)


def test_a_batch_is_told_with_what_was_computed_of_it(fake: SimpleNamespace) -> None:
    run = with_scenarios(fake, throughput=(replace(STRETCH, batch=4, mean_batch=2.51),))
    table = scenario(THROUGHPUT, summary_of(run))
    assert any("2.5 of 4" in cell for cell in table.rows[0])
    assert table.records[0]["mean_batch"] == 2.51


def test_a_throughput_beside_other_work_is_called_disturbed(fake: SimpleNamespace) -> None:
    run = with_scenarios(fake, throughput=(replace(STRETCH, waited_s=6.0),))
    summary = summary_of(run)
    assert summary.models[0].scenarios["throughput"].disturbed
    assert any("other programs used the cores while net" in sentence for sentence in verdict(summary))
    assert any("disturbed" in note for note in scenario(THROUGHPUT, summary).notes)


def test_one_video_pipelined_stands_beside_the_time_of_its_stages(fake: SimpleNamespace) -> None:
    one = replace(STRETCH, in_flight=1, videos=3, answer_s=(4.0, 4.2, 4.1))
    summary = summary_of(with_scenarios(fake, pipelined=(one,)))
    (record,) = scenario(PIPELINED, summary).records
    assert record["answer_s_per_video"] == 4.1
    assert record["total_s_per_video"] == pytest.approx(0.3 + 0.2 + 8 + 0.21 + 0.01 + 0.001)
    alone = summary_of(replace(with_scenarios(fake, pipelined=(one,)), latencies=()))
    assert any(
        "predicts a video in 4.10 s with overlapping stages" in sentence for sentence in verdict(alone)
    )


@pytest.mark.parametrize(
    ("changes", "keeps_up"),
    [
        ({}, True),
        ({"age_s": (0.2,) * 31}, False),
        ({"dropped": 2}, True),
        ({"dropped": 3}, False),
        ({"age_s": ()}, False),
    ],
)
def test_a_camera_is_kept_up_with_if_99_percent_is_answered_in_every_process(
    fake: SimpleNamespace, changes: dict[str, Any], keeps_up: bool
) -> None:
    run = with_scenarios(fake, stream=(CAMERA, replace(CAMERA, process=1, **changes)))
    summary = summary_of(run)
    stream = summary.models[0].scenarios["stream"]
    assert stream.figures["keeps_up"] == keeps_up
    assert figure(stream, "age_s").value == pytest.approx(0.2)
    assert stream.figures["age_s_worst"] == 0.9
    text = " ".join(verdict(summary_of(replace(run, latencies=()))))
    assert ("net keeps up with a camera at 25 frames per second" in text) == keeps_up
    (record,) = scenario(STREAM, summary).records
    assert record["keeps_up"] == ("yes" if keeps_up else "no")
    assert (record["labels_due"], record["frames"]) == (64, 532)


def test_persons_in_a_cameras_picture(fake: SimpleNamespace) -> None:
    """Nobody at 8 of 32 strides, then two persons: 48 labels are due, of which 24 / 32 · 2 a stride."""
    persons = 8 * (0,) + 24 * (2,)
    stages = {"people": 0.01, "resize": 0.0015}
    record = replace(CAMERA, persons=persons, due=48, age_s=(0.2,) * 48, stages_s=stages)
    summary = summary_of(with_scenarios(fake, stream=(record,)))
    stream = summary.models[0].scenarios["stream"]
    assert (figure(stream, "persons").value, stream.figures["persons_most"]) == (2, 2)
    assert figure(stream, "labels_per_s").value == pytest.approx(48 / 32 * 25 / 8)
    assert (stream.figures["keeps_up"], figure(stream, "people_s").value) == (True, 0.01)
    notes = scenario(STREAM, summary).notes
    assert "net: 2 persons in the picture in the median and 2 at most." in notes


def test_a_camera_with_nobody_is_no_answer(fake: SimpleNamespace) -> None:
    record = replace(CAMERA, persons=32 * (0,), due=0, age_s=(), forward_s=None)
    run = with_scenarios(fake, stream=(record,))
    summary = summary_of(replace(run, latencies=()))
    table = scenario(STREAM, summary)
    assert "net: nobody was found: no label was due (clip a)." in table.notes
    assert (table.records[0]["keeps_up"], table.rows[0][2]) == (None, "–")
    text = " ".join(verdict(summary))
    assert "Whether a model keeps up with a camera was not measured" in text


def test_a_label_is_late_that_is_not_there_when_the_next_window_is_due(fake: SimpleNamespace) -> None:
    """A stride is 8 / 25 = 0.32 s; of 32 due labels 4 were not computed."""
    record = replace(CAMERA, age_s=(0.2,) * 25 + (0.319, 0.321, 0.9))
    stream = summary_of(with_scenarios(fake, stream=(record,))).models[0].scenarios["stream"]
    assert stream.figures["labels_late"] == 2 + 4
    assert stream.figures["age_s_p95"] is None, "fewer than 200 labels"
    many = replace(record, due=200, age_s=tuple(i / 100 for i in range(1, 201)))
    stream = summary_of(with_scenarios(fake, stream=(many,))).models[0].scenarios["stream"]
    assert (stream.figures["labels_late"], stream.figures["age_s_p95"]) == (168, 1.9)


def test_queue_and_stages_of_a_camera(fake: SimpleNamespace) -> None:
    run = with_scenarios(fake, stream=(CAMERA,))
    stream = summary_of(run).models[0].scenarios["stream"]
    assert (figure(stream, "frames_waiting").value, stream.figures["frames_waiting_most"]) == (0, 3)
    assert (figure(stream, "resize_s").value, figure(stream, "flow_s").value) == (0.0015, 0.0004)
    older = replace(CAMERA, stages_s={}, waiting_frames=())
    (record,) = scenario(STREAM, summary_of(with_scenarios(fake, stream=(older,)))).records
    unknown = ("frames_waiting", "frames_waiting_most", "resize_s", "flow_s")
    assert [record[name] for name in unknown] == [None] * 4


def test_samples_of_a_process_that_failed_do_not_count(fake: SimpleNamespace) -> None:
    run = with_scenarios(fake, throughput=(STRETCH,))
    failed = (ProcessRecord("net", 0, 0, error="killed"),)
    run = replace(run, scenarios={"throughput": Timings(failed, (STRETCH,))})
    assert "throughput" not in summary_of(run).models[0].scenarios


def test_disturbed_samples_count_only_where_a_clip_has_no_others(fake: SimpleNamespace) -> None:
    run = fake.run([fake.model("net", fake.answers(1, 1, others=1), forward_s=[0.2], repetitions=1)])
    first, second = run.latencies

    def disturbed(sample: LatencyRecord, attempt: int) -> LatencyRecord:
        return replace(sample, disturbed=True, attempt=attempt, total_s=100.0)

    repeated = (disturbed(first, 0), replace(first, attempt=1), disturbed(second, 0), disturbed(second, 1))
    summary = summary_of(replace(run, latencies=repeated))
    t = summary.models[0].timing
    assert (t.samples, t.repeated) == (3, 1)
    assert any("1 sample disturbed by other programs, repeated" in note for note in latency(summary).notes)
    assert timing(merge([run]).models[0]).repeated == 0


def test_the_networks_speed_stands_beside_the_machines_own(fake: SimpleNamespace) -> None:
    peak = {"device": "cpu", "threads": 1, "precision": "float32", "gflop_per_s": 2000.0, "by": "numpy 2"}
    environment = {"gemm_peaks": [{**peak, "threads": 2, "gflop_per_s": 9.0}, peak]}
    run = fake.run([fake.model("net", fake.answers(5, 10), forward_s=[0.2])], environment=environment)
    table = latency(summary_of(run))
    assert table.records[0]["share_of_gemm"] == pytest.approx(200 / 0.2 / 2000)
    assert "1000\n50 %" in table.rows[0]
    slow = fake.run(
        [fake.model("net", fake.answers(5, 10), forward_s=[0.2])],
        environment={"gemm_peaks": [{**peak, "gflop_per_s": 500.0}]},
    )
    assert any("the network is faster than that" in note for note in latency(summary_of(slow)).notes)


def test_a_sweep_is_a_table_of_its_points(fake: SimpleNamespace) -> None:
    run = fake.run([fake.model(f"net batch={b}", fake.answers(5, 10)) for b in (1, 4)])
    models = tuple(replace(m, sweep={"batch": b}) for m, b in zip(run.run.models, (1, 4), strict=True))
    summary = summary_of(replace(run, run=replace(run.run, models=models)))
    assert [record["batch"] for record in sweep(summary).records] == [1, 4]
    assert summary.models[0].accuracy.top1 is None
    assert "a sweep is about time" in known(summary.models[0].accuracy.reason)
    sentences = " ".join(verdict(summary))
    assert "net batch=1 predicts a video in" in sentences
    assert "times as fast as" not in sentences


def test_records_come_back_as_they_were_written(fake: SimpleNamespace, tmp_path: Path) -> None:
    run = with_scenarios(fake, throughput=(STRETCH,), stream=(CAMERA,))
    with RunWriter(tmp_path / "run", run.run) as writer:
        for name, timings in run.scenarios.items():
            for record in (*timings.samples, *timings.processes):
                writer.append_timing(name, record)
    back = read_run(tmp_path / "run")
    assert back.scenarios == run.scenarios
    summary = summarise(merge([back]))
    assert "## Throughput" in report(summary, all_tables(summary))


def test_runs_from_before_the_scenarios_are_read(two_models_dir: Path) -> None:
    old = (two_models_dir / "latency.jsonl").read_text()
    old = old.replace(', "attempt": 0, "disturbed": false', "")
    assert "attempt" not in old
    (two_models_dir / "latency.jsonl").write_text(old)
    back = read_run(two_models_dir)
    assert back.scenarios == {}
    assert not any(sample.disturbed for sample in back.latencies)
