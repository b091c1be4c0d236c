"""Writing and reading a gate's directory, so that a crash at any instant loses at most the pair in hand."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from ..errors import UsageError
from .gate_records import SCHEMA, Accuracy, Arm, Gate, Slot
from .json_lines import append, lines, mend, record, to_json, write_atomically

GATE, SLOTS, LOCK = "gate.json", "slots.jsonl", "lock"


class GateDirectory:
    """Reads what a gate has recorded. Never changes it."""

    def __init__(self, path: Path) -> None:
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
        try:
            raw = json.loads((self.path / GATE).read_text(encoding="utf-8"))
            schema, base, candidate = raw["schema"], raw["base"], raw["candidate"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"damaged: {error}", where=self.path / GATE) from error
        if schema != SCHEMA:
            raise UsageError(
                "written in another version of the format",
                where=self.path / GATE,
                expected=f"schema {SCHEMA}",
                found=f"schema {schema}",
                remedy="Read it with the version of ActionBench that wrote it.",
            )
        return record(Gate, {**raw, "base": record(Arm, base), "candidate": record(Arm, candidate)})

    def slots(self) -> list[Slot]:
        """By pair, base first; of two for one arm of a pair the later one counts."""
        latest = {
            (raw["pair"], raw["arm"]): record(Slot, raw)
            for raw in lines(self.path / SLOTS)
            if raw["kind"] == "slot"
        }
        return [latest[key] for key in sorted(latest)]

    def accuracies(self) -> list[Accuracy]:
        raws = [raw for raw in lines(self.path / SLOTS) if raw["kind"] == "accuracy"]
        return [record(Accuracy, raw) for raw in raws]


class GateWriter(GateDirectory):
    """The one writer of a gate's directory; a context manager that holds its lock."""

    def __init__(self, path: Path, gate: Gate | None = None) -> None:
        """Take the directory's lock; begin it with `gate`, or go on with what is there (None).

        Raises UsageError if another process is writing it, if it holds a gate already, or if there is
        nothing to go on with.
        """
        if gate is not None and (path / GATE).exists():
            raise UsageError(
                "holds a gate already",
                where=path,
                remedy=f"Go on with it by --resume {path}, or choose another --out.",
            )
        path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                "another gate is writing this directory", where=path, remedy="Wait for it."
            ) from None
        try:
            if gate is not None:
                self._write(path, gate)
            super().__init__(path)
            mend(path / SLOTS)
            self._file = (path / SLOTS).open("ab")
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._lock.release()

    def finish(self) -> None:
        self._write(self.path, replace(self.gate, state="done"))

    def append(self, entry: Slot | Accuracy) -> None:
        append(self._file, to_json(asdict(entry)), _resume(self.path))

    @staticmethod
    def _write(path: Path, gate: Gate) -> None:
        write_atomically(path / GATE, to_json(asdict(gate), indent=1), _resume(path))


def _resume(path: Path) -> str:
    return f"bench gate --resume {path}"
