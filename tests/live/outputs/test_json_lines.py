"""Events are in the file when they are known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actionbench.errors import MeasurementError, UsageError
from actionbench.live.events import ActionEvent, SessionHeader, read_events
from actionbench.live.outputs.json_lines import EventFile

from ...file_sizes import limited
from ..making import NOON, event

HEADER = SessionHeader("0", "net", {"rgb": "user"}, None, 25, 6, 25.0, "below 0.5", NOON.isoformat())


def test_each_event_is_there_before_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    output = EventFile(path, HEADER)
    assert list(read_events(path)) == [HEADER]
    output.event(event())
    assert list(read_events(path)) == [HEADER, event()]
    output.close()


def test_a_second_session_is_appended_and_a_torn_line_removed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventFile(path, HEADER).close()
    with path.open("a") as file:
        file.write('{"id": "torn')
    output = EventFile(path, HEADER)
    output.event(event())
    output.close()
    assert list(read_events(path)) == [HEADER, HEADER, event()]


def test_what_was_written_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    first, second = HEADER.to_json(), event().to_json()
    code = (
        "import os, pathlib, signal; from actionbench.live.outputs.json_lines import EventFile;"
        "from actionbench.live.events import ActionEvent, SessionHeader;"
        "from actionbench.typed_values import typed; from actionbench.parsing import parse_json;"
        f"output = EventFile(pathlib.Path({str(path)!r}), typed(SessionHeader, parse_json({first!r})));"
        f"output.event(typed(ActionEvent, parse_json({second!r}))); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert list(read_events(path)) == [HEADER, event()]


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--events .*none/events.jsonl: cannot be written: No such file"):
        EventFile(tmp_path / "none" / "events.jsonl", HEADER)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_an_error_of_its_own() -> None:
    with pytest.raises(MeasurementError, match=r"No space left on device.*free some space"):
        EventFile(Path("/dev/full"), HEADER)


def test_a_line_that_fits_only_in_part_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    output = EventFile(path, HEADER)
    output.event(event())
    whole = path.stat().st_size
    with (
        limited(whole + 10),
        pytest.raises(MeasurementError, match=r"events\.jsonl: cannot be written: File too large"),
    ):
        output.event(event(id="s-2"))
    output.close()
    assert path.stat().st_size == whole + 10
    assert list(read_events(path)) == [HEADER, event()]
    EventFile(path, HEADER).close()
    assert list(read_events(path)) == [HEADER, event(), HEADER]


def test_a_line_that_is_taken_in_pieces_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    output = EventFile(path, HEADER)
    file = output._file

    class Pieces:
        def write(self, data: bytes) -> int:
            return file.write(data[:7]) or 0

    monkeypatch.setattr(output, "_file", Pieces())
    output.event(event())
    file.close()
    assert list(read_events(path)) == [HEADER, event()]


def test_a_full_pipe_that_does_not_wait_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    output = EventFile(path, HEADER)
    os.set_blocking(output._file.fileno(), False)

    def fill() -> None:
        for _ in range(10_000):
            output.event(event())

    with pytest.raises(MeasurementError, match="pipe: cannot be written: the pipe is full"):
        fill()
    output.close()
    os.close(reading)


def test_events_are_what_the_reader_gives(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    output = EventFile(path, HEADER)
    output.event(event(label="跌倒"))
    output.close()
    (found,) = (each for each in read_events(path) if isinstance(each, ActionEvent))
    assert found.label == "跌倒"
