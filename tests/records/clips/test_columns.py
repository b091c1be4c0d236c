"""Columns hold what the records hold, and an index what a resumed run needs of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import UsageError
from actionbench.records.clips.columns import ClipColumns, ClipColumnsBuilder
from actionbench.records.clips.index import ClipIndex, IndexEntry, _recognised, index_entries
from actionbench.records.json_lines import to_json
from actionbench.records.run import ClipRecord, ModelRecord, Run
from actionbench.records.run_directory import RunDirectory, RunWriter

LABELS = ("jogging", "marching", "squat")

# Texts that look like what the pattern of a line looks for, and any others.
TEXTS = st.text(max_size=12) | st.sampled_from(
    ['a", "offset": 7, "views": 1', '"error": null, "notes": []}', "\\", '"', "läuft/🏃.mp4", "a\nb"]
)
PROBABILITIES = st.floats(0, 1)


@st.composite
def clip_records(draw: st.DrawFn) -> ClipRecord:
    error = draw(st.none() | TEXTS)
    label = draw(st.none() | st.sampled_from([*LABELS, "unknown"]))
    record = ClipRecord(
        draw(st.sampled_from(["a", "b@torch", 'odd "one"'])),
        draw(TEXTS),
        label,
        label in LABELS,
        error=error,
        notes=tuple(draw(st.lists(TEXTS, max_size=2))),
    )
    if error is not None:
        return record
    top5 = draw(st.lists(st.tuples(st.sampled_from(LABELS), PROBABILITIES), min_size=1, max_size=5))
    return replace(
        record,
        top5=tuple(top5),
        target_score=draw(st.none() | PROBABILITIES),
        offset=draw(st.integers(0, 2**40)),
        views=draw(st.integers(0, 100)),
        frames=draw(st.integers(0, 10**6)),
        video_s=draw(st.floats(0, 1e5)),
        flow_cached=draw(st.booleans()),
        stages_s={"decode": draw(st.floats(0, 10))},
    )


def record_of(model: str, columns: ClipColumns, row: int) -> ClipRecord:
    values = columns.values[row]
    names = columns.named(np.array([values["label"], *values["top5"]]))
    top5 = zip(names[1:], values["probability"].tolist(), strict=True)
    return ClipRecord(
        model,
        columns.clips[row],
        names[0],
        bool(values["scored"]),
        tuple((label, probability) for label, probability in top5 if label is not None),
        None if np.isnan(values["target_score"]) else float(values["target_score"]),
        None if values["offset"] < 0 else int(values["offset"]),
        int(values["views"]),
        int(values["frames"]),
        float(values["video_s"]),
        flow_cached=bool(values["flow_cached"]),
        error=columns.errors.get(row),
        notes=columns.notes.get(row, ()),
    )


@given(st.lists(clip_records(), max_size=12))
def test_the_last_record_of_a_clip_is_in_its_columns_and_its_index(
    tmp_path_factory: pytest.TempPathFactory, records: list[ClipRecord]
) -> None:
    builder = ClipColumnsBuilder({"a": LABELS})
    for record in records:
        builder.add(record)
    columns = builder.columns()
    last = {(record.model, record.clip): record for record in records}
    found = {
        (model, clip): record_of(model, of_model, row)
        for model, of_model in columns.items()
        for row, clip in enumerate(of_model.clips)
    }
    assert found == {key: replace(record, stages_s={}) for key, record in last.items()}
    assert "a" in columns

    file = tmp_path_factory.mktemp("index") / "clips.jsonl"
    file.write_bytes(b"".join(to_json(vars_of(record)) for record in records))
    entries = list(index_entries(file))
    assert entries == [IndexEntry(r.model, r.clip, r.offset, r.error is not None) for r in records]
    index = ClipIndex()
    for entry in entries:
        index.add(entry.model, entry.clip, entry.failed)
    for model in {record.model for record in records}:
        assert index.tried(model) == {clip for key, clip in last if key == model}
        assert index.failed(model) == {c for (m, c), r in last.items() if m == model and r.error is not None}


def vars_of(record: ClipRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in ClipRecord.__dataclass_fields__}


def test_lines_as_the_writer_writes_them_are_recognised(tmp_path: Path) -> None:
    """Otherwise all of a million lines are read as JSON, and a run takes minutes to go on."""
    run = Run(
        "2026-01-01T00:00:00+00:00",
        {},
        {},
        {},
        "jogging",
        (ModelRecord("a", "a", "torch", "cpu", {}, LABELS, "whole video"),),
    )
    with RunWriter(tmp_path, run) as writer:
        answer = ClipRecord("a", "läuft/1.mp4", "jogging", True, (("jogging", 0.5),), 0.5, notes=("odd",))
        writer.append_clip(answer, np.full(3, 0.3, np.float32))
        writer.append_clip(ClipRecord("a", "2.mp4", None, False, error="broken"), None)
        assert set(writer.tried("a")) == {"läuft/1.mp4", "2.mp4"}
        assert set(writer.failed("a")) == {"2.mp4"}
    first, second = (tmp_path / "clips.jsonl").read_bytes().splitlines(keepends=True)
    assert _recognised(first) == ("a", "läuft/1.mp4", 0, False)
    assert _recognised(second) == ("a", "2.mp4", None, True)
    with RunWriter(tmp_path) as writer:
        assert set(writer.tried("a")) == {"läuft/1.mp4", "2.mp4"}
        assert set(writer.failed("a")) == {"2.mp4"}
        assert writer.tried("b") == frozenset()


def test_a_number_that_no_clip_has_is_an_error_that_names_the_file_and_the_clip(tmp_path: Path) -> None:
    with RunWriter(tmp_path, Run("", {}, {}, {}, "jogging", ())):
        pass
    record = ClipRecord("a", "1.mp4", None, False, frames=2**70)
    (tmp_path / "clips.jsonl").write_bytes(to_json(vars_of(record)))
    with pytest.raises(UsageError, match=r"clips\.jsonl: is damaged: the record of 1\.mp4 by a"):
        RunDirectory(tmp_path).columns()
