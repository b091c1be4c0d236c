"""Processes of their own for the sides of a bar: each is loaded and warm, and works when it is asked to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest

from actionbench.bench.worker.supervisor import worker_environment

_PRELUDE = """
import json, sys, time

def serve(**calls):
    "Warm up, then make the call that a line of input names and answer with its seconds."
    def timed(call):
        wall, cpu = time.perf_counter(), time.process_time()
        given = call()
        own = {} if given is None else {"given": given}
        return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu} | own
    for call in calls.values():
        call()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(timed(calls[line.strip()])), flush=True)
"""

Ask = Callable[..., float]
"""(name of a call, clock) → its seconds by that clock: "wall", "cpu", or what it has "given" itself."""


@contextmanager
def served(
    script: str, *arguments: object, cores: Collection[int] | None = None, keep_memory: bool = False
) -> Iterator[Ask]:
    """A fresh process that makes the calls which `script` passes to `serve(name=call)`, when it is asked to.

    - `script`: Python text; ends with `serve`.
    - `arguments`: its `sys.argv[1:]`.
    - `cores`: that the process may use; None for all. One thread a library, unless `script` says otherwise.
    - `keep_memory`: see `worker_environment`.
    """
    command = [sys.executable, "-c", _PRELUDE + script, *map(str, arguments)]
    environment = worker_environment(1, keep_memory)
    allowed = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=allowed
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                pytest.fail(f"did not start: {' '.join(map(str, arguments))}")
            stdin, stdout = process.stdin, process.stdout

            def ask(name: str, clock: str) -> float:
                stdin.write(f"{name}\n")
                stdin.flush()
                return float(json.loads(stdout.readline())[clock])

            yield ask
        finally:
            process.kill()
