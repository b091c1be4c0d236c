"""Decoding every clip of a set once, to say which can be used.

Each clip is decoded in a child process with a time limit, so that a file that makes a decoder hang or crash
costs one clip. A child serves one clip after another and is replaced when it had to be killed.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self, TextIO

from ..errors import ClipError
from ..parsing import parse_json
from .clip import Clip, ClipSet, require_file
from .sources.arrays import read_inputs
from .sources.manifest import file_digest, verify
from .video.reader import read_frames

State = Literal["ok", "broken", "missing", "too short", "duplicate"]


@dataclass(frozen=True, slots=True)
class ClipStatus:
    """What decoding a clip showed.

    - `frames`, `size` (width, height), `duration_s`: as decoded; `rate`: native, frames a second. The last
      two are None for network input that was preprocessed before.
    - `sha256`: of the file. `reason`: why the state is not "ok". `notes`: oddities that did no harm.
    """

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
            answer = child.ask(clip, self._timeout_s)
        finally:
            self._idle.put(child)
        rate, size = answer.get("rate"), answer.get("size")
        status = ClipStatus(
            clip,
            "broken" if answer.get("reason") else "ok",
            answer.get("frames", 0),
            (size[0], size[1]) if size else None,
            Fraction(rate) if rate else None,
            answer.get("duration_s"),
            answer.get("sha256"),
            answer.get("reason"),
            tuple(answer.get("notes", ())),
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
        self._process: subprocess.Popen[str] | None = None

    def ask(self, clip: Clip, timeout_s: float) -> dict[str, Any]:
        """The child's findings on a clip, or only the `reason` why there are none."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.kill()

        watchdog = threading.Timer(timeout_s, expire)
        watchdog.start()
        try:
            process.stdin.write(json.dumps(asdict(clip) | {"path": os.fspath(clip.path)}) + "\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        finally:
            watchdog.cancel()
        if reply.endswith("\n"):
            answer: dict[str, Any] = parse_json(reply)
            return answer
        self.end()
        if expired.is_set():
            return {"reason": f"decoding did not end within {timeout_s:g} s"}
        return {"reason": f"decoding crashed (exit code {process.returncode})"}

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "actionbench.datasets.check"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env=os.environ | {"PYTHONSAFEPATH": "1"},
        )
        return self._process

    def interrupt(self) -> None:
        """Kill the process, from any thread; an `ask` that waits for it returns."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill the process and clean up; the next clip gets a new one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def serve(requests: TextIO, replies: TextIO) -> None:
    """A child's work: one line of JSON in, one out, until the parent closes `requests` or dies."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def receive() -> None:
        for line in requests:
            waiting.put(line)
        os._exit(0)  # at once: the other thread may be in a decoder that hangs

    threading.Thread(target=receive, daemon=True).start()
    while True:
        fields = parse_json(waiting.get())
        findings = examine(Clip(**fields | {"path": Path(fields["path"])}))
        replies.write(json.dumps(findings) + "\n")
        replies.flush()


def examine(clip: Clip) -> dict[str, Any]:
    """Decode the clip in this process: fields of `ClipStatus`, as far as it got, in types JSON knows."""
    findings: dict[str, Any] = {}
    try:
        findings["sha256"] = file_digest(clip.path)
        verify(clip)
        inputs = read_inputs(clip)
        if inputs is not None:
            array = next(iter(inputs.values()))
            return findings | {"frames": len(array), "size": (array.shape[2], array.shape[1])}
        with closing(read_frames(clip)) as reader:
            findings["rate"] = str(reader.native_rate)
            for frame in reader:
                findings["size"] = (frame.shape[1], frame.shape[0])
        findings |= {"frames": reader.frames, "duration_s": reader.video_s, "notes": reader.notes}
    except ClipError as error:
        findings["reason"] = str(error)
    except MemoryError:
        findings["reason"] = "not enough memory to decode it"
    return findings


if __name__ == "__main__":
    own_stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library may print is not a reply
    serve(sys.stdin, own_stdout)
