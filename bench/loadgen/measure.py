"""`bench loadgen`: a network timed by MLPerf's LoadGen and by us, query by query.

LoadGen (https://github.com/mlcommons/inference/tree/master/loadgen) decides when a video is asked for, and
measures how long the answer takes; its logs are kept as they are. We time the same queries beside it.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from ...datasets.clip import Clip
from ...errors import BackendUnavailable, MeasurementError, UsageError, unknown_name
from ...parsing import parse_json
from ...records.json_lines import to_json, write_atomically
from ...records.run_directory import RunWriter, log_path
from ..console.progress import Console
from ..plan.config import RunConfig
from ..plan.planned_model import PlannedModel
from ..runner import finish, new_directory, planned, planned_run
from ..timed_clips import latency_sample
from ..worker.events import Answered, StageProgress
from ..worker.supervisor import Outcome, Worker
from .worker import LoadGenSettings

SCENARIOS = ("SingleStream", "MultiStream", "Server", "Offline")
"""LoadGen's own names."""

PERCENTILES = (0.5, 0.9, 0.95, 0.97, 0.99, 0.999)
"""Those that LoadGen's logs hold."""

_MARK = ":::MLLOG "


@dataclass(frozen=True, slots=True)
class Percentile:
    """A latency below which a share of the queries stayed, by LoadGen's clock and by ours."""

    percentile: float
    loadgen_s: float
    ours_s: float


@dataclass(frozen=True, slots=True)
class LoadGenResult:
    """One scenario of one model: `comparison.json`.

    - `version`: LoadGen's. `validity`: its own verdict ("VALID", "INVALID") by MLPerf's rules, which ask for
      hundreds of queries; `rules`: its words about it.
    - `queries`, `samples`: asked and answered; a query is 1 video, in MultiStream 8, in Offline all of them.
    - `qps`: videos a second that were asked for (Server) or expected (Offline), else None.
    - `percentiles`: of the latency of queries; in Offline of samples, from the beginning of the one query.
    - `notes`: what was odd about the samples, a fallback for one. `results`: LoadGen's figures, as it names
      them.
    """

    model: str
    scenario: str
    version: str
    validity: str
    rules: str
    seconds: float
    qps: float | None
    queries: int
    samples: int
    percentiles: tuple[Percentile, ...]
    notes: tuple[str, ...]
    results: Mapping[str, Any]


def run_loadgen(
    config: RunConfig, scenarios: Sequence[str], seconds: float, qps: float | None, console: Console
) -> Path:
    """Time the one model of `config` in each of the scenarios, in a fresh process each; the run directory.

    Raises UsageError for what makes no sense, BackendUnavailable without LoadGen, MeasurementError if a
    scenario gives no measurement.
    """
    _check(scenarios, seconds, qps)
    if config.latency_clips == 0:
        raise UsageError("selects no clips", where="--clips 0", expected="at least 1")
    config = config.resolved()
    plan = planned(config, console)
    (model,) = plan.models
    with RunWriter(new_directory(config), planned_run(plan)) as writer:
        console.say(f"run directory: {writer.path}")
        clips = latency_sample(plan, writer)
        try:
            for scenario in scenarios:
                folder = folder_of(writer.path, model.key, scenario)
                folder.mkdir(parents=True)
                settings = LoadGenSettings(
                    scenario, seconds, qps if scenario in ("Server", "Offline") else None, folder.resolve()
                )
                comparison = _measure(model, clips, settings, config, writer, console)
                print(in_words(comparison))
        except MeasurementError as error:
            finish(writer, "incomplete", {model.key: str(error)})
            raise
        except KeyboardInterrupt:
            finish(writer, "interrupted", {})
            raise
        finish(writer, "done", {})
    return writer.path


def _check(scenarios: Sequence[str], seconds: float, qps: float | None) -> None:
    for name in scenarios:
        if name not in SCENARIOS:
            raise unknown_name("scenario of LoadGen", name, SCENARIOS)
    if not scenarios or len(set(scenarios)) < len(scenarios):
        raise UsageError("scenario missing or repeated", where="--scenario", found=", ".join(scenarios))
    for option, value in (("--seconds", seconds), ("--qps", qps)):
        if value is not None and not 0 < value < math.inf:
            raise UsageError("must be a number above 0", where=option, found=value)
    if qps is not None and not set(scenarios) & {"Server", "Offline"}:
        raise UsageError("is asked for in Server and Offline only", where="--qps", found=", ".join(scenarios))
    if importlib.util.find_spec("mlperf_loadgen") is None:
        raise BackendUnavailable(
            "MLPerf's LoadGen is not installed",
            where="bench loadgen",
            expected="the package mlcommons-loadgen",
            remedy="`pip install 'actionbench[loadgen]'`.",
        )


def folder_of(run: Path, model: str, scenario: str) -> Path:
    """Where LoadGen's logs and ours lie in a run directory; safe whatever the model is called."""
    return run / "loadgen" / log_path(run, model).stem / scenario


