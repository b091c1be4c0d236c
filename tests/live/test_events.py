"""Events as lines of JSON, and the file of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import UsageError
from actionbench.live.events import ActionEvent, SessionHeader, read_events
from actionbench.parsing import parse_json
from actionbench.typed_values import typed

from .making import NOON, event

HEADER = SessionHeader(
    source="rtsp://10.0.0.7/live",
    model="i3d-rgb@openvino",
    weights={"rgb": "random"},
    caveat="random weights: these predictions mean nothing",
    window=64,
    stride=8,
    rate=25.0,
    no_action="the likeliest class has a probability below 0.5",
    time=NOON.isoformat(),
)


def test_a_file_gives_what_was_written(tmp_path: Path) -> None:
    written: list[SessionHeader | ActionEvent] = [
        HEADER,
        event(),
        event("end"),
        HEADER,
        event(label="stürzen – 跌倒\n\u2028"),
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{each.to_json()}\n" for each in written), encoding="utf-8")
    assert list(read_events(path)) == written


def test_lines_from_before_there_were_people_are_read(tmp_path: Path) -> None:
    header, seen = json.loads(HEADER.to_json()), json.loads(event().to_json())
    for raw, names in ((header, ("people", "zones")), (seen, ("person", "zone", "cleared_s"))):
        for name in names:
            del raw[name]
    path = tmp_path / "events.jsonl"
    path.write_text(f"{json.dumps(header)}\n{json.dumps(seen)}\n")
    assert list(read_events(path)) == [HEADER, event()]


@given(
    st.builds(
        ActionEvent,
        id=st.text(),
        state=st.sampled_from(["start", "update", "end", "cleared"]),
        label=st.text(),
        start_s=st.floats(0, 1e9),
        end_s=st.none() | st.floats(0, 1e9),
        confidence=st.floats(0, 1),
        window_start_s=st.floats(0, 1e9),
        window_end_s=st.floats(0, 1e9),
        age_s=st.floats(0, 1e3),
        window=st.integers(1, 1000),
        stride=st.integers(1, 1000),
        rate=st.floats(1, 1000),
        model=st.text(),
        time=st.text(),
        person=st.none() | st.integers(1, 10**6),
        zone=st.none() | st.text(),
    )
)
def test_every_event_is_one_line_that_reads_back(made: ActionEvent) -> None:
    line = made.to_json()
    assert "\n" not in line
    assert typed(ActionEvent, parse_json(line)) == made


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(f"{HEADER.to_json()}\n{event().to_json()[:40]}")
    assert list(read_events(path)) == [HEADER]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "began"}, r"line 2 is damaged: state: expected 'start' or .*, found \"began\""),
        ({"confidence": "high"}, "line 2 is damaged: confidence: expected a number"),
        ({"room": "hall"}, "line 2 is damaged: unknown fields: room"),
        ({"kind": "sentence"}, "line 2 is damaged: kind: expected 'event'"),
    ],
)
def test_what_is_no_event_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "events.jsonl"
    raw = {**json.loads(event().to_json()), **change}
    path.write_text(f"{HEADER.to_json()}\n{json.dumps(raw)}\n")
    with pytest.raises(UsageError, match=message):
        list(read_events(path))


def test_another_version_of_the_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(f"{replace(HEADER, schema=99).to_json()}\n")
    with pytest.raises(UsageError, match="expected schema 1; found schema 99"):
        list(read_events(path))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file of events"):
        list(read_events(tmp_path / "none.jsonl"))
