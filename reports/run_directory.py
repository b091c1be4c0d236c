"""Writing and reading a run directory, so that a crash at any instant loses at most the clip in hand.

Records are appended, flushed and synced one by one, scores before the record that points to them. A
line or a row of scores that a crash tore is dropped when the directory is opened again. One writer at
a time.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from ..errors import MeasurementError, UsageError
from .records import (
    SCHEMA,
    ClipRecord,
    LatencyRecord,
    ModelRecord,
    ProcessRecord,
    Run,
    Scenario,
    StreamRecord,
    ThroughputRecord,
)

RUN, CLIPS, SCORES, LOCK = "run.json", "clips.jsonl", "scores.bin", "lock"

Timed = LatencyRecord | ThroughputRecord | StreamRecord

TIMED: dict[Scenario, type[Timed]] = {
    "latency": LatencyRecord,
    "pipelined": ThroughputRecord,
    "throughput": ThroughputRecord,
    "stream": StreamRecord,
}
"""What the processes of a scenario measure."""

T = TypeVar("T")


class RunDirectory:
    """Reads what a run has recorded. Never changes it."""

    def __init__(self, path: Path) -> None:
        if not (path / RUN).is_file():
            raise UsageError(
                "not a run directory", where=path, expected=f"a {RUN} in it", remedy="`bench run` makes one."
            )
        self.path = path

    @property
    def run(self) -> Run:
        try:
            raw = json.loads((self.path / RUN).read_text(encoding="utf-8"))
            schema = raw["schema"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"damaged: {error}", where=self.path / RUN) from error
        if schema != SCHEMA:
            raise UsageError(
                "written in another version of the format",
                where=self.path / RUN,
                expected=f"schema {SCHEMA}",
                found=f"schema {schema}",
                remedy="Read it with the version of ActionBench that wrote it.",
            )
        models = tuple(
            _record(ModelRecord, {**model, "labels": tuple(model["labels"])}) for model in raw["models"]
        )
        return _record(Run, {**raw, "models": models})

    def clips(self) -> list[ClipRecord]:
        """Accuracy records in the order of writing; of two for one (model, clip) the later one counts."""
        latest: dict[tuple[str, str], ClipRecord] = {}
        for raw in _lines(self.path / CLIPS):
            raw["top5"] = tuple((label, score) for label, score in raw["top5"])
            raw["notes"] = tuple(raw["notes"])
            latest[raw["model"], raw["clip"]] = _record(ClipRecord, raw)
        return list(latest.values())

    def processes(self, scenario: Scenario = "latency") -> list[ProcessRecord]:
        lines = _lines(self.timing_file(scenario))
        return [_record(ProcessRecord, raw) for raw in lines if raw["kind"] == "process"]

    def samples(self, scenario: Scenario) -> list[Timed]:
        """What the processes of a scenario measured."""
        lines = [raw for raw in _lines(self.timing_file(scenario)) if raw["kind"] != "process"]
        return [
            _record(TIMED[scenario], {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()})
            for raw in lines
        ]

    def latencies(self) -> list[LatencyRecord]:
        return [sample for sample in self.samples("latency") if isinstance(sample, LatencyRecord)]

    def timing_file(self, scenario: Scenario) -> Path:
        return self.path / f"{scenario}.jsonl"

    def scores(self, record: ClipRecord) -> npt.NDArray[np.float32]:
        """Probabilities (classes,) float32 of a record that has a row."""
        if record.offset is None:
            raise ValueError(f"{record.clip} has no scores: {record.error}")
        with (self.path / SCORES).open("rb") as file:
            file.seek(record.offset)
            return np.frombuffer(file.read(4 * self._classes[record.model]), dtype="<f4")

    @cached_property
    def _classes(self) -> dict[str, int]:
        """Length of each model's rows of scores; fixed when the run is planned."""
        return {model.key: len(model.labels) for model in self.run.models}


class RunWriter(RunDirectory):
    """The one writer of a run directory; a context manager that holds its lock."""

    def __init__(self, path: Path, run: Run | None = None) -> None:
        """Take the directory's lock; begin it with `run`, or go on with what is there (None).

        Raises UsageError if another process is writing it, if it cannot be made, or if there is nothing to
        go on with.
        """
        self._lock = FileLock(path / LOCK)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                "another run is writing this directory", where=path, remedy="Wait for it, or choose --out."
            ) from None
        except OSError as error:
            raise UsageError(
                f"cannot be written: {error.strerror}",
                where=error.filename or path,
                remedy="Choose another --out.",
            ) from error
        try:
            if run is not None:
                if (path / RUN).exists():
                    raise UsageError(
                        "holds a run already",
                        where=path,
                        remedy=f"Go on with it by --resume {path}, or choose another --out.",
                    )
                _write_atomically(path / RUN, _to_json(run, indent=1))
            super().__init__(path)
            self._mend()
            self._clips = (path / CLIPS).open("ab")
            self._scores = (path / SCORES).open("ab")
            self._timing: dict[Scenario, BinaryIO] = {}
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._clips, self._scores, *self._timing.values()):
            # Bytes that a full disk refused stay in the buffer and would be refused again here.
            with contextlib.suppress(OSError):
                file.close()
        self._lock.release()

    def write_run(self, run: Run) -> None:
        _write_atomically(self.path / RUN, _to_json(run, indent=1))

    def append_clip(self, record: ClipRecord, scores: npt.NDArray[np.float32] | None) -> None:
        """Add an accuracy record; `scores` (classes,) probabilities, None for a record with an error."""
        raw = asdict(record)
        if scores is not None:
            offset = self._scores.seek(0, os.SEEK_END)
            self._append(self._scores, scores.astype("<f4").tobytes())
            raw["offset"] = offset
        self._append(self._clips, _line(raw))

    def append_timing(self, scenario: Scenario, record: ProcessRecord | Timed) -> None:
        if scenario not in self._timing:
            self._timing[scenario] = self.timing_file(scenario).open("ab")
        self._append(self._timing[scenario], _line(asdict(record)))

    def _append(self, file: Any, data: bytes) -> None:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            raise _refused(Path(file.name), error) from error

    def _mend(self) -> None:
        """Drop the torn end that a crash may have left in any of the files."""
        for path in (self.path / CLIPS, *map(self.timing_file, TIMED)):
            if path.exists():
                data = path.read_bytes()
                whole = data.rfind(b"\n") + 1
                if whole < len(data):
                    os.truncate(path, whole)
        scores = self.path / SCORES
        if scores.exists():
            end = 0
            for record in self.clips():
                if record.offset is not None:
                    end = max(end, record.offset + 4 * self._classes[record.model])
            if scores.stat().st_size > end:
                os.truncate(scores, end)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a JSONL file; the last one may still be in writing, or torn, and is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                raise UsageError(f"line {number} is damaged: {error}", where=path) from error


def _record(cls: type[T], raw: dict[str, Any]) -> T:
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if extra := raw.keys() - known:
        raise UsageError(f"unknown fields in a {cls.__name__}: {', '.join(sorted(extra))}")
    return cls(**raw)


def _line(raw: dict[str, Any]) -> bytes:
    return json.dumps(raw, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _to_json(run: Run, indent: int) -> bytes:
    return json.dumps(asdict(run), ensure_ascii=False, allow_nan=False, indent=indent).encode() + b"\n"


def _write_atomically(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> MeasurementError:
    return MeasurementError(
        f"cannot be written: {error.strerror}",
        where=path,
        remedy=f"What came before is safe; free some space, then `bench run --resume {path.parent}`.",
    )
