"""Writes and reads a run directory so that a crash at any instant loses at most the clip in progress.

Records are appended, flushed and synced one by one, scores before the record that points to them. A line or
a row of scores that a crash left incomplete is dropped when the directory is opened for writing again. Only
one process at a time may write.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..atomic import NO_SPACE, remove_abandoned, write_file
from ..errors import UsageError
from .clips.columns import ClipColumns, ClipColumnsBuilder
from .clips.index import ClipIndex, index_entries
from .clips.scores import ScoreRows
from .json_lines import AppendedFile, mend, read_whole, records, to_json, whole_lines, write_atomically
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

    def columns(self) -> dict[str, ClipColumns]:
        """Model → its records of the accuracy pass, read one by one: for runs of any size.

        Raises UsageError for a record with a number that no clip has.
        """
        builder = ClipColumnsBuilder({model.key: model.labels for model in self.run.models})
        for record in records(self.file(CLIPS), ClipRecord):
            try:
                builder.add(record)
            except ValueError as error:
                raise UsageError(f"is damaged: {error}", where=self.file(CLIPS)) from error
        return builder.columns()

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
        """The trials of `--find-peak` and `--streams` in the order of writing."""
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
        classes = self._classes[record.model]
        self._require_scores(record.clip, record.offset, classes)
        with self.file(SCORES).open("rb") as file:
            file.seek(record.offset)
            return np.frombuffer(file.read(4 * classes), dtype="<f4")

    def score_rows(self, model: str, columns: ClipColumns) -> ScoreRows:
        """The probabilities of a model, row by row as in its `columns`, read when they are asked for.

        Raises UsageError if a row in `scores.bin` is cut off.
        """
        classes, offsets = self._classes[model], columns.column("offset")
        if (offsets >= 0).any():
            last = int(offsets.argmax())
            self._require_scores(columns.clips[last], int(offsets[last]), classes)
        return ScoreRows(lambda: self.file(SCORES).open("rb"), offsets, classes)

    def _require_scores(self, clip: str, offset: int, classes: int) -> None:
        path = self.file(SCORES)
        there = max(0, (path.stat().st_size if path.exists() else 0) - offset)
        if there < 4 * classes:
            raise UsageError(
                f"is damaged: the scores of {clip} are cut off",
                where=path,
                expected=f"{classes} values",
                found=there // 4,
                remedy=f"Copy the whole run directory again, or measure what is missing: bench run --resume "
                f"{self.path}",
            )

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
        holds a run, or if there is none to continue or its records are damaged.
        """
        try:
            remedy = "Wait for its end, or choose --out."
            self._lock = FolderLock(path, "another run is writing this directory", remedy=remedy)
        except OSError as error:
            raise _cannot_begin(path, error) from error
        try:
            if run is not None:
                if (path / RUN).exists():
                    raise UsageError(
                        "already holds a run",
                        where=path,
                        remedy=f"Continue it by --resume {path}, or choose another --out.",
                    )
                try:
                    write_file(path / RUN, to_json(asdict(run), indent=1))
                except OSError as error:
                    raise _cannot_begin(path, error) from error
            super().__init__(path)
            self._index = ClipIndex()
            self._mend()
            self._clips = self._appended(path / CLIPS)
            self._scores = self._appended(path / SCORES)
            self._timing: dict[str, AppendedFile] = {}
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._clips, self._scores, *self._timing.values()):
            file.close()
        with suppress(OSError):  # a worker that was killed may have left a picture in part
            remove_abandoned(self.path / THUMBNAILS)
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
            raw["offset"] = self._scores.add(scores.astype("<f4").tobytes())
        self._clips.add(to_json(raw))
        self._index.add(record.model, record.clip, record.error is not None)

    def tried(self, model: str) -> frozenset[str]:
        """The clips that the accuracy pass has a record of, by this model."""
        return self._index.tried(model)

    def failed(self, model: str) -> frozenset[str]:
        """The clips on which this model failed in the accuracy pass."""
        return self._index.failed(model)

    def append_timing(self, scenario: str, entry: Any) -> None:
        """Add a `ProcessRecord`, or a record of the scenario's own type."""
        if scenario not in self._timing:
            self._timing[scenario] = self._appended(self.timing_file(scenario))
        self._timing[scenario].add(to_json(asdict(entry)))

    def append_stream_trial(self, trial: StreamTrial) -> None:
        """Add a trial of `--find-peak` or `--streams`."""
        self.append_timing(TRIALS, trial)

    def _appended(self, path: Path) -> AppendedFile:
        return AppendedFile(path, self._lock, self._resume)

    @property
    def _resume(self) -> str:
        return f"bench run --resume {self.path}"

    def _mend(self) -> None:
        """Drop what a crash left: files and lines that are incomplete, and records without their scores."""
        remove_abandoned(self.path)
        for path in (self.path / CLIPS, *map(self.timing_file, (*SCENARIOS, TRIALS))):
            mend(path)
        scores = self.path / SCORES
        size = scores.stat().st_size if scores.exists() else 0
        lost: set[tuple[str, str]] = set()
        whole = 0
        for entry in index_entries(self.path / CLIPS):
            if entry.model not in self._classes:
                raise UsageError(
                    "has a record of a model that the run does not have",
                    where=self.path / CLIPS,
                    expected=", ".join(self._classes),
                    found=entry.model,
                )
            self._index.add(entry.model, entry.clip, entry.failed)
            lost.discard((entry.model, entry.clip))
            if entry.offset is not None:
                end = entry.offset + 4 * self._classes[entry.model]
                if end > size:
                    lost.add((entry.model, entry.clip))
                else:
                    whole = max(whole, end)
        self.lost = frozenset(lost)
        if lost:
            clips = self.path / CLIPS
            kept = (
                line
                for entry, (_, line) in zip(index_entries(clips), whole_lines(clips), strict=True)
                if (entry.model, entry.clip) not in lost
            )
            write_atomically(clips, kept, self._resume)
            for model, clip in lost:
                self._index.remove(model, clip)
        if size > whole:
            os.truncate(scores, whole)


def _cannot_begin(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot be written: {error.strerror}",
        where=error.filename or path,
        remedy=("Free some space, or choose" if error.errno in NO_SPACE else "Choose") + " another --out.",
    )
