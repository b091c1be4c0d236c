"""The latency pass: fresh processes, one clip at a time, nothing else running, models taken in turn."""

from __future__ import annotations

from collections.abc import Sequence

from ..datasets.clip import Clip
from ..reports.records import LatencyRecord, ProcessRecord
from ..reports.run_directory import RunWriter
from .accuracy import doing, log_path
from .config import RunConfig
from .plan import PlannedModel
from .progress import Console, Progress
from .supervisor import Outcome, Worker


def latency_pass(
    models: Sequence[PlannedModel],
    clips: Sequence[Clip],
    config: RunConfig,
    writer: RunWriter,
    console: Console,
) -> dict[str, str]:
    """Time `clips` in `config.processes` fresh processes per model. Model → why it has no measurement.

    The models take turns, in an order that is reversed from round to round, so that a drift of the machine
    meets all of them alike. Processes that `writer` has a record of are not repeated.
    """
    ended = {model.key: [p for p in writer.processes() if p.model == model.key] for model in models}
    begun = {model.key: {s.process for s in writer.latencies() if s.model == model.key} for model in models}
    good = {key: sum(p.error is None for p in processes) for key, processes in ended.items()}
    order = sum(map(len, ended.values()))
    failures: dict[str, str] = {}
    total = sum(max(config.processes - done, 0) for done in good.values())
    with console.task("latency", total) as progress:
        for turn in range(config.processes):
            for model in models if turn % 2 == 0 else reversed(models):
                if model.key in failures or good[model.key] > turn:
                    continue
                taken = {p.process for p in ended[model.key]} | begun[model.key]
                number = max(taken, default=-1) + 1
                record = _measure(model, number, order, clips, config, writer, progress, console)
                order += 1
                writer.append_latency(record)
                ended[model.key].append(record)
                if record.error is not None:
                    failures[model.key] = record.error
                progress.advance(model.key)
    return failures


def _measure(
    model: PlannedModel,
    process: int,
    order: int,
    clips: Sequence[Clip],
    config: RunConfig,
    writer: RunWriter,
    progress: Progress,
    console: Console,
) -> ProcessRecord:
    """One fresh process: its samples are written as they come, its own record is returned."""
    job = model.job("latency", clips, config, min_seconds=config.latency_seconds)
    outcome = Outcome()
    facts: dict[str, object] = {}
    samples = 0
    refused = ""
    worker = Worker(job, model.python, log_path(writer.path, model.key), config.clip_timeout, console.say)
    for event in worker.events(outcome):
        kind = event.pop("event")
        if kind == "sample":
            samples += 1
            event["notes"] = tuple(event["notes"])
            writer.append_latency(LatencyRecord(model=model.key, process=process, **event))
        elif kind == "progress":
            progress.note(f"{model.key}: {doing(event)}")
        elif kind == "clip_error":
            refused = event["error"]
        elif kind in ("ready", "first", "end"):
            facts |= event
    error = outcome.failed
    if error is None and samples == 0:
        error = f"no clip could be timed: {refused}"
    details = facts.get("details")
    return ProcessRecord(
        model=model.key,
        process=process,
        order=order,
        load_s=_number(facts.get("load_s")),
        first_s=_number(facts.get("first_s")),
        peak_rss_bytes=_integer(facts.get("peak_rss_bytes")),
        peak_device_bytes=_integer(details.get("peak_device_bytes")) if isinstance(details, dict) else None,
        details=details if isinstance(details, dict) else {},
        error=error,
    )


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None
