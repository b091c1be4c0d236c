"""What a run directory keeps when the run is torn down at any instant."""

from __future__ import annotations

import errno
import json
import multiprocessing
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import MeasurementError, UsageError
from actionbench.records.run import ClipRecord, ModelRecord, ProcessRecord, Run
from actionbench.records.run_directory import RunDirectory, RunWriter
from actionbench.records.scenarios.latency import LatencyRecord

LABELS = ("jogging", "marching", "squat")


def a_run(*keys: str) -> Run:
    models = tuple(
        ModelRecord(key, key, "torch", "cpu", {"rgb": {"kind": "demo"}}, LABELS, "whole video")
        for key in keys
    )
    return Run("2026-01-01T00:00:00+00:00", {}, {}, {"name": "x"}, "jogging", models)


def a_clip(model: str, clip: str) -> ClipRecord:
    return ClipRecord(
        model, clip, "jogging", True, top5=(("jogging", 0.5),), target_score=0.5, notes=("odd",)
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    with RunWriter(tmp_path, a_run("a", "b")) as writer:
        for n, key in enumerate(("a", "b", "a")):
            writer.append_clip(a_clip(key, str(n)), np.full(3, n, np.float32))
        writer.append_clip(ClipRecord("a", "bad", None, False, error="broken"), None)
        writer.append_timing("latency", ProcessRecord("a", 0, 0, load_s=1.0))
        writer.append_timing("latency", LatencyRecord("a", 0, 0, "0", {"forward": 1.0}, 1.0, 1.0, 1, 16, 0.6))
    directory = RunDirectory(tmp_path)
    records = directory.clips()
    assert [r.clip for r in records] == ["0", "1", "2", "bad"]
    for n in range(3):
        assert directory.scores(records[n]).tolist() == [n, n, n]
        assert records[n].top5 == (("jogging", 0.5),)
    with pytest.raises(ValueError, match="no scores"):
        directory.scores(records[3])
    assert directory.run == a_run("a", "b")
    assert directory.processes()[0].load_s == 1.0
    assert directory.latencies()[0].stages_s == {"forward": 1.0}


def test_a_record_of_another_runs_model_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with RunWriter(tmp_path, a_run("a")) as writer:
        writer.append_clip(a_clip("b", "x"), None)
    with pytest.raises(UsageError, match=r"clips\.jsonl: has a record of a model .* expected a; found b"):
        RunWriter(tmp_path)


def test_an_offset_of_thousands_of_digits_is_named(tmp_path: Path) -> None:
    with RunWriter(tmp_path, a_run("a")) as writer:
        writer.append_clip(a_clip("a", "x"), np.zeros(3, np.float32))
    clips = tmp_path / "clips.jsonl"
    clips.write_bytes(clips.read_bytes().replace(b'"offset": 0,', b'"offset": %s,' % (b"9" * 5000)))
    with pytest.raises(UsageError, match=r"clips\.jsonl: line 1 is damaged"):
        RunWriter(tmp_path)


@pytest.mark.parametrize(
    ("where", "changed"),
    [
        ("environment.gpus", {"environment": {"gpus": 5}}),
        ("environment.gemm_peaks[0]", {"environment": {"gemm_peaks": [{"device": "cpu"}]}}),
        ("environment.packages", {"environment": {"packages": "none"}}),
        ("environment.nodes", {"environment": {"nodes": []}}),
        ("data.missing", {"data": {"missing": 7}}),
        ("data.digest", {"data": {"digest": {}}}),
    ],
)
def test_what_reports_cannot_read_is_named(tmp_path: Path, where: str, changed: dict[str, object]) -> None:
    _write_damaged(tmp_path, changed)
    with pytest.raises(UsageError, match=rf"run\.json: damaged: {re.escape(where)}: "):
        RunDirectory(tmp_path).run  # noqa: B018


@pytest.mark.parametrize(
    ("where", "changed"),
    [
        (".weights['rgb']", {"weights": {"rgb": {}}}),
        (".people", {"people": {"file": "a.onnx"}}),
        (".drift.relative_l2", {"drift": {"reference": "b", "max_abs": 1.0, "relative_l2": "far"}}),
        (".drift", {"drift": {"reference": "b", "max_abs": 1.0}}),
    ],
)
def test_what_reports_cannot_read_of_a_model_is_named(
    tmp_path: Path, where: str, changed: dict[str, object]
) -> None:
    _write_damaged(tmp_path, {}, changed)
    with pytest.raises(UsageError, match=rf"run\.json: damaged: models\[0\]{re.escape(where)}: "):
        RunDirectory(tmp_path).run  # noqa: B018


def _write_damaged(
    folder: Path, changed: dict[str, object], of_model: dict[str, object] | None = None
) -> None:
    with RunWriter(folder, a_run("a")):
        pass
    raw = json.loads((folder / "run.json").read_bytes())
    raw["models"][0] |= of_model or {}
    (folder / "run.json").write_text(json.dumps(raw | changed))


def test_a_picture_that_a_killed_worker_was_writing_is_removed(tmp_path: Path) -> None:
    torn = tmp_path / "thumbnails" / ".a.jpg.0123abcd.tmp"
    with RunWriter(tmp_path, a_run("a")):
        torn.parent.mkdir()
        torn.touch()
    assert not torn.exists()
    torn.touch()  # by a run that was killed itself
    with RunWriter(tmp_path):
        assert not torn.exists()


@given(kept=st.integers(0, 5), torn=st.integers(1, 60), torn_scores=st.integers(0, 11))
def test_a_torn_end_costs_one_clip(
    tmp_path_factory: pytest.TempPathFactory, kept: int, torn: int, torn_scores: int
) -> None:
    path = tmp_path_factory.mktemp("run")
    with RunWriter(path, a_run("a")) as writer:
        for n in range(kept):
            writer.append_clip(a_clip("a", str(n)), np.full(3, n, np.float32))
    with (path / "clips.jsonl").open("ab") as file:
        file.write(b'{"model": "a", "clip": "torn", "label": "jogging", "scored": true}'[:torn])
    with (path / "scores.bin").open("ab") as file:
        file.write(b"\x01" * torn_scores)
    assert len(RunDirectory(path).clips()) == kept
    with RunWriter(path) as writer:
        writer.append_clip(a_clip("a", "next"), np.full(3, 9, np.float32))
    directory = RunDirectory(path)
    records = directory.clips()
    assert [r.clip for r in records] == [*(str(n) for n in range(kept)), "next"]
    assert [directory.scores(r)[0] for r in records] == [*range(kept), 9]


@pytest.mark.parametrize("line", ['{"model": ', "[" * 100_000, "[1]"])
def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    with RunWriter(tmp_path, a_run("a")):
        pass
    (tmp_path / "clips.jsonl").write_text(f"{line}\n{{}}\n")
    with pytest.raises(UsageError, match="line 1 is damaged"):
        RunDirectory(tmp_path).clips()


def _hold(
    path: Path, ready: multiprocessing.synchronize.Event, leave: multiprocessing.synchronize.Event
) -> None:
    with RunWriter(path):
        ready.set()
        leave.wait(20)


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    with RunWriter(tmp_path, a_run("a")):
        pass
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready, leave))
    process.start()
    try:
        assert ready.wait(20)
        with pytest.raises(UsageError, match=f"another run is writing.*process {process.pid} on"):
            RunWriter(tmp_path)
        assert RunDirectory(tmp_path).clips() == []
    finally:
        leave.set()
        process.join(20)
    with RunWriter(tmp_path):
        pass


