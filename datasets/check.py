"""Decoding every clip of a set once, to say which can be used.

Each clip is decoded in a child process with a time limit, so that a file that makes a decoder hang or crash
costs one clip. A child serves one clip after another and is replaced when it had to be killed.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import BinaryIO, Literal, Self

from ..child_process import Child, how_it_ended
from ..errors import ClipError
from ..parsing import parse_json
from ..typed_values import typed
from .clip import Clip, ClipSet, require_file
from .sources.arrays import read_inputs
from .sources.manifest import file_digest, verify
from .video.reader import read_frames

State = Literal["ok", "broken", "missing", "too short", "duplicate"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What decoding a clip showed.

    - `frames`, `size` (width, height), `duration_s`: as decoded; `rate`: native, frames a second. The last
      two are None for network input that was preprocessed before.
    - `sha256`: of the file.
    - `reason`: why it cannot be used, None if it can.
    - `notes`: oddities that did no harm.
    """

    frames: int = 0
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    duration_s: float | None = None
    sha256: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClipStatus:
    """Whether a clip can be used. `reason`: why the state is not "ok". The rest: see `Findings`."""

    clip: Clip
    state: State
    frames: int = 0
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    duration_s: float | None = None
    sha256: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


def check_clips(
    clips: ClipSet, *, min_frames: int = 1, timeout_s: float = 60, workers: int = 1
) -> Iterator[ClipStatus]:
    """The status of each clip, then of each missing one, in the set's order.

    - `min_frames`: with fewer, at the native rate, a clip is "too short".
    - "duplicate": the same stretch of the same bytes as an earlier clip; `reason` names that.
    - `timeout_s`: for one clip. `workers`: child processes.
    """
    first: dict[tuple[str | None, float | None, float | None], str] = {}
    with Checker(min_frames=min_frames, timeout_s=timeout_s, workers=workers) as checker:
        for status in checker.map([*clips.clips, *clips.missing]):
            clip = status.clip
            original = first.setdefault((status.sha256, clip.start_s, clip.end_s), clip.id)
            if status.state in ("ok", "too short") and original != clip.id:
                yield replace(status, state="duplicate", reason=f"same content as {original}")
            else:
                yield status


class Checker:
    """Child processes that decode clips. A context manager; they end with it, or when this process dies."""

    def __init__(self, *, min_frames: int = 1, timeout_s: float = 60, workers: int = 1) -> None:
        self._min_frames = min_frames
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="check")
        self._children = [_Child() for _ in range(workers)]
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        for child in self._children:
            self._idle.put(child)

    def check(self, clip: Clip) -> ClipStatus:
        """Decode one clip. Duplicates are not looked for."""
        try:
            require_file(clip.path)
        except ClipError as error:
            return ClipStatus(clip, "broken" if clip.path.exists() else "missing", reason=str(error))
        child = self._idle.get()
        try:
            found = child.ask(clip, self._timeout_s)
        finally:
            self._idle.put(child)
        status = ClipStatus(
            clip,
            "broken" if found.reason else "ok",
            found.frames,
            found.size,
            found.rate,
            found.duration_s,
            found.sha256,
            found.reason,
            found.notes,
        )
        if status.state == "ok" and status.frames < self._min_frames:
            return replace(
                status,
                state="too short",
                reason=f"{status.frames} frames, at least {self._min_frames} needed",
            )
        return status

    def map(self, clips: list[Clip]) -> Iterator[ClipStatus]:
        """The clips' status, in their order, as they are done."""
        return self._threads.map(self.check, clips)

    def close(self) -> None:
        """End the child processes at once, whatever they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.interrupt()
        self._threads.shutdown()
        for child in self._children:
            child.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Child:
    """One child process, started when it is needed."""

    def __init__(self) -> None:
        self._process: Child | None = None

    def ask(self, clip: Clip, timeout_s: float) -> Findings:
        """The child's findings on a clip, or only the `reason` why there are none."""
        if self._process is None:
            self._process = Child(
                [sys.executable, "-m", "actionbench.datasets.check"],
                env=os.environ | {"PYTHONSAFEPATH": "1"},
            )
        self._process.send(_to_json(clip))
        try:
            reply = self._process.line(timeout_s)
        except TimeoutError:
            self.end()
            return Findings(reason=f"decoding did not end within {timeout_s:g} s")
        if reply is not None and reply.endswith(b"\n"):
            return typed(Findings, parse_json(reply))
        status = self._process.wait()
        self.end()
        return Findings(reason=f"decoding failed: {how_it_ended(status)}")

    def interrupt(self) -> None:
        """Kill the process, from any thread; an `ask` that waits for it returns."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill the process and clean up; the next clip gets a new one."""
        if self._process is not None:
            self._process.close()
            self._process = None


def _to_json(what: Clip | Findings) -> bytes:
    """A line; paths and fractions are texts in it."""
    return json.dumps(asdict(what), default=str).encode() + b"\n"


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """A child's work: one line of JSON in, one out, until the parent closes `requests` or dies."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def receive() -> None:
        for line in requests:
            waiting.put(line)
        os._exit(0)  # at once: the other thread may be in a decoder that hangs

    threading.Thread(target=receive, daemon=True).start()
    while True:
        replies.write(_to_json(examine(typed(Clip, parse_json(waiting.get())))))
        replies.flush()


def examine(clip: Clip) -> Findings:
    """Decode the clip in this process; what was found as far as it got."""
    findings = Findings()
    try:
        findings = replace(findings, sha256=file_digest(clip.path))
        verify(clip)
        inputs = read_inputs(clip)
        if inputs is not None:
            array = next(iter(inputs.values()))
            return replace(findings, frames=len(array), size=(array.shape[2], array.shape[1]))
        with closing(read_frames(clip)) as reader:
            findings = replace(findings, rate=reader.native_rate)
            size = None
            for frame in reader:
                size = (frame.shape[1], frame.shape[0])
        return replace(
            findings, size=size, frames=reader.frames, duration_s=reader.video_s, notes=tuple(reader.notes)
        )
    except ClipError as error:
        return replace(findings, reason=str(error))
    except MemoryError:
        return replace(findings, reason="not enough memory to decode it")


if __name__ == "__main__":
    own_stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library may print is not a reply
    serve(sys.stdin.buffer, own_stdout)
