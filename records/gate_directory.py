"""Writes and reads a gate's directory so that a crash at any instant loses at most the pair in progress."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

from ..atomic import remove_abandoned, write_file
from ..errors import MeasurementError, UsageError
from .gate import ARMS, SCHEMA, ArmAccuracy, Gate, PairInTurns, Slot
from .json_lines import AppendedFile, mend, read_whole, records, refused, to_json, write_atomically
from .lock import FolderLock

GATE, SLOTS = "gate.json", "slots.jsonl"


class GateDirectory:
    """Reads what a gate has recorded. Never changes it."""

    def __init__(self, path: Path) -> None:
        """`path`: the gate's directory. Raises UsageError if it is none."""
        if not (path / GATE).is_file():
            raise UsageError(
                "not a gate's directory",
                where=path,
                expected=f"a {GATE} in it",
                remedy="`bench gate` makes one.",
            )
        self.path = path

    @property
    def gate(self) -> Gate:
        """The gate as recorded now. Raises UsageError if `gate.json` is damaged or of another schema."""
        return read_whole(self.path / GATE, Gate, SCHEMA)

    def slots(self) -> list[Slot]:
        """All slots by pair, base first; if an arm of a pair was recorded twice, the later record counts."""
        slots = records(self.path / SLOTS, Slot, wanted=lambda kind: kind == "slot")
        latest = {(slot.pair, slot.arm): slot for slot in slots}
        return [latest[key] for key in sorted(latest)]

    def pairs_in_turns(self) -> list[PairInTurns]:
        """All pairs whose processes took turns, by number."""
        pairs = records(self.path / SLOTS, PairInTurns, wanted=lambda kind: kind == "pair")
        return [pair for _, pair in sorted({pair.pair: pair for pair in pairs}.items())]

    @property
    def complete_pairs(self) -> int:
        """Number of pairs that both arms were measured in."""
        arms = Counter(slot.pair for slot in self.slots())
        return len(self.pairs_in_turns()) + sum(count == len(ARMS) for count in arms.values())

    def accuracies(self) -> list[ArmAccuracy]:
        """The accuracy passes in the order of writing; empty without `--accuracy`."""
        return list(records(self.path / SLOTS, ArmAccuracy, wanted=lambda kind: kind == "accuracy"))


class GateWriter(GateDirectory):
    """The one writer of a gate's directory; a context manager that holds its lock."""

    def __init__(self, path: Path, gate: Gate | None = None) -> None:
        """Take the directory's lock, then create or continue the gate in it.

        - `path`: the directory; it is created if it is missing.
        - `gate`: the gate to begin; None continues the one that the directory holds.

        Raises UsageError if another process is writing the directory, if it already holds a gate, or if there
        is none to continue, OSError if a new one cannot be written.
        """
        if gate is not None and (path / GATE).exists():
            raise UsageError(
                "already holds a gate",
                where=path,
                remedy=f"Continue it by --resume {path}, or choose another --out.",
            )
        self._lock = FolderLock(path, "another gate is writing this directory", remedy="Wait for its end.")
        try:
            if gate is not None:
                write_file(path / GATE, _json(gate))  # not `_write`: there is nothing to go on with yet
            super().__init__(path)
            remove_abandoned(path)
            mend(path / SLOTS)
            self._slots = AppendedFile(path / SLOTS, self._lock, _resume(path))
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._slots.close()
        self._lock.release()

    def finish(self, *, in_time: bool = True) -> None:
        """Record that the gate has ended, or that its time was over before (not `in_time`).

        Raises MeasurementError if the directory was moved or removed.
        """
        self._lock.require_in_place(_resume(self.path))
        self._write(self.path, replace(self.gate, state="done" if in_time else "out of time"))

    def note_work(self, work: str) -> None:
        """Record what the processes of a pair run, and how."""
        self._write(self.path, replace(self.gate, work=work))

    def append(self, entry: PairInTurns | Slot | ArmAccuracy) -> None:
        """Add a record and sync it. Raises MeasurementError if it cannot be written."""
        self._slots.add(to_json(asdict(entry)))

    def refused(self, error: OSError) -> MeasurementError:
        """The error for a file of the gate that the disk has no room for."""
        return refused(Path(error.filename or self.path), error, _resume(self.path))

    @staticmethod
    def _write(path: Path, gate: Gate) -> None:
        write_atomically(path / GATE, _json(gate), _resume(path))


def _json(gate: Gate) -> bytes:
    return to_json(asdict(gate), indent=1)


def _resume(path: Path) -> str:
    return f"bench gate --resume {path}"