def test_a_run_is_not_begun_over_another(tmp_path: Path) -> None:
    with RunWriter(tmp_path, a_run("a")):
        pass
    with pytest.raises(UsageError, match="--resume"):
        RunWriter(tmp_path, a_run("b"))
    with RunWriter(tmp_path) as writer:
        assert writer.run.models[0].key == "a"


def test_other_versions_and_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run directory"):
        RunDirectory(tmp_path)
    with RunWriter(tmp_path, a_run("a")):
        pass
    raw = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(raw | {"schema": 99}))
    with pytest.raises(UsageError, match="schema 99"):
        RunDirectory(tmp_path).run  # noqa: B018
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UsageError, match="damaged"):
        RunDirectory(tmp_path).run  # noqa: B018


def test_a_full_disk_is_an_error_with_a_remedy_and_loses_one_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunWriter(tmp_path, a_run("a")) as writer:
        writer.append_clip(a_clip("a", "0"), np.zeros(3, np.float32))

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(MeasurementError, match=r"No space left.*--resume"):
            writer.append_clip(a_clip("a", "1"), np.zeros(3, np.float32))
    monkeypatch.undo()
    with RunWriter(tmp_path) as writer:
        assert "0" in {r.clip for r in writer.clips()}


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    for path in (file, file / "run"):
        with pytest.raises(UsageError, match=r"file.*cannot be written.*--out"):
            RunWriter(path, a_run("a"))


