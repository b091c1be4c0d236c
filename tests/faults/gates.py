"""`bench gate` that gets a signal at a random moment of a stage, and is then continued.

Pairs that were measured are kept, the verdict is made of whole pairs, and the repository is as it was.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, get_args

from actionbench.records.gate_directory import GATE, SLOTS, GateDirectory

from .processes import SIGNALS, To
from .signals import Ended, Moments, Wait, Way, ended

PAIRS = 6

STAGES = ("start", "check-out", "environment", "warm-up", "pairs", "verdict")
"""When a signal comes: at a random moment from the beginning of one of them on."""

DRIVER = """
import os
from actionbench.__main__ import _on_interrupt, main

_on_interrupt(lambda *_: os._exit(130))  # as `main` does before it imports
from actionbench.bench.gate import runner

class Control:
    describe = lambda self: "made up"
    __call__ = once = lambda self: 1.0

runner.Control = Control
main()
"""
"""`bench`, whose gates have a control workload that takes no time."""

DRIVEN = [sys.executable, "-c", DRIVER]

WORK = """
import os, sys, time
from pathlib import Path
seconds = float(Path("seconds").read_text())
facts = '{"stages_s": {"flow": %r, "forward": %r}}' % (seconds, 1.0)
if "ACTIONBENCH_TURNS" in os.environ and "turns" in sys.argv:
    print('{"ready": {"load_s": 0.5}}', flush=True)
    for line in sys.stdin:
        time.sleep(0.005)
        print(facts, flush=True)
else:
    time.sleep(0.05)
    print(facts)
