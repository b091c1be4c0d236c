"""What a campaign found, as rows of one table; some of them have a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tabulate import tabulate

from actionbench.atomic import TEMPORARY

from .growth import BOUNDS, Watched


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure. `allowed`: its bound in words, "" for none. `broken`: whether it is beyond it."""

    what: str
    found: str
    allowed: str = ""
    broken: bool = False


def at_least(what: str, found: int, least: int) -> Finding:
    """A count that has a lower bound."""
    return Finding(what, f"{found:,}", f"at least {least:,}", found < least)


def growth_of(processes: Sequence[Watched], least: int) -> list[Finding]:
    """What each process held, from when it had settled to its end. `least`: how many there must be."""
    return [
        at_least("processes that are judged", len(processes), least),
        *(
            Finding(
                f"{process.name}: {what}",
                f"{trend.begin:.4g} → {trend.end:.4g}, growth {trend.growth:.2g}",
                f"growth up to {BOUNDS[what]:g}",
                not trend.growth <= BOUNDS[what],
            )
            for process in processes
            for what, trend in process.trends().items()
        ),
    ]


def left_behind(temporary: Path, *others: Path) -> Finding:
    """Files that are left in the folder of temporary files, and files half written elsewhere."""
    left = [*temporary.rglob("*"), *(path for each in others for path in each.rglob(f"*{TEMPORARY}*"))]
    found = ", ".join(path.name for path in left[:3])
    return Finding("temporary files left", f"{len(left)} {found}".strip(), "0", bool(left))


def size_mb(folder: Path) -> float:
    """Megabytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def table(findings: Sequence[Finding]) -> str:
    """The findings in Markdown; a broken bound is marked."""
    rows = [
        (each.what, each.found, f"**{each.allowed}**" if each.broken else each.allowed) for each in findings
    ]
    return tabulate(rows, headers=("what", "found", "allowed"), tablefmt="pipe", disable_numparse=True)