def _measure(
    model: PlannedModel,
    clips: Sequence[Clip],
    settings: LoadGenSettings,
    config: RunConfig,
    writer: RunWriter,
    console: Console,
) -> LoadGenResult:
    """One scenario in a fresh process; what comes of it is written beside LoadGen's logs."""
    worker = Worker(
        model.job("loadgen", clips, settings=settings),
        model.python,
        log_path(writer.path, model.key),
        # Between two queries of a Server there may be nothing to do: of 500 million, one waits so long.
        config.clip_timeout + (20 / settings.qps if settings.qps else 0),
        console.say,
    )
    outcome = Outcome()
    answered: list[Answered] = []
    with console.task(f"{settings.scenario} · {model.key}", 1) as progress:
        for event in worker.events(outcome):
            match event:
                case StageProgress():
                    progress.note(str(event))
                case Answered():
                    answered.append(event)
    if outcome.failed is not None:
        raise MeasurementError(f"{settings.scenario}: {outcome.failed}", where=model.key)
    comparison = compare(model.key, settings, answered)
    resume = "bench loadgen"
    lines = b"".join(to_json(asdict(sample)) for sample in answered)
    write_atomically(settings.logs / "samples.jsonl", lines, resume)
    write_atomically(settings.logs / "comparison.json", to_json(asdict(comparison), indent=1), resume)
    return comparison


def compare(model: str, settings: LoadGenSettings, answered: Sequence[Answered]) -> LoadGenResult:
    """LoadGen's figures, read from its log, beside ours from the times of `answered` samples.

    Raises MeasurementError if the log lacks them, or counts other queries than ours.
    """
    log = settings.logs / "mlperf_log_detail.txt"
    found = read_log(log)
    latencies = our_latencies(settings.scenario, answered)
    infix = "per_query_" if settings.scenario == "MultiStream" else ""
    try:
        percentiles = tuple(
            Percentile(
                share,
                found[f"result_{100 * share:.2f}_percentile_{infix}latency_ns"] / 1e9,
                percentile(latencies, share),
            )
            for share in PERCENTILES
        )
        comparison = LoadGenResult(
            model=model,
            scenario=settings.scenario,
            version=found["loadgen_version"],
            validity=found["result_validity"],
            rules=_rules(found),
            seconds=settings.seconds,
            qps=found["effective_target_qps"] if settings.scenario in ("Server", "Offline") else None,
            queries=found["result_query_count"],
            samples=len(answered),
            percentiles=percentiles,
            notes=tuple(sorted({note for sample in answered for note in sample.notes})),
            results={key: value for key, value in found.items() if key.startswith("result_")},
        )
    except (KeyError, TypeError) as error:
        raise MeasurementError(f"LoadGen's log lacks a figure: {error}", where=log) from error
    ours = len({sample.query for sample in answered})
    if comparison.queries != ours:
        raise MeasurementError(
            "LoadGen counts other queries than were answered",
            where=log,
            expected=ours,
            found=comparison.queries,
        )
    return comparison


def _rules(found: Mapping[str, Any]) -> str:
    """Which of its rules LoadGen says are not met, and what it says of the number of queries."""
    unmet = [key.removeprefix("result_").removesuffix("_met") for key in found if key.endswith("_met")]
    unmet = [name.replace("_", " ") for name in unmet if found.get(f"result_{name}_met") is False]
    said = " ".join(str(found.get("early_stopping_result", "")).replace("*", " ").split())
    return " ".join(filter(None, [f"Not met: {', '.join(unmet)}." if unmet else "", said]))


def read_log(path: Path) -> dict[str, Any]:
    """Key → value of a detailed log of LoadGen's; the last one where a key comes twice."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        entries = [parse_json(line.removeprefix(_MARK)) for line in lines if line.startswith(_MARK)]
        return {entry["key"]: entry["value"] for entry in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeasurementError(f"LoadGen's log cannot be read: {error}", where=path) from error


def our_latencies(scenario: str, answered: Sequence[Answered]) -> list[float]:
    """Seconds from asking to answer: of a query's last sample in MultiStream, else of each sample."""
    if scenario != "MultiStream":
        return [sample.done_s - sample.issued_s for sample in answered]
    last = {sample.query: sample.done_s - sample.issued_s for sample in answered}
    return list(last.values())


def percentile(values: Sequence[float], share: float) -> float:
    """As LoadGen takes it: of n sorted values the one at ⌊n · share⌋, counted from 0."""
    return sorted(values)[int(len(values) * share)]


def in_words(comparison: LoadGenResult) -> str:
    """The comparison as a table, with what LoadGen thinks of it."""
    rows = [
        [f"{100 * p.percentile:g} %", 1e3 * p.loadgen_s, 1e3 * p.ours_s, 1e3 * (p.ours_s - p.loadgen_s)]
        for p in comparison.percentiles
    ]
    asked = "" if comparison.qps is None else f", {comparison.qps:.4g} videos a second asked for"
    return (
        f"\n{comparison.model}, {comparison.scenario}: {comparison.queries} queries, "
        f"{comparison.samples} videos, preprocessing included{asked}\n"
        + tabulate(rows, headers=["latency", "LoadGen, ms", "ours, ms", "difference, ms"], floatfmt=".3f")
        + f"\nBy MLPerf's rules LoadGen {comparison.version.split()[0]} calls this {comparison.validity}."
        + (f" {comparison.rules}" if comparison.rules else "")
        + "".join(f"\nNote: {note}" for note in comparison.notes)
    )
