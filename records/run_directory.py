"""Writes and reads a run directory so that a crash at any instant loses at most the clip in progress.

Records are appended, flushed and synced one by one, scores before the record that points to them. A line or
a row of scores that a crash left incomplete is dropped when the directory is opened for writing again. Only
one process at a time may write.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .json_lines import append, lines, mend, read_whole, records, to_json, write_atomically
from .lock import FolderLock
from .run import SCHEMA, ClipRecord, ProcessRecord, Run, current_settings
from .scenarios.latency import LatencyRecord
from .scenarios.registry import SCENARIOS, scenario_type
from .scenarios.stream_trials import TRIALS, StreamTrial

RUN, CLIPS, SCORES = "run.json", "clips.jsonl", "scores.bin"
THUMBNAILS = "thumbnails"
MACHINES = "machines"


def log_path(run: Path, model: str) -> Path:
    """The file for what a model's workers print: a name that is safe whatever the model is called."""
    return run / "logs" / ("".join(c if c.isalnum() or c in "-_@." else "_" for c in model) + ".log")


def thumbnail_path(run: Path, clip: str) -> Path:
    """Path of a clip's thumbnail in the run directory `run`; the name is a hash, safe for any clip id."""
    return run / THUMBNAILS / f"{hashlib.sha256(clip.encode()).hexdigest()[:32]}.jpg"


def path_of_machine(run: Path, machine: str) -> Path:
    """The run directory, in that of a run on a cluster, with the times of another kind of machine.

    - `machine`: its `fingerprint.machine_id`.
    """
    return run / MACHINES / machine


def machine_runs(run: Path) -> list[Path]:
    """The run directories `path_of_machine` of a run, by name; [] for a run on one machine."""
    return sorted(file.parent for file in (run / MACHINES).glob(f"*/{RUN}"))


class RunDirectory:
    """Reads what a run has recorded. Never changes it."""

    def __init__(self, path: Path) -> None:
        """`path`: the run directory. Raises UsageError if it is none."""
        if not (path / RUN).is_file():
            raise UsageError(
                "not a run directory", where=path, expected=f"a {RUN} in it", remedy="`bench run` makes one."
            )
        self.path = path

    def file(self, name: str) -> Path:
        """Path of a file in the directory, which need not exist."""
        return self.path / name

    @property
    def run(self) -> Run:
        """The run as recorded now. Raises UsageError if `run.json` is damaged or of another schema."""
        run = read_whole(self.file(RUN), Run, SCHEMA)
        return replace(run, config=current_settings(run.config))

    def clips(self) -> list[ClipRecord]:
        """Records of the accuracy pass in the order of writing; the last one of a (model, clip) counts."""
        latest = {(record.model, record.clip): record for record in records(self.file(CLIPS), ClipRecord)}
        return list(latest.values())

    def processes(self, scenario: str = "latency") -> list[ProcessRecord]:
        """The processes of a scenario in the order of writing, failed ones included."""
        return list(records(self.timing_file(scenario), ProcessRecord, wanted=lambda kind: kind == "process"))

    def samples(self, scenario: str) -> list[Any]:
        """What the processes of a scenario measured, as records of its type (`ScenarioType.record`)."""
        cls = scenario_type(scenario).record
        return list(records(self.timing_file(scenario), cls, wanted=lambda kind: kind != "process"))

    def latencies(self) -> list[LatencyRecord]:
        """The samples of the scenario "latency"."""
        return self.samples("latency")

    def stream_trials(self) -> list[StreamTrial]:
        """The trials of `--find-peak` in the order of writing."""
        return list(records(self.timing_file(TRIALS), StreamTrial))

    def timing_file(self, scenario: str) -> Path:
        """Path of a scenario's records, or of `TRIALS`."""
        return self.file(f"{scenario}.jsonl")

    def scores(self, record: ClipRecord) -> npt.NDArray[np.float32]:
        """Probabilities (classes,) float32, 0–1, of a record without an error.

        Raises UsageError if its row in `scores.bin` is cut off, ValueError for a record without scores.
        """
        if record.offset is None:
            raise ValueError(f"{record.clip} has no scores: {record.error}")
        path, classes = self.file(SCORES), self._classes[record.model]
        try:
            with path.open("rb") as file:
                file.seek(record.offset)
                row = file.read(4 * classes)
        except FileNotFoundError:
            row = b""
        if len(row) < 4 * classes:
            raise UsageError(
                f"is damaged: the scores of {record.clip} are cut off",
                where=path,
                expected=f"{classes} values",
                found=len(row) // 4,
                remedy=f"Copy the whole run directory again, or measure what is missing: bench run --resume "
                f"{self.path}",
            )
        return np.frombuffer(row, dtype="<f4")

    @cached_property
    def _classes(self) -> dict[str, int]:
        """Length of each model's rows of scores; fixed when the run is planned."""
        return {model.key: len(model.labels) for model in self.run.models}


