"""The sentences that stand before all tables."""

from __future__ import annotations

from dataclasses import replace

from actionbench.reports.data import RunData, merge
from actionbench.reports.summary import summarise
from actionbench.reports.verdict import verdict


def sentences(run: RunData, total_of_process: tuple[float, float, float], waited: float = 0.0) -> str:
    """The verdict, had each process taken so many times the video's length."""
    samples = tuple(
        replace(s, total_s=total_of_process[s.process] * s.video_s, waited_s=waited * s.video_s)
        for s in run.latencies
    )
    changed = RunData("r", run.run, run.clips, run.processes, samples, run.scores)
    return " ".join(verdict(summarise(merge([changed]))))


def test_a_model_keeps_up_if_all_of_its_processes_do(two_models: RunData) -> None:
    assert "keep up with the video" in sentences(two_models, (0.5, 0.5, 0.5))
    assert "keeps up with the video in the median" in sentences(two_models, (0.5, 0.5, 2.0))
    assert "No model keeps up" in sentences(two_models, (2.0, 2.0, 2.0))


def test_disturbed_times_are_called_so_before_they_are_believed(two_models: RunData) -> None:
    assert "Something else was computing" in sentences(two_models, (0.5, 0.5, 0.5), waited=0.4)
    assert "Something else was computing" not in sentences(two_models, (0.5, 0.5, 0.5))
