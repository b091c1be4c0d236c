"""`bench live` from beginning to end, with a tiny network."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from actionbench.child_process import Completed
from actionbench.datasets.video.sampling import TimedFrame
from actionbench.datasets.video.writer import write_video
from actionbench.models.labels import labels

from ....detector_files import finding
from ...conftest import COMMAND, NETWORKS, Bench

pytestmark = pytest.mark.usefixtures("forked_workers")

NAMES = labels("kinetics-400")


def network(factory: str, weights: Path) -> list[str]:
    return ["--model", f"{NETWORKS}:{factory}", "--weights", f"{factory}={weights}"]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory, tiny_module: ModuleType) -> Path:
    """Two seconds of class 10, then two of class 200, at 25 frames a second."""
    path = tmp_path_factory.mktemp("live") / "two.mp4"
    shown = [
        np.broadcast_to((255 * tiny_module.colour_of(index)).round().astype(np.uint8), (16, 16, 3))
        for index in (10, 200)
    ]
    frames = (
        TimedFrame(Fraction(n, 25), Fraction(n + 1, 25), lambda n=n: np.ascontiguousarray(shown[n // 50]))  # type: ignore[misc]
        for n in range(100)
    )
    write_video(path, frames, Fraction(25))
    return path


def events_of(text: str) -> tuple[dict[str, object], list[dict[str, object]]]:
    header, *events = map(json.loads, text.splitlines())
    return header, events


def test_a_file_as_fast_as_possible(bench: Bench, video: Path, weights_file: Path, tmp_path: Path) -> None:
    """The whole way once: plan, worker, session, events, summary."""
    path = tmp_path / "events.jsonl"
    config = tmp_path / "live.yaml"
    config.write_text(
        f"source: {video}\nstride: 2\nsmoothing: 0\nhold: 0\nclear-after: 0.5\nthreshold: 0.5\n"
    )
    options = ["--config", config, "--as-fast-as-possible", "--events", path]
    done = bench("live", *options, *network("tiny", weights_file))
    assert done.returncode == 0, done.stderr
    header, events = events_of(path.read_text())
    assert header["source"] == "two.mp4"
    assert (header["model"], header["window"], header["stride"]) == ("tiny", 4, 2)
    begun = [(event["label"], event["start_s"]) for event in events if event["state"] == "start"]
    # Windows of 4 frames end at frames 3, 5, …; frame 50 is the first of the second colour, and the middle of
    # a window's colours is nearer to it from two of its frames on.
    assert begun == [(NAMES[10], pytest.approx(3 / 25)), (NAMES[200], pytest.approx(51 / 25, abs=0.1))]
    assert [event["rate"] for event in events] == pytest.approx([25] * len(events))
    assert [event["label"] for event in events if event["state"] == "end"] == [NAMES[10], NAMES[200]]
    assert "100 frames, 49 labels" in done.stdout
    assert "0 frames dropped, 0 labels late" in done.stdout
    assert f"{NAMES[200]} starts" in done.stderr


def test_events_on_standard_output_and_a_caveat(bench: Bench, video: Path) -> None:
    done = bench(
        "live", video, "--as-fast-as-possible", "--events", "-", "--model", f"{NETWORKS}:tiny",
        "--weights", "random", "--seconds", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    header, _ = events_of(done.stdout)
    assert "random weights: these predictions mean nothing" in str(header["caveat"])
    assert "random weights: these predictions mean nothing" in done.stderr
    assert "25 frames" in done.stderr, "the summary is beside the events, not among them"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "no source is named"),
        (["nothing.mp4"], "nothing.mp4: file does not exist"),
        (["ftp://user:s3cret@cam/x"], "unknown scheme 'ftp'"),
        (["0", "--as-fast-as-possible"], "is for files"),
        (["0", "--model", "i4d"], "unknown model 'i4d'"),
        (["0", "--events", "/nowhere/x.jsonl"], "--events /nowhere/x.jsonl: cannot be written"),
    ],
)
def test_bad_input_is_one_clear_error(bench: Bench, arguments: list[str], says: str) -> None:
    done = bench("live", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("factory", "says"),
    [("broken", "this network does not load"), ("raises", "division by zero"), ("few", "wrong shape")],
)
def test_a_network_that_does_not_work(
    bench: Bench, video: Path, weights_file: Path, factory: str, says: str
) -> None:
    done = bench("live", video, "--as-fast-as-possible", *network(factory, weights_file))
    assert done.returncode == 2
    assert says in done.stderr
    assert "bug in ActionBench" not in done.stderr


def test_a_file_that_is_no_video(bench: Bench, weights_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_text("no video")
    done = bench("live", path, *network("tiny", weights_file))
    assert done.returncode == 2
    assert "x.mp4: not a video that can be opened" in done.stderr


def test_persons_in_a_zone_have_events_of_their_own_and_a_video(
    bench: Bench, video: Path, weights_file: Path, tmp_path: Path
) -> None:
    """All see the same colours; the third one is beyond the zone."""
    detector = finding(tmp_path / "found.onnx", (0, 0, 0.2, 0.9), (0.25, 0, 0.5, 0.9), (0.6, 0, 1, 0.9))
    zones, events = tmp_path / "zones.yaml", tmp_path / "events.jsonl"
    zones.write_text("left half: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]\n")
    done = bench(
        *("live", video, "--as-fast-as-possible", "--stride", 2, "--smoothing", 0, "--hold", 0),
        *("--threshold", 0.5, "--people", f"onnx:{detector}@onnx", "--zones", zones, "--events", events),
        *("--video", tmp_path / "out.mp4", *network("tiny", weights_file)),
    )
    assert done.returncode == 0, done.stderr
    header, found = events_of(events.read_text())
    assert (header["people"], header["zones"]) == ("onnx (found.onnx, onnx)", ["left half"])
    begun = {(event["person"], event["zone"], event["label"]) for event in found if event["state"] == "start"}
    assert begun == {(person, "left half", NAMES[index]) for person in (1, 2) for index in (10, 200)}
    assert {event["person"] for event in found} == {1, 2}
    assert "persons are found by onnx (found.onnx, onnx), in the zones left half" in done.stderr
    assert "person 1, left half: " in done.stderr
    assert "finding persons" in done.stdout
    assert (tmp_path / "out.mp4").stat().st_size > 1000


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--people", "hogg"], "unknown detector of persons"),
        (["--people", "onnx:nowhere.onnx"], "there is no such file"),
        (["--zones", "{zones}"], "--zones: are zones for persons, but nobody is looked for"),
    ],
)
def test_people_and_zones_that_cannot_be_used(
    bench: Bench, video: Path, weights_file: Path, tmp_path: Path, more: list[str], says: str
) -> None:
    zones = tmp_path / "zones.yaml"
    zones.write_text("all: [[0, 0], [1, 0], [1, 1], [0, 1]]\n")
    options = [each.format(zones=zones) for each in more]
    done = bench("live", video, *options, *network("tiny", weights_file))
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--clips", "file/clips"], "--clips file/clips: clips cannot be saved: Not a directory"),
        (["--webhook", "ftp://me:s3cret@x.org"], "--webhook: is not an address that events can be sent to"),
        (["--mqtt", "http://me:s3cret@x.org"], "--mqtt: is not an address that events can be sent to"),
        (["--mqtt", "mqtt://x.org", "--mqtt-name", "a/b"], "--mqtt-name: cannot be part of a topic"),
        (["--people", "hog", "--zones", "nowhere.yaml"], "--zones nowhere.yaml: cannot be read"),
        (["--people", "hog", "--zones", "file"], "--zones file: has no zones"),
        (["--web", "0.0.0.0:0"], "can be reached from other machines"),
        (["--web", "{busy}"], "cannot listen there"),
        (["--web", "0", "--token", "nowhere"], "--token nowhere: the token cannot be read"),
        (["--video", "file/out.mp4"], "--video file/out.mp4: cannot be written"),
        (["--before", 5], "--before: would do nothing without --clips"),
        (["--alert-labels", "clap", "--webhook", "http://x.org"], "Did you mean: clapping"),
    ],
)
def test_outputs_are_checked_before_the_network_is_loaded(
    bench: Bench,
    video: Path,
    weights_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    says: str,
) -> None:
    """By a network that raises when it is loaded."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = [str(each).format(busy=taken.getsockname()[1]) for each in more]
        done = bench("live", video, *options, *network("broken", weights_file))
    assert done.returncode == 2
    assert says in done.stderr
    assert "does not load" not in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [b"", b"no video at all"])
