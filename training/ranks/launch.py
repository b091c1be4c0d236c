"""The processes of a training on one machine: started as torchrun does it, watched, and ended together.

Not by Lightning's own launcher, which runs the user's script or notebook anew in every process, and ends the
first one with a signal where another has died.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import torch

from ...child_process import Child, how_it_ended, last_lines
from ...errors import MeasurementError
from ..reporting import Progress, Reporter
from ..result import resume_command
from .events import Advanced, Begun, Done, Event, Failed, Finished, Noted, Said, read_event

LOOPBACK = "127.0.0.1"

_SETTLE_S = 2.0
"""Seconds after the first end of a process in which another may say what is wrong."""


def launch(folder: Path, count: int, reporter: Reporter) -> None:
    """Carry out, or continue, the training in `folder` by `count` processes of this machine.

    Raises what one of them raises, and MeasurementError if one dies; the others are then ended. They end with
    this process, too, however it ends.
    """
    with ExitStack() as running:
        store = _store()
        # In the order of their ranks. Files: what they print, which is shown if they die.
        logs = [running.enter_context(tempfile.TemporaryFile()) for _ in range(count)]
        ranks = [
            running.enter_context(_start(folder, rank, count, store.port, log))
            for rank, log in enumerate(logs)
        ]
        events: queue.SimpleQueue[tuple[int, Event | None]] = queue.SimpleQueue()
        for rank, child in enumerate(ranks):
            threading.Thread(target=_forward, args=(rank, child, events), daemon=True).start()
        _watch(folder, ranks, logs, events, reporter)


def _store() -> Any:
    """Where the processes find each other; reached from this machine alone."""
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    return torch.distributed.TCPStore(  # type: ignore[attr-defined]
        LOOPBACK, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
    )


def _start(folder: Path, rank: int, count: int, port: int, log: IO[bytes]) -> Child:
    """A process, which torch and Lightning take for one of torchrun's."""
    environment = os.environ | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": LOOPBACK,
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": str(True),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the machine's name need not have an address
    command = [sys.executable, "-m", "actionbench.training.ranks.process", str(folder)]
    return Child(command, env=environment, stderr=log)


def _forward(rank: int, child: Child, events: queue.SimpleQueue[tuple[int, Event | None]]) -> None:
    """Put a process's events into the queue, and None when it has ended."""
    while (line := child.line(threading.TIMEOUT_MAX)) is not None:
        try:
            events.put((rank, read_event(line)))
        except ValueError:
            child.kill()  # it has been, if the line is torn; else it is of another version
            break
    events.put((rank, None))


def _watch(
    folder: Path,
    ranks: list[Child],
    logs: Sequence[IO[bytes]],
    events: queue.SimpleQueue[tuple[int, Event | None]],
    reporter: Reporter,
) -> None:
    """Report what the first process reports, until all are done."""
    done: set[int] = set()
    with ExitStack() as task:
        progress: Progress | None = None
        while len(done) < len(ranks):
            rank, event = events.get()
            match event:
                case Said(text):
                    reporter.say(text)
                case Begun(title, total):
                    progress = task.enter_context(reporter.task(title, total))
                case Advanced(note) if progress is not None:
                    progress.advance(note)
                case Noted(text) if progress is not None:
                    progress.note(text)
                case Finished():
                    task.close()
                case Failed():
                    raise event.raised()
                case Done():
                    done.add(rank)
                case None if rank not in done:
                    raise _cause(folder, ranks, logs, rank, events)


def _cause(
    folder: Path,
    ranks: list[Child],
    logs: Sequence[IO[bytes]],
    ended: int,
    events: queue.SimpleQueue[tuple[int, Event | None]],
) -> Exception:
    """Why the training cannot go on, when the process `ended` has ended.

    It may have lost its connection with another one, which says what was wrong, or was killed.
    """
    dead, until = [ended], time.monotonic() + _SETTLE_S
    while (left := until - time.monotonic()) > 0:
        try:
            rank, event = events.get(timeout=left)
        except queue.Empty:
            break
        if isinstance(event, Failed):
            return event.raised()
        if event is None:
            dead.append(rank)
    rank = min(dead, key=lambda each: ranks[each].wait())  # a signal's status is negative
    logs[rank].seek(0)
    return MeasurementError(
        f"process {rank} of {len(ranks)} {how_it_ended(ranks[rank].wait())}; its last lines:\n"
        f"{last_lines(logs[rank].read())}",
        where=folder,
        remedy=f"Continue with: {resume_command(folder)}",
    )
