"""`bench live` that gets a signal at a random moment, or whose network is killed.

The events up to then are whole, videos can be played, and a second session is added to them.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from random import Random
from typing import get_args

import av
import numpy as np

from actionbench.datasets.video.sampling import TimedFrame
from actionbench.datasets.video.writer import write_video
from actionbench.live.events import ActionEvent, SessionHeader, read_events

from .processes import COMMAND, SIGNALS, To
from .runs import NETWORKS
from .signals import Victim, Way, after, after_it, ended

SECONDS = 3
"""Of a video that ends by itself."""

LONGER_S = 8
"""Of one that a signal has to end; the signal comes in the first `SECONDS`."""

WORKER = "actionbench.bench.worker.process"
CAUSE = "most likely the machine ran out of memory"

AGAIN = 0.25
"""Share of the sessions after which a second one is added to the same files."""

Told = tuple[str, str, float]
"""State, label and start of an event."""


def drawn_video(path: Path, last_s: int = 1) -> Path:
    """A video of three colours at 25 frames a second, each for a second, but the last for `last_s`."""

    def pixels(second: int) -> np.ndarray:
        return np.full((48, 64, 3), (16 + 64 * min(second, 2), 144, 16), np.uint8)

    frames = (
        TimedFrame(Fraction(n, 25), Fraction(n + 1, 25), partial(pixels, n // 25))
        for n in range(25 * (2 + last_s))
    )
    write_video(path, frames, Fraction(25))
    return path


def words_of(video: Path, out: Path, *more: object) -> list[str]:
    """The words of a session that writes events, clips and a video into `out`."""
    return [
        *("live", str(video), "--model", f"{NETWORKS}:steady", "--weights", f"steady={NETWORKS}"),
        *("--stride", "2", "--smoothing", "0", "--hold", "0", "--clear-after", "0.5", "--threads", "1"),
        *("--events", str(out / "events.jsonl"), "--video", str(out / "video.mp4")),
        *("--clips", str(out / "clips"), "--before", "0.2", "--after", "0.2", *map(str, more)),
    ]


def told(events: Path, whole: bool = True) -> list[list[Told]]:
    """The events of each session in a file.

    - `whole`: every action that began has its end, and no line is torn.

    Raises AssertionError where that is not so, or times go back.
    """
    sessions: list[list[Told]] = []
    if not events.exists():
        return sessions
    for each in read_events(events):
        if isinstance(each, SessionHeader):
            sessions.append([])
            open_actions: set[str] = set()
            last: ActionEvent | None = None
            continue
        assert last is None or each.window_end_s >= last.window_end_s, (last, each)
        last = each
        if each.state == "start":
            open_actions.add(each.id)
        elif each.state == "end":
            open_actions.remove(each.id)
        sessions[-1].append((each.state, each.label, each.start_s))
    if whole:
        assert events.read_bytes().endswith(b"\n")
        assert not sessions or not open_actions, f"no end of {open_actions}"
    return sessions


def frames(path: Path) -> list[float]:
    """The times of a video's frames, in seconds."""
    with av.open(str(path)) as container:
        return [frame.time or 0.0 for frame in container.decode(video=0)]


def videos(out: Path) -> Iterator[Path]:
    """What a session has filmed."""
    yield from out.rglob("*.mp4")


class Viewer:
    """A browser that opens the page of a session, and does not read. `folder`: see `ended`."""

    def __init__(self, held: ExitStack, folder: Path) -> None:
        self._held, self._folder, self._looks = held, folder, False

    def look(self) -> None:
        """Open the page's pictures and events, when its address is known."""
        said = "".join(path.read_text(errors="replace") for path in self._folder.glob("temporary-*.err"))
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        if found is None or self._looks:
            return
        self._looks = True
        for path in ("/picture", "/events"):
            with suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", int(found[1])), 5)
                self._held.enter_context(connection)
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{found[1]}\r\n\r\n".encode())


