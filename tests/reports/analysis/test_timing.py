"""Times from hand-made samples, whose figures are known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from actionbench.records.run import PREPROCESSED_INPUT
from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.timing import Timing, timing
from actionbench.reports.statistics.intervals import Estimate

from ...known import known


def timing_of(fake: SimpleNamespace, **changes: object) -> Timing:
    run = fake.run([fake.model("net", fake.answers(5, 10), **changes)])
    return timing(merge([run]).models[0])


def figure(of: Timing, name: str) -> Estimate:
    return known(of.estimate(name))


def test_stages_add_up_to_prediction_and_preprocessing(two_models: RunData) -> None:
    i3d, resnext = (timing(m) for m in merge([two_models]).models)
    assert figure(i3d, "prediction_s_per_video").value == pytest.approx(1.1 + 0.01)
    assert figure(i3d, "preprocessing_s_per_video").value == pytest.approx(0.3 + 0.2 + 8.0)
    assert figure(resnext, "preprocessing_s_per_video").value == pytest.approx(0.5)
    assert figure(resnext, "prediction_s_per_view").value == pytest.approx(0.22 / 16)
    assert [name for name, _ in i3d.stages] == ["decode", "resize", "flow", "upload", "forward", "download"]
    assert "flow" not in dict(resnext.stages)
    assert sum(known(stage.share) for _, stage in i3d.stages) + known(i3d.other_share) == pytest.approx(1)


def test_three_processes_give_a_range_one_gives_none(fake: SimpleNamespace) -> None:
    three = known(figure(timing_of(fake), "prediction_s_per_video").interval)
    assert three.low == pytest.approx(0.21)
    assert three.high == pytest.approx(0.23)
    assert three.method == "range of 3 processes"
    one = timing_of(fake, forward_s=[0.2])
    assert figure(one, "prediction_s_per_video").interval is None
    assert one.processes == 1
    six = figure(timing_of(fake, forward_s=[0.2] * 6), "prediction_s_per_video")
    assert "95 %" in known(six.interval).method


def test_real_time_factor_with_and_without_preprocessing(fake: SimpleNamespace) -> None:
    t = timing_of(fake, forward_s=[0.2], flow_s=9.289)
    assert figure(t, "realtime_factor").value == pytest.approx(10 / 10)
    assert figure(t, "realtime_factor_prediction").value == pytest.approx(10 / 0.21)
    assert figure(t, "frames_per_s").value == pytest.approx(25)


def test_a_video_of_unknown_length_has_no_factor(two_models: RunData) -> None:
    samples = tuple(replace(s, video_s=0.0) for s in two_models.latencies)
    run = RunData("r", two_models.run, two_models.clips, two_models.processes, samples, two_models.scores)
    assert timing(merge([run]).models[0]).estimate("realtime_factor") is None


def test_operations_are_twice_the_macs(fake: SimpleNamespace) -> None:
    t = timing_of(fake, views=16, macs_per_view=9_570_000_000, forward_s=[2.0])
    assert t.value("flop_per_view") == 2 * 9_570_000_000
    assert t.value("flop_per_video") == 16 * known(t.value("flop_per_view"))
    assert figure(t, "network_flop_per_s").value == pytest.approx(known(t.value("flop_per_video")) / 2.0)


def test_unknown_operations_stay_unknown(fake: SimpleNamespace) -> None:
    t = timing_of(fake, macs_per_view=None)
    assert (t.value("flop_per_view"), t.value("flop_per_video"), t.estimate("network_flop_per_s")) == (
        None,
        None,
        None,
    )


def test_start_up_and_memory(fake: SimpleNamespace) -> None:
    t = timing_of(fake)
    assert (
        figure(t, "load_s").value,
        figure(t, "first_inference_s").value,
        t.value("peak_host_bytes"),
        t.value("peak_device_bytes"),
    ) == (1.5, 0.9, 2**30, None)


def test_percentiles_need_the_sample(fake: SimpleNamespace) -> None:
    assert dict(timing_of(fake).percentiles) == {0.9: None, 0.95: None, 0.99: None}
    many = dict(timing_of(fake, repetitions=10).percentiles)
    assert many[0.9] is not None
    assert many[0.95] is None


@pytest.mark.parametrize(("share", "disturbed"), [(None, False), (0.02, False), (0.4, True)])
def test_disturbed_when_threads_wait_for_a_core(
    two_models: RunData, share: float | None, disturbed: bool
) -> None:
    waiting = tuple(
        replace(s, waited_s=None if share is None else share * s.total_s) for s in two_models.latencies
    )
    run = RunData("r", two_models.run, two_models.clips, two_models.processes, waiting, two_models.scores)
    assert timing(merge([run]).models[0]).disturbed == disturbed


def test_nothing_is_said_of_real_time_when_input_came_ready(two_models: RunData) -> None:
    ready = tuple(replace(s, notes=(PREPROCESSED_INPUT,)) for s in two_models.latencies)
    run = RunData("r", two_models.run, two_models.clips, two_models.processes, ready, two_models.scores)
    t = timing(merge([run]).models[0])
    assert t.preprocessed
    assert (
        t.estimate("realtime_factor"),
        t.estimate("frames_per_s"),
        t.estimate("preprocessing_s_per_video"),
    ) == (None, None, None)
    assert t.estimate("prediction_s_per_video") is not None


def test_waiting_for_a_gpu_is_not_disturbance(two_models: RunData) -> None:
    samples = tuple(replace(s, cpu_s=0.1, device_forward_s=0.9) for s in two_models.latencies)
    run = RunData("r", two_models.run, two_models.clips, two_models.processes, samples, two_models.scores)
    t = timing(merge([run]).models[0])
    assert figure(t, "device_forward_s_per_video").value == 0.9
    assert not t.disturbed


def test_samples_of_a_process_that_failed_are_left_out(two_models: RunData) -> None:
    processes = tuple(
        replace(p, error="killed") if (p.model, p.process) == ("i3d", 2) else p for p in two_models.processes
    )
    run = RunData("r", two_models.run, two_models.clips, processes, two_models.latencies, two_models.scores)
    t = timing(merge([run]).models[0])
    assert t.processes == 2
    assert t.errors == ((2, "killed"),)


def test_nothing_measured_is_nothing_known(fake: SimpleNamespace) -> None:
    t = timing_of(fake, forward_s=[])
    assert (
        t.samples,
        t.estimate("prediction_s_per_video"),
        t.estimate("realtime_factor"),
        t.stages,
        t.estimate("load_s"),
    ) == (0, None, None, (), None)
