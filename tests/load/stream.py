"""A day of a camera, watched by `bench live` as a user starts it: frames come faster, all else is real."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from actionbench.live.events import ActionEvent, read_events
from actionbench.live.people.zones import Box

from ..detector_files import finding
from ..faults.runs import NETWORKS
from .camera import FPS, Camera, actions_of, drawn_segments
from .findings import Finding, at_least, growth_of, left_behind, size_mb
from .growth import Watch
from .visitors import Receiver, Viewer

LEAST_CAPTURED = 0.95
"""Share of the frames that were sent: each reconnect and each damage costs a few."""

LEAST_RECOGNISED = 0.2
"""Share of the actions that were shown: where the machine is too slow, `bench live` leaves frames out."""

PERSONS = ((0.1, 0.2, 0.4, 0.9), (0.6, 0.2, 0.9, 0.9))
"""Where the persons stand: left, upper, right and lower edge, in shares of the picture."""

ENDING_S = 60.0
STARTING_S = 300.0


def watch_stream(
    folder: Path, hours: float, segment_s: float, speed: float, period_s: float, *, people: bool = False
) -> list[Finding]:
    """Watch so many hours of a camera.

    - `folder`: an empty one for all files.
    - `segment_s`: seconds of the camera after which it hangs up, and is found again.
    - `speed`: seconds of the camera that pass in one second, at most.
    - `period_s`: seconds between two looks at the processes.
    - `people`: whether persons are followed: two of them, who are new ones each time that the camera is back.
    """
    temporary, home = folder / "tmp", folder / "home"
    temporary.mkdir()
    segments = drawn_segments(folder, segment_s)
    connections = max(1, round(3600 * hours / segment_s))
    begin = time.monotonic()
    persons = PERSONS if people else ()
    with (
        Camera(segments, segment_s, connections, speed) as camera,
        Receiver() as receiver,
        subprocess.Popen(
            _command(folder, camera.address, receiver.address, persons),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(temporary), "ACTIONBENCH_HOME": str(home)},
        ) as process,
    ):
        page, told = SimpleQueue[str](), list[str]()
        listener = threading.Thread(target=_listen, args=(process, page, told), daemon=True)
        listener.start()
        try:
            with Viewer(page.get(timeout=STARTING_S)) as viewer:
                with Watch(process.pid, temporary, period_s) as watch:
                    while not camera.ended.wait(1):
                        assert process.poll() is None, "".join(told)
                counted = _at_rest(viewer)
            process.terminate()  # SIGINT is ignored in what a shell has started in the background
            assert process.stdout is not None
            summary = process.stdout.read()
            status = process.wait(ENDING_S)
        finally:
            process.kill()
            listener.join()
    sent = round(FPS * segment_s * connections)
    return [
        Finding("camera", f"{connections * segment_s / 3600:.4g} h in {time.monotonic() - begin:,.0f} s"),
        Finding("exit code", str(status), "0", status != 0),
        Finding("summary", " ".join(summary.split())),
        at_least(f"frames captured, of {sent:,}", counted["captured_frames"], round(LEAST_CAPTURED * sent)),
        Finding("frames prepared", f"{counted['processed_frames']:,}"),
        at_least("reconnects", counted["reconnects"], connections - 1),
        *_written(folder, shown=connections * actions_of(segment_s) * (len(persons) or 1)),
        Finding("events received by the webhook", f"{receiver.received:,}"),
        Finding("page", f"{viewer.visits:,} visits, {viewer.pictures:,} pictures"),
        *growth_of(watch.processes(), least=2),
        left_behind(temporary, home, folder / "clips"),
    ]


def _written(folder: Path, shown: int) -> list[Finding]:
    """What is in the session's files. `shown`: how many actions the camera has shown."""
    events = [each for each in read_events(folder / "events.jsonl") if isinstance(each, ActionEvent)]
    states = Counter(each.state for each in events)
    clips = len(list((folder / "clips").iterdir()))
    video_mb = (folder / "video.mp4").stat().st_size / 1e6
    return [
        at_least(f"actions begun, of {shown:,}", states["start"], round(LEAST_RECOGNISED * shown)),
        Finding("ended", f"{states['end']:,}", f"{states['start']:,}", states["end"] != states["start"]),
        Finding("events", f"{len(events):,}"),
        Finding(
            "videos of actions", f"{clips:,}, {size_mb(folder / 'clips'):.1f} MB", "at least 1", not clips
        ),
        Finding("annotated video", f"{video_mb:.1f} MB"),
    ]


def _command(folder: Path, source: str, webhook: str, persons: Sequence[Box]) -> list[str]:
    words = [
        *(sys.executable, "-m", "actionbench", "live", source, "--threads", "1"),
        *("--model", f"{NETWORKS}:steady", "--weights", f"steady={NETWORKS}"),
        *("--web", "0", "--webhook", webhook, "--events", str(folder / "events.jsonl")),
        *("--clips", str(folder / "clips"), "--before", "1", "--after", "1"),
        *("--video", str(folder / "video.mp4")),
    ]
    if persons:
        words += ["--people", f"onnx:{finding(folder / 'persons.onnx', *persons)}"]
    return words


def _listen(process: subprocess.Popen[str], page: SimpleQueue[str], told: list[str]) -> None:
    """Pass the page's address on, and keep the last of what the command says."""
    assert process.stderr is not None
    for line in process.stderr:
        told.append(line)
        del told[:-50]
        if found := re.search(r"page: (\S+)", line):
            page.put(found[1])


def _at_rest(viewer: Viewer) -> dict[str, int]:
    """The session's counters when they do not change any more."""
    before = viewer.counters()
    while True:
        time.sleep(1)
        now = viewer.counters()
        if now["captured_frames"] == before["captured_frames"]:
            return now
        before = now
