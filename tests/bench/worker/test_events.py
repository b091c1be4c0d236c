"""What a worker writes is what its parent reads; anything else is no event, or one error."""

from __future__ import annotations

import io
import json
import shlex
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.bench.worker.events import (
    Answered,
    ClipFailed,
    Done,
    Event,
    Failed,
    FirstForward,
    Measured,
    Notice,
    Predicted,
    Ready,
    StageProgress,
    Started,
    read_event,
    signs_of_life,
)
from actionbench.bench.worker.job import Job
from actionbench.bench.worker.supervisor import Outcome, Worker
from actionbench.child_process import event_writer
from actionbench.models.spec import LoadOptions
from actionbench.models.weights.descriptions import hara_views

SECONDS = {"decode": 0.25, "forward": 1.5}
EVENTS: list[Event] = [
    Ready(1.5, {"backend": "numpy", "parameters": None}),
    FirstForward(0.5),
    Started("å/clip 1.mp4"),
    ClipFailed("a", "is no video"),
    Predicted("a", (0.25, 0.75), 2, 32, 1.25, SECONDS, True, ("odd",)),
    Measured({"clip": "a", "stages_s": SECONDS, "waited_s": None}, "a"),
    Measured({"videos": 3}),
    Answered(0, "a", 0.0, 0.5, 1.0, SECONDS, ()),
    StageProgress("decode", 16, 0),
    Notice("compiling"),
    Failed("out of memory"),
    Done(2**40, {"peak_device_bytes": 7}),
]


def through_a_pipe(event: Event) -> Event | None:
    pipe = io.BytesIO()
    event_writer(pipe)(event)
    assert pipe.getvalue().count(b"\n") == 1
    return read_event(pipe.getvalue())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    assert through_a_pipe(event) == event


@given(st.lists(st.floats(0, 1, width=32), max_size=5))
def test_scores_are_the_same_float32(scores: list[float]) -> None:
    read = through_a_pipe(Predicted("a", tuple(scores), 1, 1, 1.0, {}, False, ()))
    assert isinstance(read, Predicted)
    assert list(map(float.hex, read.scores)) == list(map(float.hex, scores))


@pytest.mark.parametrize(
    "line", [b"Welcome to Python\n", b"", b"[1]\n", b'"event"\n', b'{"text": 1}\n', b"[" * 9999]
)
def test_what_is_no_event_is_none(line: bytes) -> None:
    assert read_event(line) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"event": "Greeting"}, "there is no event 'Greeting'"),
        ({"event": ["Ready"]}, "there is no event"),
        ({"event": "Started"}, "missing fields: clip"),
        ({"event": "Started", "clip": 1}, "clip: expected a text, found 1"),
        ({"event": "Started", "clip": "a", "when": 1}, "unknown fields: when"),
        ({"event": "Ready", "load_s": None, "details": {}}, "load_s: expected a number"),
    ],
)
def test_a_malformed_event_is_an_error(line: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_event(json.dumps(line).encode())


def test_what_is_no_number_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        event_writer(io.BytesIO())(FirstForward(float("nan")))


def test_threads_do_not_mix_their_lines() -> None:
    pipe = io.BytesIO()
    send = event_writer(pipe)
    notice = Notice("x" * 5000)
    threads = [threading.Thread(target=lambda: [send(notice) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [read_event(line) for line in pipe.getvalue().splitlines()] == [notice] * 200


def test_signs_of_life_are_few() -> None:
    sent: list[Event] = []
    progress = signs_of_life(sent.append)
    for done in range(1000):
        progress("decode", done, 1000)
    assert 1 <= len(sent) < 100
    assert str(sent[0]) == "decode 0/1000"


@pytest.fixture
def worker(tmp_path: Path) -> Callable[[str], Worker]:
    """Function that makes a worker whose interpreter is a program that prints `lines` and ends with 3."""

    def make(lines: str) -> Worker:
        program = tmp_path / "python"
        # By the shell: the path of an interpreter may have a space, which `#!` does not take.
        said = shlex.quote(lines)
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' {said}\nexit 3\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        job = Job("latency", "resnext@torch", {}, LoadOptions(threads=1), 400, hara_views(16))
        return Worker(job, str(program), tmp_path / "log", 30, print)

    return make


def test_a_worker_of_another_version_has_failed_and_not_died(worker: Callable[[str], Worker]) -> None:
    outcome = Outcome()
    sent = '{"event": "Started", "clip": "a"}\n{"event": "start", "clip": "b"}'
    assert list(worker(sent).events(outcome)) == [Started("a")]
    assert not outcome.died
    assert outcome.failed is not None
    assert "there is no event 'start'" in outcome.failed
    assert "another version of ActionBench" in outcome.failed


def test_what_was_in_flight_when_a_worker_died(worker: Callable[[str], Worker], tmp_path: Path) -> None:
    outcome = Outcome()
    sent: list[Event] = [Started("a"), Started("b"), ClipFailed("a", "odd"), Started("c"), Measured({}, "c")]
    pipe = io.BytesIO()
    for event in sent:
        event_writer(pipe)(event)
    assert list(worker(f"Hello!\n{pipe.getvalue().decode()}").events(outcome)) == sent
    assert outcome.died
    assert outcome.in_flight == ["b"]
    assert outcome.failed == f"exit status 3: Hello! (see {tmp_path / 'log'})"
