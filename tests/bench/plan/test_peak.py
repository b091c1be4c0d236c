"""The matrix product of the machine: of the threads and the precision that are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.plan import peak
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import make_plan
from actionbench.bench.runner import counted_models
from actionbench.child_process import Completed
from actionbench.errors import MeasurementError
from actionbench.models.spec import LoadOptions


def test_a_product_is_measured_by_a_library_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SIZES", (16, 32))
    monkeypatch.setattr(peak, "SECONDS", 0.001)
    found = peak.measure_peak("cpu", 1, "float32")
    assert found is not None
    assert found.gflop_per_s > 0
    assert found.by.split()[0] in ("numpy", "torch")
    assert peak.measure_peak("cpu", 1, "int8") is None


def test_sizes_that_take_too_long_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(peak, "SECONDS", 0.001)
    monkeypatch.setattr(peak, "LONGEST_S", 1e-9)

    def product(n: int) -> Callable[[], None]:
        tried.append(n)
        return lambda: None

    assert peak._fastest(product) > 0
    assert tried == [peak.SIZES[0]]


def test_each_combination_is_measured_once_in_its_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(command: list[str], **_: Any) -> Completed:
        asked.append(command)
        return Completed(0, b'noise\n{"gflop_per_s": 5.0, "by": "x"}\n', b"")

    monkeypatch.setattr(peak, "run_captured", run)
    one, two = LoadOptions(threads=1), LoadOptions(threads=2, precision="bf16")
    found = peak.gemm_peaks([(sys.executable, one), (sys.executable, one), (sys.executable, two)])
    assert [command[-3:] for command in asked] == [["cpu", "1", "float32"], ["cpu", "2", "bfloat16"]]
    assert [(p["threads"], p["precision"], p["gflop_per_s"]) for p in found] == [
        (1, "float32", 5.0),
        (2, "bfloat16", 5.0),
    ]


def test_the_product_is_measured_where_a_network_stands_beside_it(
    coloured_videos: Callable[[list[int], int], Path],
) -> None:
    random: dict[str, Any] = {
        "weights": {"*": "random"},
        "data": str(coloured_videos([36], 1)),
        "device": "cpu",
    }
    plan = make_plan(RunConfig(models=("resnext@torch",), **random))
    assert counted_models(plan) == list(plan.models)
    cases: list[dict[str, Any]] = [{"peak": False}, {"latency_clips": 0}, {"scenarios": ("throughput",)}]
    for unasked in cases:
        assert counted_models(replace(plan, config=replace(plan.config, **unasked))) == []


def test_a_product_that_does_not_end_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_command: list[str], **_options: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(peak, "run_captured", run)
    assert peak.gemm_peaks([(sys.executable, LoadOptions(threads=1))]) == []


@pytest.mark.parametrize("printed", ["", "hello", "[]", '{"by": "x"}', '{"by": "x", "gflop_per_s": "5"}'])
def test_an_interpreter_that_prints_something_else_is_named(tmp_path: Path, printed: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nprintf '%s\\n' '{printed}'\n")
    python.chmod(0o755)
    with pytest.raises(MeasurementError, match=r"printed no speed of matrix products.*--no-peak") as raised:
        peak.gemm_peaks([(str(python), LoadOptions(threads=1))])
    assert str(python) in str(raised.value)
