"""`make fuzz`: every target's reader is given many inputs, in a process that is watched.

Then, with `--guided`, further ones that coverage guides (`guided.py`).

An input fails that ends in an exception which is none of ours, in an error that names no file, in no answer
within a minute, in more than 2 GB of memory, or in the end of the process. Failing inputs are kept.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from .archive_targets import TARGETS as ARCHIVES
from .command_targets import TARGETS as COMMANDS
from .data_targets import TARGETS as DATA
from .kept_targets import TARGETS as KEPT_FILES
from .record_targets import TARGETS as RECORDS
from .server_targets import TARGETS as SERVERS
from .target import Target, input_of
from .watched import Tally, campaign
from .weight_targets import TARGETS as WEIGHTS

TARGETS = {
    target.name: target for target in (*DATA, *ARCHIVES, *WEIGHTS, *RECORDS, *KEPT_FILES, *SERVERS, *COMMANDS)
}

KEPT = Path("fuzz-failures")


def keep(target: Target, seed: int, number: int) -> Path:
    """Write an input to the disk; its folder."""
    folder = KEPT / f"{''.join(c if c.isalnum() else '-' for c in target.name)}-{seed}-{number}"
    for name, content in input_of(target, seed, number).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def table(tallies: dict[str, Tally]) -> str:
    """The counts of each target, in Markdown, with their sums."""
    total = sum((each.counts for each in tallies.values()), Counter())
    rows = [
        *([name, *_figures(each.counts), f"{each.slowest_s:.1f}"] for name, each in tallies.items()),
        ["**all**", *_figures(total), ""],
    ]
    titles = ("reader of", "inputs", "read", "refused clearly", "failed", "slowest, s")
    return tabulate(rows, headers=titles, tablefmt="pipe", intfmt=",")


def _figures(counts: Counter[str]) -> list[int]:
    return [counts[name] for name in ("inputs", "read", "refused", "failed")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run campaigns; their exit code, 1 where an input has failed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="inputs of a target, times its share")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", type=int, default=0, help="seconds of guided inputs of each target")
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS), metavar="NAME")
    given = parser.parse_args(arguments)
    if given.guided and importlib.util.find_spec("atheris") is None:
        parser.error("--guided needs atheris: pip install -e '.[fuzz]'")
    passed = _seeded(given.targets, given.count, given.seed)
    if given.guided:
        passed &= _guided(given.targets, given.guided)
    return int(not passed)


def _seeded(names: Sequence[str], count: int, seed: int) -> bool:
    """Whether no input has failed."""
    tallies = {}
    for name in names:
        target = TARGETS[name]
        tallies[name] = campaign(target, max(1, round(count * target.share)), seed)
        print(f"{name}: {tallies[name].read} read, {tallies[name].refused} refused", flush=True)
        for number, problem in tallies[name].failures.items():
            print(f"  {problem}\n    kept in {keep(target, seed, number)}", flush=True)
    print(table(tallies), flush=True)
    return not any(each.failures for each in tallies.values())


def _guided(names: Sequence[str], seconds: int) -> bool:
    """Whether no input has failed; one that does is kept."""
    guided = [name for name in names if TARGETS[name].guided]
    # A process of its own, which imports everything once more: atheris counts what it sees imported.
    command = [sys.executable, "-m", "actionbench.tests.fuzz.guided", str(seconds), *guided]
    return subprocess.run(command).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
