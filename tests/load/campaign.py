"""`make load`: a day of a camera, and a run of many clips: what they hold must not grow, nothing may be left.

The camera's hours pass in minutes; the commands are started as a user starts them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .clips import run_clips
from .findings import Finding, table
from .stream import watch_stream

PERIOD_S = 2.0

SEGMENT_S, SPEED = 600.0, 60.0
"""Seconds of the camera after which it hangs up; its seconds that pass in one, at most."""

PEOPLE_SEGMENT_S, PEOPLE_SPEED = 20.0, 4.0
"""With persons, who are new ones after each reconnect. Each frame takes more work, so they are fewer."""

THROUGHPUT_S = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign; its exit code, 1 where a bound is broken."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of the camera; 0: without")
    parser.add_argument("--people-hours", type=float, default=1.0, help="of it with persons; 0: without")
    parser.add_argument("--clips", type=int, default=20_000, help="of the run; 0: without")
    given = parser.parse_args(arguments)

    def camera(folder: Path) -> list[Finding]:
        return watch_stream(folder, given.hours, SEGMENT_S, SPEED, PERIOD_S)

    def people(folder: Path) -> list[Finding]:
        hours = given.people_hours
        return watch_stream(folder, hours, PEOPLE_SEGMENT_S, PEOPLE_SPEED, PERIOD_S, people=True)

    def clips(folder: Path) -> list[Finding]:
        return run_clips(folder, given.clips, THROUGHPUT_S, PERIOD_S, "tvl1-fast")

    subjects: dict[str, tuple[float, Callable[[Path], list[Finding]]]] = {
        "bench live": (given.hours, camera),
        "bench live --people": (given.people_hours, people),
        "bench run": (given.clips, clips),
    }
    broken = 0
    for name, (amount, measure) in subjects.items():
        if not amount:
            continue
        with tempfile.TemporaryDirectory(prefix="load-") as folder:
            findings = measure(Path(folder))
        print(f"{name}\n\n{table(findings)}\n", flush=True)
        broken += sum(each.broken for each in findings)
    print(f"{broken} bounds broken")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