class Sessions:
    """Sessions of a video in real time.

    - `victim`: a word of the process that gets the signal; None: the command itself, or its process group.
    """

    def __init__(self, folder: Path, victim: str | None = None) -> None:
        """`folder`: for the videos and the undisturbed session."""
        self._video, self._victim = drawn_video(folder / "colours.mp4"), victim
        self._longer = drawn_video(folder / "longer.mp4", LONGER_S - SECONDS + 1)
        os.environ["ACTIONBENCH_HOME"] = str(folder / "home")
        begin = time.monotonic()
        (self._whole,) = self._at_once(folder / "whole", folder)
        self._length_s = SECONDS + time.monotonic() - begin

    def _at_once(self, out: Path, folder: Path) -> list[list[Told]]:
        out.mkdir(exist_ok=True)
        found = ended([*COMMAND, *words_of(self._video, out, "--as-fast-as-possible")], folder)
        assert found.status == 0, found.errors
        for path in videos(out):
            assert frames(path), f"{path.name} has no frames"
        return told(out / "events.jsonl", whole=False)

    def __call__(self, folder: Path, draw: Random, number: signal.Signals) -> str:
        """See `Disturb`."""
        out = folder / "out"
        out.mkdir()
        # Any moment of a session that ends by itself or, three times of four, one of a longer session once it
        # has begun: a network takes a while to load.
        longer = draw.random() < 0.75
        moment = after(draw.uniform(0, self._length_s))
        if longer:
            moment = after_it((out / "events.jsonl").exists, draw.uniform(0, SECONDS))
        to = Victim(self._victim) if self._victim else draw.choice(get_args(To))
        with ExitStack() as held:
            viewer = Viewer(held, folder)

            def wait(running: Callable[[], bool]) -> None:
                def still() -> bool:
                    viewer.look()
                    return running()

                moment(still)

            command = [*COMMAND, *words_of(self._longer if longer else self._video, out, "--web", "0")]
            found = ended(command, folder, number, wait, to)
        sessions = told(out / "events.jsonl", whole=self._victim is None)
        begun = bool(sessions)
        if self._victim is None:
            # The command is told that a session has begun at the same time as its files are made.
            recognised = begun and bool(sessions[0])
            allowed = {0, -number} if number == signal.SIGKILL or not recognised else {0}
            allowed |= set() if recognised else {130}
            # One that ends before its first frame leaves no video.
            if found.status == 0 and longer and (video := out / "video.mp4").exists():
                assert frames(video)[-1] < LONGER_S - 1, "the signal was ignored"
        else:
            # A longer one has its network until the signal comes.
            assert found.sent or not longer, "the process of the network was not found"
            allowed = {2} if longer else {0, 2}
            assert found.status == 0 or CAUSE in found.errors, found.errors
        assert found.status in allowed, f"exit status {found.status}: {found.errors}"
        for path in videos(out):
            if self._victim is not None and path.stat().st_size == 0:
                continue  # a video is made before its first frame comes
            assert path.stat().st_size > 0, f"{path.name} is empty"
            assert frames(path), f"{path.name} has no frame"
        assert list(out.rglob("*.tmp")) == []
        if draw.random() < AGAIN:
            again = self._at_once(out, folder)
            assert again[: len(sessions)] == sessions, "events of the first session were lost"
            assert again[len(sessions) :] == [self._whole], f"{again[-1]} in place of {self._whole}"
        if not found.sent:
            return "no such process"
        return "nothing" if not begun else "recognising" if sessions[0] else "begun"


def ways(folder: Path) -> Iterator[Way]:
    """Signals to the command, then SIGKILL to the process of the network."""
    for words, victim, signals in (
        ("a live session", None, tuple(SIGNALS)),
        ("a session's network", WORKER, ("KILL",)),
    ):
        yield words, Sessions(folder / words, victim), signals