"""
"""Work of an arm, which reports made-up times."""

SETUP = {
    "setup.cfg": "[metadata]\nname = mine\nversion = 1\n[options]\npy_modules = mine\n",
    "setup.py": "from setuptools import setup\nsetup()\n",
    "mine.py": "",
}
"""Files by which pip installs the arm."""


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    identity = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    words = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def repository(folder: Path, *, installed: bool) -> Path:
    """A repository of two commits, the second of which is slower, and some hundred files.

    - `installed`: pip installs it into the environment of an arm, which takes a second.
    """
    files = {"work.py": WORK, **(SETUP if installed else {})}
    files |= {f"data/{n}.txt": f"{n}\n" * 1000 for n in range(300)}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for seconds in (1.0, 1.5):
        (folder / "seconds").write_text(str(seconds))
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", f"takes {seconds} s")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Path → bytes of every file, those of git among them."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def words_of(repository: Path, out: Path, turns: bool, *more: object) -> list[str]:
    """The words of a gate of the two commits."""
    work = shlex.join(["python", "-S", "-E", "work.py", *(["turns"] if turns else [])])
    return [
        *("gate", "--repository", str(repository), "--base", "git:main^", "--candidate", "git:main"),
        *("--command", work, "--packages", "shared", "--pairs", str(PAIRS), "--max-pairs", str(PAIRS)),
        *("--pair-seconds", "0.001", "--out", str(out), *map(str, more)),
    ]


def pairs(out: Path) -> dict[int, list[dict[str, Any]]]:
    """Number of each complete pair → its records."""
    found: dict[int, list[dict[str, Any]]] = {}
    if (out / SLOTS).exists():
        for line in (out / SLOTS).read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                record = json.loads(line)
                found.setdefault(record["pair"], []).append(record)
    return {n: each for n, each in found.items() if each[0]["kind"] == "pair" or len(each) >= 2}


def _reached(stage: str, home: Path, out: Path) -> bool:
    """Whether a stage of a gate has begun. `home`: ACTIONBENCH_HOME."""
    trees = {"check-out": "gate/*/base", "environment": "gate/*/base/environment"}
    if stage in trees:
        return any(home.glob(trees[stage]))
    if stage == "warm-up":
        return (out / GATE).exists()
    return stage == "start" or len(pairs(out)) >= (1 if stage == "pairs" else PAIRS)


def _stage(folder: Path) -> int:
    """Number, in `STAGES`, of the one that the gate in a folder is in."""
    return max(n for n, stage in enumerate(STAGES) if _reached(stage, folder / "home", folder / "gate"))


class Gates:
    """Gates of two commits, checked out and installed anew each. `installed`, `turns`: see above."""

    def __init__(self, folder: Path, *, installed: bool, turns: bool) -> None:
        """`folder`: for the repository and the undisturbed gate."""
        self._repository, self._turns = repository(folder / "mine", installed=installed), turns
        self._files = files(self._repository)
        os.environ["ACTIONBENCH_HOME"] = str(folder / "home")
        self._folder = folder
        self._moments = Moments(lambda: _stage(self._folder))
        words = words_of(self._repository, folder / "gate", turns)
        self._whole = self._verdict(folder, words, self._moments.measure)

    @staticmethod
    def _verdict(folder: Path, words: list[str], wait: Wait = lambda _: None) -> dict[str, Any]:
        result = folder / "result.json"
        found = ended([*DRIVEN, *words, "--json", result], folder, wait=wait)
        assert found.status == 3, f"exit status {found.status}: {found.errors}"
        facts = json.loads(result.read_text())
        kept = ("verdict", "pairs", "pairs_in_turns", "turns")
        return {each: facts[each] for each in kept} | {"moved": facts["moved"]["command"]["stage"]}

    def __call__(self, folder: Path, draw: Random, number: signal.Signals) -> str:
        """See `Disturb`."""
        home, out, result = folder / "home", folder / "gate", folder / "result.json"
        os.environ["ACTIONBENCH_HOME"] = str(home)
        self._folder = folder
        words = words_of(self._repository, out, self._turns)

        def done() -> bool:
            return (out / GATE).exists() and GateDirectory(out).gate.state == "done"

        moment, to = self._moments.drawn(draw), draw.choice(get_args(To))
        found = ended([*DRIVEN, *words, "--json", result], folder, number, moment, to, done)
        stage = STAGES[_stage(folder)]
        found.assert_not_ignored()
        self._check(found, number, home.exists())
        assert found.status == 3 or number == signal.SIGKILL or not result.exists(), "a result of a part"
        if result.exists():
            json.loads(result.read_text())
        kept = pairs(out)
        begun = (out / GATE).exists()
        verdict = self._verdict(folder, ["gate", "--resume", str(out)] if begun else words)
        assert verdict == self._whole, f"{verdict} in place of {self._whole}"
        now = pairs(out)
        assert sorted(now) == list(range(PAIRS))
        assert all(now[n] == records for n, records in kept.items()), "a pair was measured again"
        assert list(out.rglob("*.tmp")) == list(home.rglob("*.tmp")) == []
        assert GateDirectory(out).gate.state == "done"
        self._assert_as_it_was(home)
        return stage if found.status != 3 else "ended"

    @staticmethod
    def _check(found: Ended, number: signal.Signals, begun: bool) -> None:
        allowed = {3, -number} if number == signal.SIGKILL else {3, 130}
        if not begun:  # Python has to start before it can treat a signal
            allowed.add(-number)
        assert found.status in allowed, f"exit status {found.status}: {found.errors}"

    def _assert_as_it_was(self, home: Path) -> None:
        """Nothing was written to the repository, and the check-outs are whole."""
        assert files(self._repository) == self._files
        for arm in ("base", "candidate"):
            (tree,) = home.glob(f"gate/*/{arm}/tree")
            assert git(tree, "status", "--porcelain", "--untracked-files=no") == ""


def ways(folder: Path) -> Iterator[Way]:
    """In turns and slot after slot, with and without pip."""
    for turns, installed in ((True, False), (False, True)):
        what = "a gate in turns" if turns else "a gate slot after slot, of what pip installs"
        yield what, Gates(folder / f"turns-{turns}", installed=installed, turns=turns), tuple(SIGNALS)
