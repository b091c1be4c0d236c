"""`bench data fetch` that gets a signal at a random moment, and is then continued.

The folder of videos, or the answers of the run, are afterwards those of a fetch that nothing has happened to.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import get_args

import numpy as np

from actionbench.datasets.archives.sets.folder import MANIFEST
from actionbench.datasets.archives.sets.ledger import LEDGER
from actionbench.models.labels import labels
from actionbench.records.run_directory import RUN, RunDirectory

from ..archive_sets import kinetics_files, kinetics_yaml, name_of
from ..bench.conftest import write_video
from ..datasets.archives.server import serving
from . import runs
from .processes import COMMAND, SIGNALS, To
from .runs import NETWORKS, answers
from .signals import Ended, Moments, Wait, Way, ended

PER_CLASS, CLASSES, ARCHIVES = 3, 4, 3


@dataclass(frozen=True)
class Drawn:
    """A set on the loopback.

    - `yaml`: its description. `rate`: of `--limit-rate`, so that a fetch takes seconds.
    - `per_class`: videos of each class that are wanted, which are decoded; None for all, which are not.
    """

    yaml: Path
    rate: str
    per_class: int | None

    def kept(self, out: Path) -> list[str]:
        """The words of a fetch into a folder."""
        return ["data", "fetch", str(self.yaml), *self._wanted(), "--out", str(out)]

    def streamed(self, run: Path) -> list[str]:
        """The words of a run on videos that are not kept."""
        return [
            *("data", "fetch", str(self.yaml), *self._wanted(), "--keep", "none", "--spool", "12kB", "--"),
            *("--models", f"{NETWORKS}:steady", "--weights", f"steady={NETWORKS}", "--out", str(run)),
            *("--threads", "1", "--processes", "1", "--no-report"),
            *("--latency-clips", "1", "--latency-seconds", "0"),
        ]

    def _wanted(self) -> list[str]:
        chosen = [] if self.per_class is None else ["--per-class", str(self.per_class)]
        return [*chosen, "--limit-rate", self.rate]


def contents(folder: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Name of a drawn video → its file, and → its class. One is in no archive, one does not decode."""
    files, classes = {}, {}
    for number in range(CLASSES * (PER_CLASS + 2)):
        index = number % CLASSES
        path = folder / f"{number}.mp4"
        write_video(path, np.array([index, number // CLASSES, 3]) / 8 + 1 / 16, frames=18)
        files[name_of(number)] = path.read_bytes()
        classes[name_of(number)] = labels("kinetics-400")[index]
    del files[name_of(1)]
    files[name_of(2)] = files[name_of(2)][:100]
    return files, classes


@contextmanager
def drawn(
    folder: Path, mode: str, *, rate: str = "8kB", per_class: int | None = PER_CLASS
) -> Iterator[Drawn]:
    """A set, served while the block runs. `mode`: compression of its archives, of tarfile."""
    files, classes = contents(folder / "clips")
    items = list(files.items())
    with serving() as server:
        parts = [dict(items[n::ARCHIVES]) for n in range(ARCHIVES)]
        server.files |= kinetics_files(parts, classes, mode)
        path = folder / "drawn.yaml"
        path.write_text(kinetics_yaml(f"{server.address}/"))
        yield Drawn(path, rate, per_class)


def tree(folder: Path) -> dict[str, bytes | list[bytes]]:
    """What a fetch has made: path → content; of the ledger the lines, in whatever order they came."""
    found: dict[str, bytes | list[bytes]] = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "lock":
            content = path.read_bytes()
            name = str(path.relative_to(folder))
            found[name] = sorted(set(content.splitlines())) if name == "fetched.jsonl" else content
    return found


def run_result(run: Path) -> tuple[object, ...]:
    """What a run on videos that are not kept has come to; raises AssertionError for what is left of them."""
    directory = RunDirectory(run)
    assert directory.run.state == "done"
    assert list(run.rglob("*.mp4")) == []
    assert list(run.rglob("*.tmp")) == []
    data = directory.run.data
    return answers(run), data["digest"], data["missing"], {each.clip for each in directory.latencies()}


def assert_expected(found: Ended, number: signal.Signals, begun: bool) -> None:
    """Assert that the exit status is what is promised. `begun`: something is on the disk."""
    allowed = {0, -number} if number == signal.SIGKILL else {0, 130}
    if not begun:  # Python has to start before it can treat a signal
        allowed.add(-number)
    assert found.status in allowed, f"exit status {found.status}: {found.errors}"


STAGES = ("nothing", "begun", "fetching", "ended")
"""Of a fetch into a folder."""


class Kept:
    """Fetches into a folder: the same command continues."""

    def __init__(self, drawn: Drawn, folder: Path) -> None:
        """`folder`: for the undisturbed one."""
        self._drawn, self._folder = drawn, folder
        self._moments = Moments(self._stage)
        self._said, self._whole = self._fetched(folder, self._moments.measure)

    def _stage(self) -> int:
        """Number, in `STAGES`."""
        out = self._folder / "videos"
        return [True, out.exists(), (out / LEDGER).exists(), (out / MANIFEST).exists()].count(True) - 1

    def _fetched(
        self, folder: Path, wait: Wait = lambda _: None
    ) -> tuple[str, dict[str, bytes | list[bytes]]]:
        """What a fetch that nothing happens to prints, and what it makes."""
        out = folder / "videos"
        found = ended([*COMMAND, *self._drawn.kept(out)], folder, wait=wait)
        assert found.status == 0, found.errors
        return found.output.replace(str(out), "OUT"), tree(out)

    def __call__(self, folder: Path, draw: Random, number: signal.Signals) -> str:
        """See `Disturb`."""
        os.environ["ACTIONBENCH_HOME"] = str(folder / "home")
        self._folder, out = folder, folder / "videos"
        moment, to = self._moments.drawn(draw), draw.choice(get_args(To))
        found = ended([*COMMAND, *self._drawn.kept(out)], folder, number, moment, to, (out / MANIFEST).exists)
        found.assert_not_ignored()
        assert_expected(found, number, out.exists())
        seen = STAGES[self._stage()]
        said, now = self._fetched(folder)
        assert said == self._said, f"{said}\nin place of\n{self._said}"
        different = {
            name for name in now.keys() | self._whole.keys() if now.get(name) != self._whole.get(name)
        }
        assert not different, f"another content than that of the undisturbed fetch: {sorted(different)}"
        return seen


class Streamed:
    """Runs on videos that are not kept: `bench run --resume` continues."""

    def __init__(self, drawn: Drawn, folder: Path) -> None:
        """`folder`: for the undisturbed one."""
        self._drawn, self._run = drawn, folder / "run"
        self._moments = Moments(lambda: runs.STAGES.index(runs.stage(self._run)))
        self._carry_out(drawn.streamed(self._run), folder, self._moments.measure)
        self._whole = run_result(self._run)

    @staticmethod
    def _carry_out(words: list[str], folder: Path, wait: Wait = lambda _: None) -> None:
        found = ended([*COMMAND, *words], folder, wait=wait)
        assert found.status == 0, found.errors

    def __call__(self, folder: Path, draw: Random, number: signal.Signals) -> str:
        """See `Disturb`."""
        os.environ["ACTIONBENCH_HOME"] = str(folder / "home")
        self._run = run = folder / "run"
        moment, to = self._moments.drawn(draw), draw.choice(get_args(To))

        def done() -> bool:
            return runs.stage(run) == "ended"

        found = ended([*COMMAND, *self._drawn.streamed(run)], folder, number, moment, to, done)
        found.assert_not_ignored()
        begun = (run / RUN).is_file()
        assert_expected(found, number, begun)
        seen = runs.stage(run)
        self._carry_out(["run", "--resume", str(run)] if begun else self._drawn.streamed(run), folder)
        assert run_result(run) == self._whole, "another result than that of the undisturbed run"
        return seen


WAYS = (
    ("a fetch of compressed archives", Kept, "w:gz", PER_CLASS),
    ("a fetch of all videos of plain archives", Kept, "w", None),
    ("a run on archives", Streamed, "w:gz", PER_CLASS),
)


def ways(folder: Path) -> Iterator[Way]:
    """Chosen videos and all of them, kept and not."""
    for words, way, mode, per_class in WAYS:
        own = folder / words
        os.environ["ACTIONBENCH_HOME"] = str(own / "home")
        with drawn(own, mode, per_class=per_class) as made:
            yield words, way(made, own), tuple(SIGNALS)
