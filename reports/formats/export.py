"""Writes a report: every derived file of a run directory. The same runs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...plain_text import spreadsheet_cell
from ...records.scenarios.registry import SCENARIOS
from ...records.scenarios.stream import StreamRecord
from ...records.scenarios.stream_trials import StreamPeak
from ..analysis.accuracy import Accuracy, AtOperatingPoint, TargetAccuracy
from ..analysis.classes import ClassAccuracy, class_accuracies
from ..analysis.deployment import pace, pareto_front
from ..analysis.load_runs import merge, read_run
from ..analysis.scenarios import ScenarioSummary
from ..analysis.summary import ModelSummary, Summary, summarise
from ..analysis.timing import Timing
from ..charts.all_charts import CHARTS, all_charts
from ..charts.plots import draw
from ..statistics.intervals import Estimate
from ..tables.accuracy import paired_record
from ..tables.all_tables import agreement_text, all_tables
from ..tables.stream_peaks import ages, persons
from ..tables.table import Table
from .files import json_document, stays_inside, write_files
from .html import page
from .latex import tabular
from .markdown import report

SCHEMA = 1
"""Version of results.json; increased when a key changes its name or meaning, not for new keys."""


def write_report(runs: Path | Sequence[Path], out: Path | None = None, target: str | None = None) -> Path:
    """Write the report of one or several run directories; returns the path of report.html.

    - `runs`: paths of run directories.
    - `out`: folder to write to; None takes the directory of a single run.
    - `target`: the target class; None takes that of the first run.

    Each file is replaced atomically. Raises UsageError for a path that is no run directory, for several runs
    without `out`, or if the report cannot be written.
    """
    paths = [runs] if isinstance(runs, Path) else list(runs)
    if out is None and len(paths) > 1:
        raise UsageError(
            "several runs need a folder for their report", where="--out", remedy="Name a folder."
        )
    summary = summarise(merge([read_run(path) for path in paths], target))
    return write_summary(summary, paths[0] if out is None else out)


def write_summary(summary: Summary, out: Path) -> Path:
    """Write a report in all formats into the folder `out`; returns the path of report.html.

    Raises UsageError if it cannot be written.
    """
    tables, charts = all_tables(summary), all_charts(summary)
    drawings = [draw(chart) for chart in charts]
    comparison = next(table for table in tables if table.name == "comparison")
    files: dict[str, str | bytes] = {
        **{f"tables/{table.name}.csv": csv(table) for table in tables},
        "tables/comparison.tex": tabular(comparison),
        **{f"plots/{drawing.chart.name}.svg": drawing.svg for drawing in drawings},
        **{f"plots/{drawing.chart.name}.png": drawing.png for drawing in drawings},
        "results.json": json_text(summary),
        "report.md": report(summary, tables, charts),
        "report.html": page(summary, tables, drawings),
    }
    try:
        write_files(out, files)
        _remove_plots(set(CHARTS) - {drawing.chart.name for drawing in drawings}, out / "plots")
    except OSError as error:
        raise UsageError(
            f"the report cannot be written: {error.strerror}",
            where=error.filename or out,
            remedy="The run is safe: `bench report RUN --out FOLDER` writes its report elsewhere.",
        ) from error
    return out / "report.html"


def _remove_plots(names: Iterable[str], folder: Path) -> None:
    """Remove the files of charts that an earlier report had."""
    for name in names:
        for ending in (".svg", ".png"):
            if stays_inside(path := folder / (name + ending), folder.parent):
                path.unlink(missing_ok=True)


def csv(table: Table) -> str:
    """The raw values as CSV, unknown ones empty; texts are escaped so that no spreadsheet reads a formula."""
    frame = table.frame().rename(columns=spreadsheet_cell).map(spreadsheet_cell)
    return frame.to_csv(index=False, lineterminator="\n")


def json_text(summary: Summary) -> str:
    """results.json: every figure, units in the keys; see docs/run-directory.md."""
    return json_document(results(summary))


def results(summary: Summary) -> dict[str, Any]:
    """The content of results.json."""
    front = pareto_front(summary)
    return {
        "schema": SCHEMA,
        "target": summary.target,
        "notes": list(summary.merged.notes),
        "runs": [
            {
                "run": data.name,
                "started": data.run.started,
                "state": data.run.state,
                "data": data.run.data,
                "environment": data.run.environment,
                "config": data.run.config,
            }
            for data in summary.merged.runs
        ],
        "models": [_model(m, summary.target) | {"pareto": front.standing(m.name)} for m in summary.models],
        "paired": [paired_record(p) for p in summary.pairs],
    }


def _model(m: ModelSummary, target: str) -> dict[str, Any]:
    model = m.measured.model
    return {
        "model": m.name,
        "run": m.measured.run,
        "key": model.key,
        "title": model.title,
        "state": model.state,
        "error": model.error,
        "backend": model.backend,
        "device": m.device,
        "details": m.details,
        "weights_kind": m.measured.weights_kind,
        "weights": model.weights,
        "views": model.views,
        "flow": model.flow,
        "people": model.people,
        "sweep": model.sweep,
        "classes": len(model.labels),
        "parameters": m.parameters,
        "certificate": model.certificate,
        "agreement": agreement_text(m, target),
        "drift": model.drift and asdict(model.drift),
        "drift_on_videos": m.agreement and m.agreement.on_clips and asdict(m.agreement.on_clips),
        "drift_verdict": m.agreement and m.agreement.verdict,
        "precision": model.precision,
        "form": model.form,
        "packages": model.packages,
        "accuracy": _accuracy(m.accuracy) | {"classes": [_class(c) for c in class_accuracies(m)]},
        "timing": _timing(m.timing)
        | {
            "keeps_up": _keeps_up(m),
            "gemm_gflop_per_s": m.gemm_peak and m.gemm_peak.gflop_per_s,
        },
        **{name: _scenario(m.scenarios.get(name)) for name in SCENARIOS if name != "latency"},
        "stream_peaks": [_peak(peak) for peak in m.stream_peaks],
    }


def _accuracy(a: Accuracy) -> dict[str, Any]:
    return {
        "reason": a.reason,
        "top1": _estimate(a.top1),
        "top5": _estimate(a.top5),
        "videos_unlabelled": a.unlabelled,
        "videos_unknown_label": a.unknown_label,
        "failed": [{"clip": clip, "error": error} for clip, error in a.failed],
        "target": _one_class(a.target),
        "at_operating_point": _decided(a.at_operating_point),
    }


def _one_class(t: TargetAccuracy) -> dict[str, Any]:
    return {
        "reason": t.reason,
        "videos": t.videos,
        "predicted": t.predicted,
        "hits": t.hits,
        "precision": _estimate(t.precision),
        "recall": _estimate(t.recall),
        "f1": _estimate(t.f1),
        "average_precision": _estimate(t.average_precision),
        "taken_for": [{"label": label, "videos": n} for label, n in t.taken_for],
        "mistaken": [{"label": label, "videos": n} for label, n in t.mistaken],
    }


def _decided(found: AtOperatingPoint | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        **asdict(found.point),
        "accuracy": _estimate(found.accuracy),
        "decided": _one_class(found.decided),
        "most_probable": _one_class(found.most_probable),
    }


def _class(c: ClassAccuracy) -> dict[str, Any]:
    return {
        "label": c.label,
        "videos": c.videos,
        "predicted": c.predicted,
        "hits": c.hits,
        "recall": _estimate(c.recall),
        "precision": _estimate(c.precision),
    }


def _keeps_up(m: ModelSummary) -> list[dict[str, Any]]:
    return [{"frames_per_s": asked, "answer": answer} for asked, answer in pace(m).answers()]


def _timing(t: Timing) -> dict[str, Any]:
    return {
        "processes": t.processes,
        "videos": t.videos,
        "samples": t.samples,
        **_figures(t.latency),
        "total_s_percentiles": {f"{100 * q:g}": seconds for q, seconds in t.percentiles},
        "stages": [
            {"stage": name, "s_per_video": _estimate(stage.seconds), "share": stage.share}
            for name, stage in t.stages
        ],
        "share_between_stages": t.other_share,
        "samples_repeated": t.repeated,
        "preprocessed": t.preprocessed,
        "errors": [{"process": process, "error": error} for process, error in t.errors],
    }


def _scenario(s: ScenarioSummary | None) -> dict[str, Any] | None:
    if s is None:
        return None
    return {
        **_figures(s),
        "skipped": [{"clip": clip, "error": reason} for clip, reason in s.skipped],
        "notes": list(s.notes),
        "errors": [{"process": process, "error": error} for process, error in s.errors],
    }


def _peak(peak: StreamPeak) -> dict[str, Any]:
    return {
        "search": peak.search,
        "ended": peak.ended,
        "kept_up": _camera(peak.kept_up),
        "not_kept_up": _camera(peak.not_kept_up),
        "no_label_due": _camera(peak.undecided),
        "camera_bytes": peak.camera_bytes,
    }


def _camera(trial: StreamRecord | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    camera = {"fps": trial.fps, "stride": trial.stride, "cameras": trial.cameras}
    return {**camera, **ages(trial), **persons(trial)}


def _figures(s: ScenarioSummary) -> dict[str, Any]:
    return {
        name: _estimate(figure) if isinstance(figure, Estimate) else figure
        for name, figure in s.figures.items()
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    interval = estimate.interval
    return {
        "value": estimate.value,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "interval": None if interval is None else interval.method,
        "n": estimate.n,
    }
