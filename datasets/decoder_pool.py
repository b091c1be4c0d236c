"""Decoding in child processes with a time limit: a file that makes a decoder hang or crash costs one clip.

A child serves one clip after another and is replaced when it had to be killed.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, TypeVar

from ..child_process import Child, how_it_ended
from ..errors import ClipError, UsageError
from ..parsing import parse_json
from ..typed_values import typed
from .clip import Clip

Task = Literal["check", "look", "frame times", "write"]
"""What a child can be asked for; see `work_of`."""

Item = TypeVar("Item")
T = TypeVar("T")

_ERRORS = {each.__name__: each for each in (ClipError, UsageError)}


@dataclass(frozen=True, slots=True)
class Request:
    """`target`: the file that the task writes, if it does."""

    task: Task
    clip: Clip
    target: Path | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """- `result`: the task's dataclass, as plain values.
    - `error`: arguments of the error in its place. `kind`: its class, one of `_ERRORS`.
    """

    result: Any = None
    error: dict[str, Any] | None = None
    kind: str = ClipError.__name__


class DecoderPool:
    """Child processes that decode clips. A context manager; they end with it, or when this process dies.

    - `timeout_s`: seconds for one clip. `workers`: number of child processes, which start when needed.
    """

    def __init__(self, *, timeout_s: float = 60, workers: int = 1) -> None:
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="decode")
        self._children = [_Child() for _ in range(workers)]
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        for child in self._children:
            self._idle.put(child)

    def ask(self, task: Task, clip: Clip, kind: type[T], target: Path | None = None) -> T:
        """What a task gives for a clip; from any thread, waiting until a child is idle.

        - `kind`: the dataclass that the task's function returns. `target`: the file that the task writes.

        Raises ClipError or UsageError as that function does, ClipError if decoding crashes or does not end in
        time.
        """
        child = self._idle.get()
        try:
            reply = child.ask(Request(task, clip, target), self._timeout_s)
        finally:
            self._idle.put(child)
        if reply.error is not None:
            raise _ERRORS[reply.kind](**reply.error)
        return typed(kind, reply.result)

    def map(self, function: Callable[[Item], T], items: Sequence[Item]) -> Iterator[T]:
        """`function`, which calls `ask`, of each item, in their order, several at a time."""
        return self._threads.map(function, items)

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

    def ask(self, request: Request, timeout_s: float) -> Reply:
        if self._process is None:
            self._process = Child(
                [sys.executable, "-m", "actionbench.datasets.decoder_pool"],
                env=os.environ | {"PYTHONSAFEPATH": "1"},
            )
        self._process.send(_to_json(request))
        where = str(request.clip.path)
        try:
            reply = self._process.line(timeout_s)
        except TimeoutError:
            self.end()
            return Reply(error={"what": f"decoding did not end within {timeout_s:g} s", "where": where})
        if reply is not None and reply.endswith(b"\n"):
            return typed(Reply, parse_json(reply))
        status = self._process.wait()
        self.end()
        return Reply(error={"what": f"decoding failed: {how_it_ended(status)}", "where": where})

    def interrupt(self) -> None:
        """Kill the process, from any thread; an `ask` that waits for it returns."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill the process and clean up; the next clip gets a new one."""
        if self._process is not None:
            self._process.close()
            self._process = None


def _to_json(what: Request | Reply) -> bytes:
    """A line; paths and fractions are texts in it."""
    return json.dumps(asdict(what), default=str).encode() + b"\n"


def work_of(task: Task, target: Path | None = None) -> Callable[[Clip], Any]:
    """The function that does a task: it decodes a clip in this process and returns a dataclass.

    - `target`: the file that the task "write" writes.
    """
    # Imported here, because these files use the pool.
    if task == "check":
        from .check import examine

        return examine
    if task == "look":
        from .composed.appearance import look

        return look
    if task == "write":
        from .decoded import write_decoded

        assert target is not None  # as whoever asks for it sees to it
        return partial(write_decoded, path=target)
    from .annotations.cutting import frame_times

    return frame_times


def _answer(request: Request) -> Reply:
    try:
        return Reply(work_of(request.task, request.target)(request.clip))
    except (ClipError, UsageError) as error:
        fields = ("what", "where", "expected", "found", "remedy")
        return Reply(error={name: getattr(error, name) for name in fields}, kind=type(error).__name__)
    except MemoryError:
        return Reply(error={"what": "not enough memory to decode it", "where": str(request.clip.path)})


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """A child's work: one line of JSON in, one out, until the parent closes `requests` or dies."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def receive() -> None:
        for line in requests:
            waiting.put(line)
        os._exit(0)  # at once: the other thread may be in a decoder that hangs

    threading.Thread(target=receive, daemon=True).start()
    while True:
        replies.write(_to_json(_answer(typed(Request, parse_json(waiting.get())))))
        replies.flush()


if __name__ == "__main__":
    own_stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library may print is not a reply
    serve(sys.stdin.buffer, own_stdout)
