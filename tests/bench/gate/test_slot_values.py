"""What is read from a slot's run directory, whichever version wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actionbench.bench.gate.commands import read_latency, read_right
from actionbench.errors import MeasurementError


def write(path: Path, *records: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_medians_of_a_process_and_nothing_of_fields_that_are_not_known(tmp_path: Path) -> None:
    samples = [
        {"kind": "sample", "model": "m", "stages_s": {"flow": flow}, "total_s": 2 * flow, "unheard_of": 1}
        for flow in (1.0, 9.0, 2.0)
    ]
    process = {"kind": "process", "model": "m", "load_s": 3.0, "first_s": None, "peak_rss_bytes": 7, "x": []}
    write(tmp_path / "latency.jsonl", *samples, process)
    assert read_latency(tmp_path) == {"m": {"flow": 2.0, "total": 4.0, "load": 3.0, "peak_memory": 7.0}}


def test_disturbed_samples_count_only_where_their_clip_has_no_others(tmp_path: Path) -> None:
    def sample(model: str, clip: str, total_s: float, disturbed: bool) -> dict[str, object]:
        return {
            "kind": "sample",
            "model": model,
            "clip": clip,
            "stages_s": {},
            "total_s": total_s,
            "disturbed": disturbed,
        }

    samples = [
        sample("a", "short", 9, True),
        sample("a", "short", 1, False),
        sample("a", "long", 5, True),
        sample("b", "short", 5, True),
    ]
    write(tmp_path / "latency.jsonl", *samples)
    assert read_latency(tmp_path) == {"a": {"total": 3.0}, "b": {"total": 5.0}}, "1 and 5 s, not 1 s alone"


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        ({"kind": "process", "model": "m", "error": "out of memory"}, "out of memory"),
        ({"kind": "process", "model": "m", "error": None}, "measured nothing"),
    ],
)
def test_a_process_without_samples_is_an_error(
    tmp_path: Path, record: dict[str, object], complaint: str
) -> None:
    write(tmp_path / "latency.jsonl", record)
    with pytest.raises(MeasurementError, match=complaint):
        read_latency(tmp_path)


def test_a_run_that_left_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="measured nothing"):
        read_latency(tmp_path)


def test_right_answers_of_labelled_clips_only(tmp_path: Path) -> None:
    def clip(name: str, scored: bool, first: str, error: str | None = None) -> dict[str, object]:
        top5 = [] if error else [[first, 0.9]]
        return {"model": "m", "clip": name, "label": "run", "scored": scored, "top5": top5, "error": error}

    write(
        tmp_path / "clips.jsonl",
        clip("a", True, "run"),
        clip("b", True, "walk"),
        clip("c", False, "run"),
        clip("d", True, "", "torn"),
    )
    assert read_right(tmp_path) == {"m": {"a": True, "b": False}}
