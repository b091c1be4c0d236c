"""Histories: the metrics of many commits in one file that merges well in git.

The file has one JSON object per line, for each (model, setting, metric, machine, commit). Lines and keys are
sorted and do not depend on when they were written, so two branches that add different commits add different
lines, and with `merge=union` in .gitattributes git joins them by itself. Duplicates that such a merge leaves
are dropped on reading.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...atomic import replacing
from ...errors import UsageError
from ...parsing import parse_json
from ...records.fingerprint import machine_id
from ...records.gate import Gate, PairInTurns, Slot
from ...records.metrics import unit
from ...typed_values import typed
from ..statistics.gate_pairs import Key, pairs_of
from ..statistics.intervals import Estimate, process_median
from .load_runs import ModelData, RunData, merge
from .process_medians import process_medians

SCHEMA = 1
"""Version of the format of a line."""

DIGITS = 6
"""Significant digits of a stored value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric of one model at one commit, measured on one machine.

    - `setting`: description of what else the values depend on; another setting is another series.
    - `metric`, `unit`: see `records/metrics.py`.
    - `machine`: `fingerprint.machine_id`. `cpu`: the processor's name, for reading.
    - `commit`: the measured commit. `date`: ISO 8601 in UTC; orders the series.
    - `values`: one median for each process, in the order of processes.
    - `schema`: version of the line, see `SCHEMA`.
    """

    model: str
    setting: str
    metric: str
    machine: str
    cpu: str
    commit: str
    date: str
    unit: str
    values: tuple[float, ...]
    schema: int = SCHEMA

    @property
    def series(self) -> tuple[str, str, str, str]:
        """What identifies the series that the entry belongs to."""
        return self.model, self.setting, self.metric, self.machine

    @property
    def median(self) -> Estimate:
        """Median over processes with its interval; with fewer than six processes, their range."""
        found = process_median([[value] for value in self.values])
        assert found is not None, "an entry has values"
        return found


def entries_of_run(data: RunData, commit: str | None = None, date: str | None = None) -> list[Entry]:
    """The entries of a run: every metric of every timed model.

    - `commit`: None takes that of ActionBench's source, as the run recorded it.
    - `date`: ISO 8601 with an offset; None takes the start of the run.

    Raises UsageError if the commit is unknown or had uncommitted changes, if the date cannot be read, or if
    nothing was timed.
    """
    environment = data.run.environment
    recorded = environment.get("git_commit")
    commit = _commit(commit, recorded, changed=recorded is not None and "+" in recorded, where=data.name)
    found = [
        (measured.model.key, _setting(measured, data), metric, list(values.values()))
        for measured in merge([data]).models
        if measured.latencies
        for metric, values in process_medians(measured).items()
    ]
    return _entries(found, environment, commit, data.run.started if date is None else date, data.name)


def entries_of_gate(
    gate: Gate,
    slots: Sequence[Slot],
    commit: str | None = None,
    date: str | None = None,
    in_turns: Sequence[PairInTurns] = (),
) -> list[Entry]:
    """The entries of a gate: every metric of its candidate, with one value for each pair.

    - `commit`: None takes the candidate's.
    - `date`: ISO 8601 with an offset; None takes the start of the gate.

    Raises UsageError as `entries_of_run` does.
    """
    identity = gate.candidate.identity
    changed = identity.get("changes") is not None
    commit = _commit(commit, identity.get("commit"), changed, where=gate.candidate.spec)
    values: dict[Key, list[float]] = {}
    for pair in pairs_of(slots, in_turns):
        for key, measured in pair.metrics.items():
            values.setdefault(key, []).append(measured.candidate)
    found = [(model, f"gate, {gate.work}", metric, medians) for (model, metric), medians in values.items()]
    when = gate.started if date is None else date
    return _entries(found, gate.environment, commit, when, gate.candidate.spec)


def _commit(named: str | None, recorded: str | None, changed: bool, where: str) -> str:
    if named is None and (recorded is None or changed):
        raise UsageError(
            "the measured commit is unknown",
            where=where,
            found="none recorded" if recorded is None else f"{recorded}, with changes",
            remedy="Name it with --commit.",
        )
    commit = str(recorded if named is None else named)
    if len(commit.split()) != 1:
        raise UsageError("is not a single word, as a commit is", where="--commit", found=repr(commit))
    return commit


def _entries(
    found: Sequence[tuple[str, str, str, Sequence[float]]],
    environment: Mapping[str, Any],
    commit: str,
    date: str,
    where: str,
) -> list[Entry]:
    """Of (model, setting, metric, values). `where`: names what was measured, in errors."""
    if not found:
        raise UsageError("nothing was timed, so there is nothing to add", where=where)
    return [
        Entry(
            model=model,
            setting=setting,
            metric=metric,
            machine=machine_id(environment),
            cpu=str(environment.get("cpu")),
            commit=commit,
            date=_utc(date, "--date"),
            unit=unit(metric),
            values=tuple(float(f"{value:.{DIGITS}g}") for value in values),
        )
        for model, setting, metric, values in found
    ]


def _setting(measured: ModelData, data: RunData) -> str:
    model, config = measured.model, data.run.config
    clips = "\n".join(sorted({sample.clip for sample in measured.latencies}))
    threads = {n for p in measured.processes if type(n := p.details.get("threads")) is int}
    words = [
        f"{measured.weights_kind} weights",
        model.input,
        str(model.device),
        *(f"{n} thread{'' if n == 1 else 's'}" for n in sorted(threads)),
        model.views,
        f"batch {config.get('batch', 1)}",
        *(["TF32"] if config.get("tf32") else []),
        f"clips {hashlib.sha256(clips.encode()).hexdigest()[:8]}",
    ]
    return ", ".join(words)


def _utc(date: str, where: str) -> str:
    """The date in UTC; `where`: its place, for errors."""
    try:
        read = datetime.fromisoformat(date)
    except ValueError:
        raise UsageError(
            "is not a date", where=where, expected="ISO 8601, e.g. 2026-01-31T12:00:00Z", found=date
        ) from None
    if read.tzinfo is None:
        raise UsageError(
            "lacks its offset from UTC", where=where, expected="a date with, e.g., a Z at its end", found=date
        )
    return read.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_history(path: Path) -> list[Entry]:
    """The entries of a file in the order of its lines; of duplicates, the one with the later date.

    Raises UsageError if the file is not a history, or holds an unresolved merge.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"is not a history: {error}", where=path) from error
    return _without_duplicates(_entry(line, path, n) for n, line in enumerate(lines, 1) if line.strip())


