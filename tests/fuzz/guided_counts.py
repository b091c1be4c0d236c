"""What libFuzzer prints of a target that `guided.py` has fuzzed, as counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tabulate import tabulate

FAILED = "FAILED: "
"""Begins what `guided.py` says of an input that has failed."""


@dataclass(frozen=True)
class Guided:
    """What became of the inputs of a target.

    - `inputs`: their number. `failure`: what is wrong with the last one; None where none has failed.
    - `edges`: branches of our sources that the samples reach, and that all inputs reach.
    """

    inputs: int
    edges: tuple[int, int]
    failure: str | None


def counts(said: str, status: int) -> Guided:
    """What libFuzzer has printed, as counts.

    - `said`: all of it. `status`: exit status of its process, 0 where no input has failed.
    """
    edges = [int(number) for number in re.findall(r"^#\d+\s+.*\bcov: (\d+)", said, re.MULTILINE)]
    begun = re.search(r"^#\d+\s+INITED cov: (\d+)", said, re.MULTILINE)
    # Of a process that an input has ended, the last number that it told.
    inputs = [
        int(number) for number in re.findall(r"^(?:#|stat::number_of_executed_units:\s*)(\d+)", said, re.M)
    ]
    return Guided(
        max(inputs, default=0),
        (int(begun[1]) if begun else 0, max(edges, default=0)),
        None if status == 0 else _failure(said, status),
    )


def _failure(said: str, status: int) -> str:
    exception = re.search(rf"^{FAILED}(.{{1,1500}})", said, re.DOTALL | re.MULTILINE)
    if exception is not None:
        return exception[1].strip()
    error = re.search(r"ERROR: libFuzzer: .*", said)
    return error[0] if error is not None else f"exit status {status}: {said[-500:]}"


def table(found: Mapping[str, Guided]) -> str:
    """The counts of each target, in Markdown, with their sums."""
    figures = {
        name: (each.inputs, each.edges[0], each.edges[1] - each.edges[0], int(each.failure is not None))
        for name, each in found.items()
    }
    rows = [[name, *values] for name, values in figures.items()]
    sums = [sum(column) for column in zip(*figures.values(), strict=True)]
    titles = ("reader of", "inputs", "branches of the samples", "more by guidance", "failed")
    return tabulate([*rows, ["**all**", *sums]], headers=titles, tablefmt="pipe", intfmt=",")
