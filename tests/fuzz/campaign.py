"""`make fuzz`: every target's reader is given many inputs, in a process that is watched.

An input fails that ends in an exception which is none of ours, in an error that names no file, in no answer
within a minute, in more than 2 GB of memory, or in the end of the process. Failing inputs are kept.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from .archive_targets import TARGETS as ARCHIVES
from .data_targets import TARGETS as DATA
from .record_targets import TARGETS as RECORDS
from .target import Target, input_of
from .watched import Tally, campaign
from .weight_targets import TARGETS as WEIGHTS

TARGETS = {target.name: target for target in (*DATA, *ARCHIVES, *WEIGHTS, *RECORDS)}

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
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=list(TARGETS), metavar="NAME")
    given = parser.parse_args(arguments)
    tallies = {}
    for name in given.targets:
        target = TARGETS[name]
        tallies[name] = campaign(target, max(1, round(given.count * target.share)), given.seed)
        print(f"{name}: {tallies[name].read} read, {tallies[name].refused} refused", flush=True)
        for number, problem in tallies[name].failures.items():
            print(f"  {problem}\n    kept in {keep(target, given.seed, number)}", flush=True)
    print(table(tallies))
    return int(any(each.failures for each in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