def test_a_run_that_a_full_disk_does_not_let_begin_is_not_said_to_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(
            UsageError, match=r"run\.json: cannot be written: No space left.*Free some space, or choose"
        ):
            RunWriter(tmp_path, a_run("a"))
    with RunWriter(tmp_path, a_run("a")):
        pass


def test_a_full_disk_keeps_the_last_state_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunWriter(tmp_path, a_run("a")) as writer:

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(MeasurementError, match=r"run\.json: cannot be written: No space left.*--resume"):
            writer.write_run(a_run("b"))
        monkeypatch.undo()
    assert RunDirectory(tmp_path).run == a_run("a")


@pytest.mark.parametrize("move", ["rename", "remove", "replace"])
def test_a_directory_that_is_moved_away_is_noticed_at_the_next_record(tmp_path: Path, move: str) -> None:
    path, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    with RunWriter(path, a_run("a")) as writer:
        writer.append_clip(a_clip("a", "0"), np.zeros(3, np.float32))
        writer.append_timing("latency", ProcessRecord("a", 0, 0, load_s=1.0))
        if move == "remove":
            shutil.rmtree(path)
        else:
            path.rename(elsewhere)
        if move == "replace":  # as a worker does that makes the folder of its log
            path.mkdir()
        message = rf"{path}: was moved or removed.*lost.*`bench run --resume {path}`"
        for attempt in (
            lambda: writer.append_clip(a_clip("a", "1"), np.zeros(3, np.float32)),
            lambda: writer.append_timing("latency", ProcessRecord("a", 1, 1, load_s=1.0)),
            lambda: writer.write_run(a_run("a")),
            lambda: writer.run,
            writer.clips,
        ):
            with pytest.raises(MeasurementError, match=message):
                attempt()
    if move != "remove":
        with RunWriter(elsewhere) as writer:
            assert [r.clip for r in writer.clips()] == ["0"]
            assert len(writer.processes()) == 1


@given(cut=st.integers(1, 60), answers=st.integers(1, 5))
def test_answers_whose_scores_are_cut_off_are_missing_again(
    tmp_path_factory: pytest.TempPathFactory, cut: int, answers: int
) -> None:
    path = tmp_path_factory.mktemp("run")
    with RunWriter(path, a_run("a")) as writer:
        writer.append_clip(ClipRecord("a", "bad", None, False, error="broken"), None)
        for n in range(answers):
            writer.append_clip(a_clip("a", str(n)), np.full(3, n, np.float32))
    file = path / "scores.bin"
    file.write_bytes(file.read_bytes()[:-cut])
    whole = max(0, (12 * answers - cut) // 12)
    directory = RunDirectory(path)
    last = directory.clips()[-1]
    with pytest.raises(UsageError, match=rf"scores\.bin: is damaged.*--resume {path}"):
        directory.scores(last)
    with RunWriter(path) as writer:
        assert {clip for _, clip in writer.lost} == {str(n) for n in range(whole, answers)}
        assert [r.clip for r in writer.clips()] == ["bad", *(str(n) for n in range(whole))]
        for n in range(whole, answers):
            writer.append_clip(a_clip("a", str(n)), np.full(3, 10 + n, np.float32))
    records = directory.clips()[1:]
    found = [directory.scores(record)[0] for record in records]
    assert found == [*range(whole), *range(10 + whole, 10 + answers)]
    with RunWriter(path) as writer:
        assert writer.lost == frozenset()


def test_no_scores_at_all_are_damage_too(tmp_path: Path) -> None:
    with RunWriter(tmp_path, a_run("a")) as writer:
        writer.append_clip(a_clip("a", "0"), np.zeros(3, np.float32))
    (tmp_path / "scores.bin").unlink()
    directory = RunDirectory(tmp_path)
    with pytest.raises(UsageError, match=r"scores\.bin: is damaged"):
        directory.scores(directory.clips()[0])
