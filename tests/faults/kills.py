"""`make faults`: runs that are killed, or told to end, at random moments, and then resumed.

Each has the same answers afterwards as a run that nothing has happened to, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np

from actionbench.datasets.sources.folder import load_folder
from actionbench.datasets.sources.manifest import write_manifest
from actionbench.records.run_directory import RUN

from ..bench.conftest import write_video
from .runs import answers, assert_whole, words_of

COMMAND = [sys.executable, "-m", "actionbench"]
SIGNALS = {name: getattr(signal, f"SIG{name}") for name in ("KILL", "INT", "TERM", "HUP")}


def drawn_set(folder: Path) -> Path:
    """The manifest of twelve clips of one colour each."""
    for number in range(12):
        write_video(folder / "jogging" / f"{number}.mp4", np.array([number, 4, 5]) / 12)
    write_manifest(folder / "clips.csv", load_folder(str(folder), vocabulary=()))
    return folder / "clips.csv"


def disturbed(data: Path, out: Path, moment_s: float, number: signal.Signals) -> str:
    """A run that gets a signal at a moment, in seconds from its start, and is then continued to its end.

    What had happened by then: "nothing", "begun", "predicting", "timing", or "ended". Raises AssertionError
    where an exit status is not what is promised.
    """
    process = subprocess.Popen(
        [*COMMAND, *words_of(data, out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # As in a terminal, wherever the campaign runs.
        preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in SIGNALS.values() if each != 9],
    )
    time.sleep(moment_s)
    process.send_signal(number)
    _, errors = process.communicate(timeout=600)
    seen = _state(out)
    allowed = {0, -number} if number == signal.SIGKILL else {0, 130}
    if seen == "nothing":  # Python has to start before it can treat a signal
        allowed.add(-number)
    assert process.returncode in allowed, f"exit status {process.returncode}: {errors.decode()}"
    assert b"Traceback" not in errors, errors.decode()
    rest = ["run", "--resume", str(out)] if seen != "nothing" else words_of(data, out)
    ended = subprocess.run([*COMMAND, *rest], capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    return seen


def _state(out: Path) -> str:
    if not (out / RUN).is_file():
        return "nothing"
    if (out / "latency.jsonl").is_file():
        return "ended" if b'"done"' in (out / RUN).read_bytes() else "timing"
    clips = out / "clips.jsonl"
    return "predicting" if clips.is_file() and clips.stat().st_size else "begun"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign; its exit code, 1 where a result differs."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="runs that are disturbed, for each signal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", nargs="+", default=["KILL"], choices=list(SIGNALS))
    given = parser.parse_args(arguments)
    draw = Random(given.seed)
    failures = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        os.environ["ACTIONBENCH_HOME"] = str(folder / "home")
        data = drawn_set(folder / "videos")
        begin = time.monotonic()
        subprocess.run([*COMMAND, *words_of(data, folder / "whole")], check=True, capture_output=True)
        length_s = time.monotonic() - begin
        expected = answers(folder / "whole")
        for each in given.signals:
            seen: Counter[str] = Counter()
            for number in range(given.count):
                out = folder / "run"
                moment_s = draw.uniform(0, length_s)
                try:
                    seen[disturbed(data, out, moment_s, SIGNALS[each])] += 1
                    assert answers(out) == expected, "other answers than those of the undisturbed run"
                    assert_whole(out)
                except AssertionError as error:
                    failures += 1
                    print(f"SIG{each} after {moment_s:.2f} s, run {number}: {error}", flush=True)
                shutil.rmtree(out, ignore_errors=True)
            print(
                f"SIG{each}: {given.count} runs of {length_s:.1f} s; when it came: {dict(seen)}", flush=True
            )
    print(f"{failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
