"""Workers as forks of one process that has imported what each of them imports.

Importing is nearly all that a worker of a small network does: a third of a second, hundreds of times in a run
of the tests. A fork is one that has done so. Tests of how a process starts and ends call the command line as
a process, whose workers are started as a user's are.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import pytest

from actionbench.bench.worker import supervisor
from actionbench.child_process import Child

WORKER = "actionbench.bench.worker.process"
IMPORTED = (WORKER, "actionbench.bench.worker.live", "actionbench.datasets.video.reader")


@contextlib.contextmanager
def forked_workers() -> Iterator[None]:
    """Workers of this interpreter are forks, while the block runs; on Linux, where libraries allow that."""
    if sys.platform != "linux":
        yield
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    theirs.close()

    def start(command: list[str], *, env: Mapping[str, str], stderr: IO[bytes]) -> Child:
        if command != [sys.executable, "-m", WORKER]:
            return Child(command, env=env, stderr=stderr)
        return ForkedChild(ours, env, stderr)

    with ours, pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor, "Child", start)
        yield
    server.wait()


class Forked:
    """A worker as `Child` uses a `subprocess.Popen`."""

    def __init__(self, server: socket.socket, env: Mapping[str, str], stderr: IO[bytes]) -> None:
        (stdin, given), (taken, stdout), (told, tells) = os.pipe(), os.pipe(), os.pipe()
        message = json.dumps([str(Path.cwd()), dict(env)]).encode()
        socket.send_fds(server, [message], [stdin, stdout, stderr.fileno(), tells])
        for fd in (stdin, stdout, tells):
            os.close(fd)
        self.stdin, self.stdout = os.fdopen(given, "wb"), os.fdopen(taken, "rb")
        self._told = os.fdopen(told)
        self.pid = int(self._told.readline())
        self._status: int | None = None

    def wait(self) -> int:
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(int(self._told.readline()))
            self._told.close()
        return self._status


class ForkedChild(Child):
    """A worker that the server has forked."""

    def __init__(self, server: socket.socket, env: Mapping[str, str], stderr: IO[bytes]) -> None:
        self._process = Forked(server, env, stderr)  # type: ignore[assignment]
        self._guard = contextlib.ExitStack()
        self._lines = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()


def serve(server: socket.socket) -> None:
    """Fork a worker for each message until the tests have ended; return in the workers."""
    keepers: set[int] = set()
    while True:
        message, fds, _, _ = socket.recv_fds(server, 1 << 20, 4)
        keepers -= {keeper for keeper in keepers if os.waitpid(keeper, os.WNOHANG)[0]}
        if not message:
            os._exit(0)
        keeper = os.fork()
        if not keeper:
            server.close()
            folder, env = json.loads(message)
            keep(folder, env, fds)
            return
        keepers.add(keeper)
        for fd in fds:
            os.close(fd)


def keep(folder: str, env: dict[str, str], fds: list[int]) -> None:
    """Fork the worker, tell its id and, when it has ended, its status; return in the worker.

    - `folder`, `env`: its working folder and its environment variables.
    - `fds`: its three standard streams, and a pipe for what is told.
    """
    *streams, told = fds
    worker = os.fork()
    if not worker:
        os.close(told)
        os.setsid()
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
            os.close(fd)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(env)
        return
    for fd in streams:
        os.close(fd)
    with os.fdopen(told, "w") as tells:
        print(worker, file=tells, flush=True)
        print(os.waitpid(worker, 0)[1], file=tells)
    os._exit(0)


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    serve(socket.socket(fileno=int(sys.argv[1])))
    importlib.import_module(WORKER).main()
