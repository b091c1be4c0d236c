"""`make faults`: commands that are killed, or told to end, at random moments, and then continued.

Each has the same result afterwards as one that nothing has happened to, bit for bit.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from actionbench.home import home

from .processes import SIGNALS
from .subjects import NOTHING, SUBJECTS, Subject


def disturbed(subject: Subject, out: Path, moment_s: float, number: signal.Signals) -> tuple[str, float]:
    """A command that gets a signal at a moment, in seconds from its start, and is then continued to its end.

    The stage in which the signal came, and the seconds that the rest took. Raises AssertionError where an
    exit status is not what is promised.
    """
    errors = out.with_name("errors")
    process = subject.start(subject.begin(out), errors)
    time.sleep(moment_s)
    process.send(number)
    status, said = process.end(), errors.read_text()
    seen = subject.stage(out)
    allowed = {0, -number} if number == signal.SIGKILL else {0, 130}
    if seen == NOTHING:  # Python has to start before it can treat a signal
        allowed.add(-number)
    if not said.startswith("Fatal Python error: init_"):  # by an interrupt in its first 50 ms
        assert status in allowed, f"exit status {status}: {said}"
        assert "Traceback" not in said, said
    return seen, undisturbed(subject, subject.begin(out) if seen == NOTHING else subject.go_on(out), errors)


def undisturbed(subject: Subject, words: list[str], errors: Path) -> float:
    """A command that nothing happens to; its seconds. Raises AssertionError where it fails."""
    begin = time.monotonic()
    assert subject.start(words, errors).end() == 0, errors.read_text()
    return time.monotonic() - begin


def whole(subject: Subject, out: Path) -> tuple[Mapping[str, object], float]:
    """The answers of a command that nothing happens to, and its seconds."""
    clear(out)
    length_s = undisturbed(subject, subject.begin(out), out.with_name("errors"))
    return subject.answers(out), length_s


def clear(out: Path) -> None:
    """Remove a result, and what was kept to be computed once."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(home(), ignore_errors=True)


def assert_same(found: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Raise AssertionError, with the names of what differs, if the two are not the same."""
    differ = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    assert not differ, f"not as in the undisturbed one: {', '.join(differ)}"


def campaign(name: str, folder: Path, signals: Sequence[str], count: int, seed: int) -> int:
    """Disturb the subject `name`, whose data and results lie in `folder`; how often that went wrong.

    The result of each that did stays in the folder, named by the signal and the number.
    """
    subject, out = SUBJECTS[name](folder / "data"), folder / "out"
    expected, _ = whole(subject, out)
    again, length_s = whole(subject, out)  # of the first, also the server of forks had to start
    assert_same(again, expected)
    failures = 0
    for each in signals:
        draw, seen = Random(f"{seed} {name} {each}"), Counter[str]()
        for number in range(count):
            clear(out)
            moment_s = draw.uniform(0, length_s)
            try:
                stage, rest_s = disturbed(subject, out, moment_s, SIGNALS[each])
                seen[stage] += 1
                if stage == NOTHING:  # the rest was all of it; it takes longer where others use the machine
                    length_s = rest_s
                assert_same(subject.answers(out), expected)
            except AssertionError as error:
                failures += 1
                print(f"{name}, SIG{each} after {moment_s:.2f} s, number {number}: {error}", flush=True)
                if out.exists():
                    shutil.move(out, folder / f"SIG{each}-{number}")
        stages = ", ".join(f"{stage} {times}" for stage, times in sorted(seen.items()))
        print(f"{name}, SIG{each}: {count}, last of {length_s:.1f} s; it came in: {stages}", flush=True)
    return failures


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the campaign; its exit code, 1 where a result differs."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="of each signal, for each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", nargs="+", default=list(SIGNALS), choices=list(SIGNALS))
    parser.add_argument("--subjects", nargs="+", default=list(SUBJECTS), choices=list(SUBJECTS))
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    os.environ["ACTIONBENCH_HOME"] = str(folder / "home")
    failures = sum(
        campaign(name, folder / name, given.signals, given.count, given.seed) for name in given.subjects
    )
    print(f"{failures} failures" + (f"; their results: {folder}" if failures else ""))
    if not failures:
        shutil.rmtree(folder)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