def test_a_file_that_is_no_video_is_refused_before_the_network_is_loaded(
    bench: Bench, weights_file: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    done = bench("live", path, *network("broken", weights_file))
    assert done.returncode == 2
    assert "video.mp4: " in done.stderr
    assert "does not load" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_screen_is_checked_before_the_network_is_loaded(
    bench: Bench, video: Path, weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = Completed(1, b"", b"no display\n")
    monkeypatch.setattr("actionbench.live.outputs.screen.run_captured", lambda *_, **__: ended)
    done = bench("live", video, "--show", *network("broken", weights_file))
    assert done.returncode == 2
    assert "--show: no window can be opened; found no display" in done.stderr


def test_a_network_that_loads_for_too_long_is_not_about_the_networks_answers(
    bench: Bench, video: Path, weights_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actionbench.bench.live.LOADING_TIMEOUT_S", 0.05)
    done = bench("live", video, *network("tiny", weights_file))
    assert done.returncode == 2
    assert "no progress for 0.05 s (no setting: loading may take so long)" in done.stderr
    assert "--clip-timeout" not in done.stderr


OPTIONS = ("--stride", 1, "--smoothing", 0, "--hold", 0)


def wait_until(condition: Callable[[], bool], for_s: float = 30) -> None:
    end = time.monotonic() + for_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def recognised(events: Path) -> bool:
    """Whether something has been recognised, while the file is shown at its own rate."""
    return events.exists() and events.read_text().count("\n") >= 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_its_files_complete(
    bench: Bench,
    video: Path,
    weights_file: Path,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    events = tmp_path / "events.jsonl"

    def send() -> None:
        wait_until(lambda: recognised(events))
        os.kill(os.getpid(), number)

    # Where the command took no notice of it, it must not end the tests.
    before = signal.signal(number, lambda *_: None)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        done = bench("live", video, *network("tiny", weights_file), "--events", events, *OPTIONS)
    finally:
        sender.join()
        signal.signal(number, before)
    assert done.returncode == 0, done.stderr
    assert "labels" in done.stdout
    _, found = events_of(events.read_text())
    assert [event["state"] for event in found][-1] == "end", "what went on has its end"
    assert float(str(found[-1]["end_s"])) < 3.9, "before the file's"


def test_when_its_parent_is_killed_the_files_are_completed(
    video: Path, weights_file: Path, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    words = ["live", video, *network("tiny", weights_file), "--events", events, *OPTIONS]
    with subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            wait_until(lambda: recognised(events) or process.poll() is not None)
            assert process.poll() is None, process.communicate()
        finally:
            process.kill()
        process.wait()
        wait_until(lambda: '"end"' in events.read_text())
    _, found = events_of(events.read_text())
    assert found[-1]["state"] == "end"