class RunWriter(RunDirectory):
    """The one writer of a run directory; a context manager that holds its lock.

    Reading and writing raise MeasurementError if the directory has been moved or removed meanwhile.

    - `lost`: (model, clip) of the predictions whose scores were cut off when the directory was opened; their
      records have been dropped, so that these clips are predicted again.
    """

    lost: frozenset[tuple[str, str]] = frozenset()

    def __init__(self, path: Path, run: Run | None = None) -> None:
        """Take the directory's lock, then create or continue the run in it.

        - `path`: the directory; it is created if it is missing.
        - `run`: the run to begin; None continues the one that the directory holds.

        Raises UsageError if another process is writing the directory, if it cannot be created, if it already
        holds a run, or if there is none to continue.
        """
        try:
            remedy = "Wait for its end, or choose --out."
            self._lock = FolderLock(path, "another run is writing this directory", remedy=remedy)
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
                        "already holds a run",
                        where=path,
                        remedy=f"Continue it by --resume {path}, or choose another --out.",
                    )
                write_atomically(path / RUN, to_json(asdict(run), indent=1), f"bench run --resume {path}")
            super().__init__(path)
            self._mend()
            self._clips = (path / CLIPS).open("ab")
            self._scores = (path / SCORES).open("ab")
            self._timing: dict[str, BinaryIO] = {}
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

    def file(self, name: str) -> Path:
        """See `RunDirectory.file`. Raises MeasurementError if the directory was moved or removed."""
        self._lock.require_in_place(self._resume)
        return super().file(name)

    def write_run(self, run: Run) -> None:
        """Replace `run.json` atomically."""
        write_atomically(self.file(RUN), to_json(asdict(run), indent=1), self._resume)

    def append_clip(self, record: ClipRecord, scores: npt.NDArray[np.float32] | None) -> None:
        """Add a record of the accuracy pass and sync it.

        - `record`: its `offset` is set here.
        - `scores`: probabilities (classes,) float32, 0–1; None for a record with an error.
        """
        raw = asdict(record)
        if scores is not None:
            offset = self._scores.seek(0, os.SEEK_END)
            self._append(self._scores, scores.astype("<f4").tobytes())
            raw["offset"] = offset
        self._append(self._clips, to_json(raw))

    def append_timing(self, scenario: str, entry: Any) -> None:
        """Add a `ProcessRecord`, or a record of the scenario's own type."""
        if scenario not in self._timing:
            self._timing[scenario] = self.timing_file(scenario).open("ab")
        self._append(self._timing[scenario], to_json(asdict(entry)))

    def append_stream_trial(self, trial: StreamTrial) -> None:
        """Add a trial of `--find-peak`."""
        self.append_timing(TRIALS, trial)

    def _append(self, file: IO[bytes], data: bytes) -> None:
        self._lock.require_in_place(self._resume)
        append(file, data, self._resume)

    @property
    def _resume(self) -> str:
        return f"bench run --resume {self.path}"

    def _mend(self) -> None:
        """Drop incomplete lines that a crash left at the ends of files, and records without their scores."""
        for path in (self.path / CLIPS, *map(self.timing_file, (*SCENARIOS, TRIALS))):
            mend(path)
        scores = self.path / SCORES
        size = scores.stat().st_size if scores.exists() else 0
        ends = {
            (r.model, r.clip): r.offset + 4 * self._classes[r.model]
            for r in self.clips()
            if r.offset is not None
        }
        self.lost = frozenset(key for key, end in ends.items() if end > size)
        if self.lost:
            kept = [raw for raw in lines(self.path / CLIPS) if (raw["model"], raw["clip"]) not in self.lost]
            write_atomically(self.path / CLIPS, b"".join(map(to_json, kept)), self._resume)
        whole = max((end for key, end in ends.items() if key not in self.lost), default=0)
        if size > whole:
            os.truncate(scores, whole)