def _entry(line: str, path: Path, number: int) -> Entry:
    where = f"{path}, line {number}"
    if line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
        remedy = "Keep both sides; `merge=union` in .gitattributes does it by itself."
        raise UsageError("an unresolved merge", where=where, remedy=remedy)
    try:
        raw: dict[str, Any] = parse_json(line)
        found = raw["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError("is not an entry of a history", where=where, found=line[:60]) from error
    if found != SCHEMA:
        raise UsageError(
            "written in another version of the format", where=where, expected=SCHEMA, found=found
        )
    try:
        entry = typed(Entry, raw)
        _line(entry).encode()  # JSON can write halves of characters, which no file can hold
    except ValueError as error:
        raise UsageError(f"is not an entry of a history: {error}", where=where, found=line[:60]) from error
    if not entry.values or not all(0 <= value < math.inf for value in entry.values):
        raise UsageError(
            "is not an entry of a history",
            where=where,
            expected="at least one time or size in `values`",
            found=line[:60],
        )
    values = tuple(map(float, entry.values))
    return replace(entry, values=values, date=_utc(entry.date, f"{where}, `date`"))


def _without_duplicates(entries: Iterable[Entry]) -> list[Entry]:
    latest: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        key = (*entry.series, entry.commit)
        # Equal dates: ordered by values, so that the order of lines does not matter.
        if key not in latest or (entry.date, entry.values) > (latest[key].date, latest[key].values):
            latest[key] = entry
    return list(latest.values())


def add_to_history(path: Path, entries: Sequence[Entry]) -> int:
    """Add entries to the file, which is replaced; returns the number of new or changed lines.

    Raises UsageError if the file exists and is not a history.
    """
    before = read_history(path) if path.exists() else []
    after = _without_duplicates([*before, *entries])
    after.sort(key=lambda entry: (*entry.series, entry.commit))
    with replacing(path) as file:
        file.write("".join(map(_line, after)).encode())
    return len(set(after) - set(before))


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def series_of(entries: Iterable[Entry], metric: str | None = None) -> list[list[Entry]]:
    """The series, sorted by what identifies them, each by date.

    `metric`: only series of this metric; None for all.
    """
    found: dict[tuple[str, str, str, str], list[Entry]] = {}
    for entry in entries:
        if metric is None or entry.metric == metric:
            found.setdefault(entry.series, []).append(entry)
    return [sorted(found[key], key=lambda entry: (entry.date, entry.commit)) for key in sorted(found)]
