"""The timed scenarios: fresh processes, nothing else running, models taken in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from ...datasets.clip import Clip
from ...records.run import ProcessRecord, Scenario
from ...records.run_directory import TIMED, RunWriter, Timed
from ..console.progress import Console, Progress
from ..plan.config import RunConfig
from ..plan.plan import PlannedModel
from ..worker.job import CameraSettings, Job
from ..worker.supervisor import Outcome, Worker
from .accuracy import doing, log_path

FALLBACK_FPS = Fraction(25)
"""A camera's rate where neither the user nor the weights name one."""


def scenario_pass(
    scenario: Scenario,
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
                job = scenario_job(scenario, model, clips, config)
                worker = Worker(
                    job, model.python, log_path(writer.path, model.key), config.clip_timeout, console.say
                )

                def keep(record: Timed) -> None:
                    writer.append_timing(scenario, record)

                record = measure(scenario, worker, model.key, number, order, keep, progress)
                order += 1
                writer.append_timing(scenario, record)
                ended[model.key].append(record)
                if record.error is not None:
                    failures[model.key] = f"{scenario}: {record.error}"
                progress.advance(model.key)
    return failures


def scenario_job(scenario: Scenario, model: PlannedModel, clips: Sequence[Clip], config: RunConfig) -> Job:
    """The job of one process. `model.options.threads` is what all its threads at work together amount to."""
    threads = model.options.threads
    if scenario == "latency":
        return model.job("latency", clips, min_seconds=config.latency_seconds)
    if scenario == "pipelined":
        # As many forward calls as a clip gives at a time share the threads.
        at_once = len(model.weights) if model.whole else threads
        job = model.job("pipelined", clips, min_seconds=config.latency_seconds, lanes=threads)
        each = max(1, threads // at_once)
        return replace(job, options=replace(job.options, threads=each, at_once=min(at_once, threads)))
    if scenario == "throughput":
        # Single-threaded steps of several clips keep the cores busier than steps that are cut in pieces.
        job = model.job(
            "throughput",
            clips,
            min_seconds=config.throughput_seconds,
            lanes=threads,
            in_flight=threads + model.batch,
        )
        return replace(job, options=replace(job.options, threads=1, at_once=threads))
    job = model.job("stream", clips, camera=camera_settings(model, config))
    # Flow takes a core of its own; resizing alone takes a few hundredths of one.
    forward = threads if model.flow is None else max(1, threads - 1)
    return replace(job, options=replace(job.options, threads=forward))


def camera_settings(model: PlannedModel, config: RunConfig) -> CameraSettings:
    """The camera that a model is shown: at the rate of its weights unless the user names another."""
    rates = [w.description.preprocessing.rate for w in model.weights.values()]
    rate = next((rate for rate in rates if rate is not None), FALLBACK_FPS)
    return CameraSettings(
        fps=rate if config.stream_fps is None else Fraction(str(config.stream_fps)),
        window=model.window or model.request.model.views.window or model.request.model.window_frames,
        stride=config.stride,
        seconds=config.stream_seconds,
    )


def measure(
    scenario: Scenario,
    worker: Worker,
    model: str,
    process: int,
    order: int,
    keep: Callable[[Timed], None],
    progress: Progress,
) -> ProcessRecord:
    """Run one fresh process: `keep` is told what it measures as it comes, its own record is returned."""
    outcome = Outcome()
    facts: dict[str, object] = {}
    for event in worker.events(outcome):
        kind = event.pop("event")
        if kind in ("sample", "measured"):
            fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in event.items()}
            keep(TIMED[scenario](model=model, process=process, **fields))
        elif kind == "progress":
            progress.note(f"{model}: {doing(event)}")
        elif kind in ("ready", "first", "end"):
            facts |= event
    details = facts.get("details")
    return ProcessRecord(
        model=model,
        process=process,
        order=order,
        load_s=_number(facts.get("load_s")),
        first_s=_number(facts.get("first_s")),
        peak_rss_bytes=_integer(facts.get("peak_rss_bytes")),
        peak_device_bytes=_integer(details.get("peak_device_bytes")) if isinstance(details, dict) else None,
        details=details if isinstance(details, dict) else {},
        error=outcome.failed,
    )


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None
