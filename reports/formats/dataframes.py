"""Runs as pandas DataFrames, for questions that the report does not answer. See docs/analysis.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...records.run import STAGES
from ..analysis.load_runs import ModelData, merge, read_run
from ..analysis.summary import ModelSummary, Summary, summarise
from ..tables.all_tables import all_tables


@dataclass(frozen=True, slots=True)
class RunDataFrames:
    """Measured values and the report's tables as DataFrames. Seconds are float64, NaN if unknown.

    - `models`: a row per model: the report's comparison, raw values.
    - `clips`: a row per model and video of the accuracy pass: "model", "run", "clip", "label", "scored",
      "predicted", "probability", "right" (missing unless scored), "target_score", "views", "frames",
      "video_s", "flow_cached", "error".
    - `scores`: model → its probabilities (0–1), a row per video (by id), a column per class, float32.
    - `processes`: a row per process of the latency pass: "model", "run", "process", "order", "load_s",
      "first_s", "peak_rss_bytes", "peak_device_bytes", "error".
    - `samples`: a row per timed video: "model", "run", "process", "repetition", "clip", "total_s", "cpu_s",
      "waited_s", "device_forward_s", "views", "frames", "video_s", "attempt", "disturbed" (the report
      excludes a disturbed sample that was repeated).
    - `stages`: long form, a row per sample and stage: "model",
      "process", "repetition", "attempt", "clip", "stage", "seconds".
    - `tables`: every table of the report by name, raw values.
    """

    models: pd.DataFrame
    clips: pd.DataFrame
    scores: Mapping[str, pd.DataFrame]
    processes: pd.DataFrame
    samples: pd.DataFrame
    stages: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]


def read_dataframes(runs: str | Path | Sequence[str | Path], target: str | None = None) -> RunDataFrames:
    """Read one or several run directories, as `bench report` does; see `reports.load`."""
    paths = [runs] if isinstance(runs, str | Path) else list(runs)
    return from_summary(summarise(merge([read_run(Path(path)) for path in paths], target)))


def from_summary(summary: Summary) -> RunDataFrames:
    """The DataFrames of runs that were read already."""
    tables = {table.name: table.frame() for table in all_tables(summary)}
    return RunDataFrames(
        models=tables["comparison"],
        clips=_clips(summary),
        scores={m.name: _scores(m.measured) for m in summary.models},
        processes=_frame(_processes(summary), _PROCESSES),
        samples=_frame(_samples(summary), _SAMPLES),
        stages=_frame(_stages(summary), _STAGES),
        tables=tables,
    )


_CLIPS = {
    "model": "string",
    "run": "string",
    "clip": "string",
    "label": "string",
    "scored": "bool",
    "predicted": "string",
    "probability": "float64",
    "right": "boolean",
    "target_score": "float64",
    "views": "int64",
    "frames": "int64",
    "video_s": "float64",
    "flow_cached": "bool",
    "error": "string",
}
_PROCESSES = {
    "model": "string",
    "run": "string",
    "process": "int64",
    "order": "int64",
    "load_s": "float64",
    "first_s": "float64",
    "peak_rss_bytes": "Int64",
    "peak_device_bytes": "Int64",
    "error": "string",
}
_SAMPLES = {
    "model": "string",
    "run": "string",
    "process": "int64",
    "repetition": "int64",
    "clip": "string",
    "total_s": "float64",
    "cpu_s": "float64",
    "waited_s": "float64",
    "device_forward_s": "float64",
    "views": "int64",
    "frames": "int64",
    "video_s": "float64",
    "attempt": "int64",
    "disturbed": "bool",
}
_STAGES = {
    "model": "string",
    "process": "int64",
    "repetition": "int64",
    "attempt": "int64",
    "clip": "string",
    "stage": pd.CategoricalDtype(list(STAGES), ordered=True),
    "seconds": "float64",
}


def _frame(rows: Iterable[Mapping[str, Any]], types: Mapping[str, Any]) -> pd.DataFrame:
    """The rows with the columns and types of `types`, also if there is no row."""
    return pd.DataFrame(list(rows), columns=list(types)).astype(types)


def _clips(summary: Summary) -> pd.DataFrame:
    frames = [_clips_of(m) for m in summary.models]
    return pd.concat(frames, ignore_index=True) if frames else _frame((), _CLIPS)


def _clips_of(m: ModelSummary) -> pd.DataFrame:
    clips = m.measured.clips
    same = ("scored", "target_score", "views", "frames", "video_s", "flow_cached")
    values = {
        "model": m.name,
        "run": m.measured.run,
        "clip": clips.clips,
        "label": clips.named(clips.column("label")),
        "predicted": clips.named(clips.top1),
        "probability": clips.column("probability")[:, 0],
        "right": pd.array(clips.right, "boolean"),
        "error": [clips.errors.get(row) for row in range(len(clips))],
        **{name: clips.column(name) for name in same},
    }
    frame = pd.DataFrame(values, columns=list(_CLIPS), index=range(len(clips)))
    frame.loc[~clips.counted, "right"] = pd.NA
    return frame.astype(_CLIPS)


def _scores(m: ModelData) -> pd.DataFrame:
    known = np.flatnonzero(m.scores.known)
    index = pd.Index([m.clips.clips[row] for row in known], name="clip", dtype="string")
    return pd.DataFrame(m.scores.rows(known), index=index, columns=list(m.model.labels))


def _processes(summary: Summary) -> Iterable[dict[str, Any]]:
    for m in summary.models:
        for p in m.measured.processes:
            yield {"model": m.name, "run": m.measured.run} | {
                name: getattr(p, name) for name in list(_PROCESSES)[2:]
            }


def _samples(summary: Summary) -> Iterable[dict[str, Any]]:
    for m in summary.models:
        for s in m.measured.latencies:
            yield {"model": m.name, "run": m.measured.run} | {
                name: getattr(s, name) for name in list(_SAMPLES)[2:]
            }


def _stages(summary: Summary) -> Iterable[dict[str, Any]]:
    for m in summary.models:
        for s in m.measured.latencies:
            for stage, seconds in s.stages_s.items():
                yield {
                    "model": m.name,
                    "process": s.process,
                    "repetition": s.repetition,
                    "attempt": s.attempt,
                    "clip": s.clip,
                    "stage": stage,
                    "seconds": seconds,
                }
