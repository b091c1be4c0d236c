"""The timed scenarios: fresh processes, nothing else running, models taken in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...datasets.clip import Clip
from ...errors import MeasurementError
from ...records.run import ProcessRecord
from ...records.run_directory import RunWriter, log_path
from ...records.scenarios.registry import scenario_type
from ...typed_values import typed
from ..console.progress import Console, Progress
from ..plan.config import RunConfig
from ..plan.planned_model import PlannedModel
from ..worker.events import Done, FirstForward, Measured, Ready, StageProgress
from ..worker.supervisor import Outcome, Worker
from .scenario import scenario as scenario_named


def scenario_pass(
    scenario: str,
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
    processes, samples = writer.processes(scenario), writer.samples(scenario)
    ended = {model.key: [p for p in processes if p.model == model.key] for model in models}
    begun = {model.key: {s.process for s in samples if s.model == model.key} for model in models}
    good = {key: sum(p.error is None for p in processes) for key, processes in ended.items()}
    order = sum(map(len, ended.values()))
    failures: dict[str, str] = {}
    total = sum(max(config.processes - done, 0) for done in good.values())
    with console.task(scenario, total) as progress:
        for turn in range(config.processes):
            for model in models if turn % 2 == 0 else reversed(models):
                if model.key in failures or good[model.key] > turn:
                    continue
                taken = {p.process for p in ended[model.key]} | begun[model.key]
                number = max(taken, default=-1) + 1
                job = scenario_named(scenario).job(model, clips, config)
                worker = Worker(
                    job, model.python, log_path(writer.path, model.key), config.clip_timeout, console.say
                )

                def keep(record: object) -> None:
                    writer.append_timing(scenario, record)

                record = measure(scenario, worker, model.key, number, order, keep, progress)
                order += 1
                writer.append_timing(scenario, record)
                ended[model.key].append(record)
                if record.error is not None:
                    failures[model.key] = f"{scenario}: {record.error}"
                progress.advance(model.key)
    return failures


def all_timed(models: Sequence[PlannedModel], config: RunConfig, writer: RunWriter) -> bool:
    """Whether every model has all processes of every scenario, so that no clip is needed for timing."""

    def enough(scenario: str, model: PlannedModel) -> bool:
        processes = writer.processes(scenario)
        good = sum(process.model == model.key and process.error is None for process in processes)
        return good >= config.processes

    return not config.find_peak and all(enough(name, model) for name in config.scenarios for model in models)


def measure(
    scenario: str,
    worker: Worker,
    model: str,
    process: int,
    order: int,
    keep: Callable[[object], None],
    progress: Progress,
) -> ProcessRecord:
    """Run one fresh process: `keep` is given each record that it measures, its own record is returned."""
    outcome = Outcome()
    load_s = first_s = peak_rss_bytes = None
    details: dict[str, Any] = {}
    for event in worker.events(outcome):
        match event:
            case Measured():
                try:
                    record = record_of(scenario, event, model, process)
                except MeasurementError as error:
                    outcome.failed = error.what
                    break
                keep(record)
            case StageProgress():
                progress.note(f"{model}: {event}")
            case Ready():
                load_s, details = event.load_s, event.details
            case FirstForward():
                first_s = event.first_s
            case Done():
                peak_rss_bytes, details = event.peak_rss_bytes, event.details
    peak_device_bytes = details.get("peak_device_bytes")
    return ProcessRecord(
        model=model,
        process=process,
        order=order,
        load_s=load_s,
        first_s=first_s,
        peak_rss_bytes=peak_rss_bytes,
        peak_device_bytes=peak_device_bytes if isinstance(peak_device_bytes, int) else None,
        details=details,
        error=outcome.failed,
    )


def record_of(scenario: str, event: Measured, model: str, process: int) -> Any:
    """The scenario's record of a measurement. Raises MeasurementError if its values are not those of one."""
    try:
        return typed(scenario_type(scenario).record, {"model": model, "process": process, **event.values})
    except ValueError as error:
        raise MeasurementError(f"the measurement cannot be read: {error}", where=model) from error
