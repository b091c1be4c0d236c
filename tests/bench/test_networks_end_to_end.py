"""The real networks through the whole harness."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actionbench.records.run import STAGES
from actionbench.records.run_directory import RunDirectory

from .conftest import write_video

Bench = Callable[..., subprocess.CompletedProcess[str]]


WITHOUT_PEOPLE = set(STAGES) - {"people"}
"""The stages of a run that detects nobody."""

OPTIONS = ("--weights", "random", "--flow", "dis", "--processes", 1, "--threads", 1, "--latency-seconds", 0)


def test_both_networks_and_both_frameworks_are_timed(bench: Bench, tmp_path: Path) -> None:
    """On a video that is hardly longer than I3D needs."""
    out = tmp_path / "run"
    write_video(tmp_path / "videos" / "jogging" / "short.mp4", np.ones(3) / 2, frames=10)
    answer = bench(
        *("run", "--models", "i3d-flow,resnext", *OPTIONS, "--data", tmp_path / "videos"),
        *("--no-peak", "--no-report", "--out", out),
    )
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(out)
    assert [model.state for model in directory.run.models] == ["done"] * 2
    assert [model.backend for model in directory.run.models] == ["tensorflow", "torch"]
    assert [model.parameters for model in directory.run.models] == [12_668_032, 48_340_816]
    samples = {sample.model: sample for sample in directory.latencies()}
    assert set(samples["i3d-flow"].stages_s) == WITHOUT_PEOPLE
    assert set(samples["resnext"].stages_s) == WITHOUT_PEOPLE - {"flow"}
    assert samples["resnext"].macs == 9_567_715_328


@pytest.mark.slow
def test_both_networks_and_both_backends_are_compared_and_timed(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = bench(
        *("run", "--models", "i3d,i3d@torch,resnext", *OPTIONS, "--max-clips", 1, "--no-peak", "--out", out),
    )
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(out)
    assert [model.state for model in directory.run.models] == ["done"] * 3
    assert [model.parameters for model in directory.run.models] == [25_358_016, 25_358_016, 48_340_816]
    samples = {sample.model: sample for sample in directory.latencies()}
    for key in ("i3d", "i3d@torch"):
        assert set(samples[key].stages_s) == WITHOUT_PEOPLE
    assert set(samples["resnext"].stages_s) == WITHOUT_PEOPLE - {"flow"}
    assert samples["i3d"].macs == samples["i3d@torch"].macs
    assert samples["resnext"].macs == 9_567_715_328
    report = (out / "report.md").read_text()
    assert "dis" in report
    assert "accuracy not measured" in report.lower()


@pytest.mark.slow
def test_the_embedded_default_ends_in_a_report_with_accuracy(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = bench("run", "--models", "i3d,resnext", "--out", out)
    assert answer.returncode == 0, answer.stderr
    records = RunDirectory(out).clips()
    assert len(records) == 28
    assert all(record.error is None for record in records)
    for model in json.loads((out / "results.json").read_text())["models"]:
        assert model["accuracy"]["top1"]["value"] > 0.5, "the fitted layer tells the drawn classes apart"
    assert "demo weights" in (out / "report.md").read_text().lower()


@pytest.mark.slow
@pytest.mark.usefixtures("torchvision")
def test_a_network_of_torchvision_is_compared_and_timed(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "run"
    answer = bench(
        *("run", "--models", "tv:mc3_18,tv:mc3_18@openvino", *OPTIONS, "--views", "single"),
        *("--latency-seconds", 0, "--no-peak", "--out", out),
    )
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(out)
    assert [model.state for model in directory.run.models] == ["done"] * 2
    assert [model.parameters for model in directory.run.models] == [11_695_440] * 2
    assert {round(sample.macs or 0, -6) for sample in directory.latencies()} == {43_343_000_000}
    assert "tv:mc3_18" in (out / "report.md").read_text()
