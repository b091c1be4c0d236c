"""Directories that earlier versions wrote are read, and what is read is written as it was.

`data/` holds a run's and a gate's files as they were on 28 November 2026.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from actionbench.errors import UsageError
from actionbench.records.gate_directory import GateDirectory
from actionbench.records.json_lines import to_json
from actionbench.records.run import Drift
from actionbench.records.run_directory import RunDirectory
from actionbench.records.scenarios.latency import LatencyRecord
from actionbench.records.scenarios.registry import SCENARIOS
from actionbench.records.scenarios.stream import StreamRecord
from actionbench.records.scenarios.throughput import ThroughputRecord

DATA = Path(__file__).parent / "data"
RUN, GATE = RunDirectory(DATA / "run"), GateDirectory(DATA / "gate")


def written(records: Iterable[Any]) -> bytes:
    return b"".join(to_json(asdict(record)) for record in records)


def test_a_run_is_read_and_written_as_it_was() -> None:
    run = RUN.run
    assert [model.state for model in run.models] == ["done", "failed"]
    assert run.models[0].labels == ("jogging", "marching", "squat")
    assert run.models[1].sweep == {"batch": 4}
    expected = json.loads((DATA / "run" / "run.json").read_bytes())
    # A field that is newer than the file has its default.
    expected["models"] = [model | {"operating_point": None, "people": None} for model in expected["models"]]
    expected["models"][1]["drift"] = asdict(Drift(**expected["models"][1]["drift"]))
    assert to_json(asdict(run), indent=1) == to_json(expected, indent=1)


def test_answers_are_read_and_written_as_they_were() -> None:
    first, second = RUN.clips()
    assert first.top5 == (("jogging", 0.5), ("squat", 0.3))
    assert first.notes == ("12 damaged frames left out",)
    assert second.error == "decoding crashed"
    # A field that is newer than the file has its default.
    newer = (DATA / "run" / "clips.jsonl").read_bytes().replace(b"}\n", b', "node": null}\n')
    assert written([first, second]) == newer


@pytest.mark.parametrize(
    ("scenario", "kind", "records"),
    [
        ("latency", LatencyRecord, 2),
        ("pipelined", ThroughputRecord, 1),
        ("throughput", ThroughputRecord, 1),
        ("stream", StreamRecord, 1),
    ],
)
def test_scenarios_are_read_and_written_as_they_were(scenario: str, kind: type, records: int) -> None:
    samples, processes = RUN.samples(scenario), RUN.processes(scenario)
    assert [type(sample) for sample in samples] == [kind] * records
    assert processes
    expected = [json.loads(line) for line in (DATA / "run" / f"{scenario}.jsonl").read_bytes().splitlines()]
    # A field that is newer than the file has its default.
    newer: dict[str, Any] = {"source_frames": None}
    if scenario == "stream":
        newer = {"stages_s": {}, "waiting_frames": [], "cameras": 1, "served": [], "resident_bytes": None}
        newer["persons"] = []
    expected = [raw if raw["kind"] == "process" else raw | newer for raw in expected]
    assert [json.loads(line) for line in written([*samples, *processes]).splitlines()] == expected


def test_every_scenario_has_an_older_file() -> None:
    assert {file.stem for file in (DATA / "run").glob("*.jsonl")} - {"clips"} == SCENARIOS.keys()


def test_a_gate_is_read_and_written_as_it_was() -> None:
    assert GATE.gate.candidate.identity["commit"] == "abc"
    assert to_json(asdict(GATE.gate), indent=1) == (DATA / "gate" / "gate.json").read_bytes()
    slots, accuracies = GATE.slots(), GATE.accuracies()
    assert [slot.arm for slot in slots] == ["base", "candidate"]
    assert written([*slots, *accuracies]) == (DATA / "gate" / "slots.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("file", "old", "new", "message", "read"),
    [
        (
            "clips.jsonl",
            b'"views": 2',
            b'"views": "2"',
            "line 1 is damaged: views: expected a whole",
            RunDirectory.clips,
        ),
        (
            "clips.jsonl",
            b'"error": null',
            b'"from_2030": 1',
            "line 1 is damaged: unknown fields: from_2030; possible: ",
            RunDirectory.clips,
        ),
        (
            "latency.jsonl",
            b'"order": 1',
            b'"order": []',
            "line 4 is damaged: order: ",
            RunDirectory.processes,
        ),
        (
            "stream.jsonl",
            b'"stride": 8',
            b'"stride": 0',
            "line 1 is damaged: stride is 0",
            lambda d: d.samples("stream"),
        ),
        (
            "throughput.jsonl",
            b'"wall_s": 10.0',
            b'"wall_s": 0.0',
            r"line 1 is damaged: 0\.0 s, ",
            lambda d: d.samples("throughput"),
        ),
        (
            "run.json",
            b'"state": "done"',
            b'"state": "gone"',
            r"damaged: models\[0\]\.state: ",
            lambda d: d.run,
        ),
        (
            "run.json",
            b'"target": "jogging",',
            b"",
            "damaged: missing fields: target",
            lambda d: d.run,
        ),
    ],
)
def test_a_field_that_is_none_of_ours_is_an_error_with_file_and_line(
    file: str, old: bytes, new: bytes, message: str, read: Callable[[RunDirectory], object], tmp_path: Path
) -> None:
    for each in (DATA / "run").iterdir():
        data = each.read_bytes()
        assert each.name != file or old in data
        (tmp_path / each.name).write_bytes(data.replace(old, new, 1) if each.name == file else data)
    with pytest.raises(UsageError, match=rf"{file}: {message}"):
        read(RunDirectory(tmp_path))


def test_the_word_video_of_earlier_runs_is_the_published_protocol(tmp_path: Path) -> None:
    raw = json.loads((DATA / "run" / "run.json").read_bytes())
    raw["config"]["views"] = "video"
    (tmp_path / "run.json").write_text(json.dumps(raw))
    assert RunDirectory(tmp_path).run.config == raw["config"] | {"views": "published"}
