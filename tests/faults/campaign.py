"""`make faults`: commands that are killed, or told to end, at random moments, and then continued.

Each has the same result afterwards as one that nothing has happened to.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from . import fetches, gates, resumed, sessions
from .processes import SIGNALS
from .signals import Way, disturbed

COMMANDS: Mapping[str, Callable[[Path], Iterator[Way]]] = {
    "run": resumed.ways("run"),
    "finetune": resumed.ways("finetune"),
    "experiments": resumed.ways("experiments"),
    "gate": gates.ways,
    "live": sessions.ways,
    "fetch": fetches.ways,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the campaign; its exit code, 1 where something was not as promised."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="of each signal, for each way of a command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", nargs="+", default=list(SIGNALS), choices=list(SIGNALS))
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS), choices=list(COMMANDS))
    given = parser.parse_args(arguments)
    failures = 0
    for name in given.commands:
        with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
            for words, disturb, signals in COMMANDS[name](Path(folder)):
                for each in (each for each in given.signals if each in signals):
                    failures += disturbed(words, each, given.count, given.seed, disturb)
    print(f"{failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
