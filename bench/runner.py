"""`bench run`: the plan, the accuracy pass, the timed scenarios, the report."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ..datasets.check import Checker
from ..datasets.clip import Clip
from ..errors import MeasurementError, UsageError
from ..records.run import ModelRecord, Run
from ..records.run_directory import SCORES, RunDirectory, RunWriter, machine_runs
from .agreement.check import check_agreement
from .console.progress import Console
from .executors.executor import Executor, executor_of
from .plan.config import DEFAULT_TARGET, RunConfig, from_mapping, is_demo, parse_sweep
from .plan.environment import environment
from .plan.files.needed import with_files
from .plan.peak import gemm_peaks
from .plan.plan import Plan, make_plan
from .plan.planned_model import PlannedModel
from .plan.selection import expanded
from .plan.sweep import swept
from .scenarios.accuracy import accuracy_pass
from .scenarios.scenario import scenario
from .scenarios.stream_search import search_pass
from .scenarios.timed import scenario_pass


def start_run(config: RunConfig, console: Console, part_of: str | None = None) -> Path:
    """Plan and carry out a new run; returns its directory.

    - `config`: the settings.
    - `console`: shows messages and progress.
    - `part_of`: the command that this run is a step of, which alone continues it; such a run has no report of
      its own and no thumbnails for one. None: the run is all there is.

    A model without a result does not raise an error here: see `require_results`.
    """
    config = expanded(config.resolved(), console.say)
    plan = planned(config, console)
    path = new_directory(config)
    with RunWriter(path, begun_run(plan)) as writer:
        console.say(f"run directory: {path}")
        return _carry_out(plan, writer, console, part_of)


def begun_run(plan: Plan) -> Run:
    """As `planned_run`, with the measured speed of this machine in matrix products."""
    run = planned_run(plan)
    peaks = gemm_peaks([(model.python, model.options) for model in counted_models(plan)])
    return replace(run, environment=run.environment | {"gemm_peaks": peaks})


def resume_run(path: Path, console: Console, part_of: str | None = None) -> Path:
    """Continue an interrupted run: its results are kept, what is missing is measured; returns its directory.

    - `path`: the run directory.
    - `console`: shows messages and progress.
    - `part_of`: see `start_run`.

    Raises UsageError if the clips, the weights or the machine differ from those at the start of the run.
    """
    before = RunDirectory(path).run
    plan = planned(from_mapping(before.config, str(path)), console)
    now = planned_run(plan)
    for what in ("actionbench", "cpu", "cores", "packages"):
        if now.environment.get(what) != before.environment.get(what):
            raise UsageError(
                f"`{what}` has changed since the run began",
                where=path,
                expected=before.environment.get(what),
                found=now.environment.get(what),
                remedy="Start a new run; `bench report` can join runs.",
            )
    if now.data["digest"] != before.data["digest"]:
        raise UsageError("the clips have changed since the run began", where=path, remedy="Start a new run.")
    if (devices := _devices(now)) != (devices_before := _devices(before)):
        raise UsageError(
            "the models or their devices have changed since the run began",
            where=path,
            expected=", ".join(devices_before),
            found=", ".join(devices),
            remedy="Start a new run; `bench report` can join runs.",
        )
    for model, model_before in zip(now.models, before.models, strict=True):
        if model.weights != model_before.weights:
            raise UsageError(
                f"the weights of {model.key} have changed since the run began",
                where=path,
                remedy="Start a new run.",
            )
    with RunWriter(path) as writer:
        if writer.lost:
            console.say(f"{path / SCORES} is truncated: {len(writer.lost)} predictions are computed again")
        writer.write_run(replace(before, state="running"))
        return _carry_out(plan, writer, console, part_of)


def _devices(run: Run) -> list[str]:
    """The device of each model; models that this machine cannot run come last."""
    return [f"{model.key} on {model.device}" for model in run.models]


def planned(config: RunConfig, console: Console) -> Plan:
    """The plan of a run, with its demo weights made and one model for each point of its sweep.

    - `config`: the settings.
    - `console`: shows which models cannot be run or lack the default target class, and what is made.

    Raises as `make_plan`, `with_files` and `swept` do.
    """
    plan = make_plan(config)
    for key, refusal in plan.refusals.items():
        console.say(f"{key}: {refusal}")
    for model in plan.models:
        if model.target is None:
            console.say(f"{model.key}: has no class {DEFAULT_TARGET}; --target names the one to report")
    models = tuple(with_files(model, config, console.say) for model in plan.models)
    several_videos = any(scenario(name).several_videos for name in config.scenarios)
    return replace(plan, models=swept(models, parse_sweep(config.sweep), several_videos))


def new_directory(config: RunConfig) -> Path:
    """The run directory of the settings; by default a new name from the time and the models."""
    if config.out is not None:
        return Path(config.out)
    names = "+".join("".join(c if c.isalnum() else "-" for c in Path(name).name) for name in config.models)
    return Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{names[:60]}"


def planned_run(plan: Plan) -> Run:
    """The record of a run at its start."""
    config = plan.config
    return Run(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        config=config.to_dict(),
        environment=environment() | {"threads": plan.models[0].options.threads, "tf32": config.tf32},
        data={
            "name": plan.clips.name,
            "digest": plan.clips.digest(),
            "clips": len(plan.clips),
            "missing": [clip.id for clip in plan.clips.missing],
            "unknown_labels": list(plan.clips.unknown_labels),
            "demo": is_demo(config.data),
        },
        target=config.target or DEFAULT_TARGET,
        models=(
            *(model.record() for model in plan.models),
            *(
                replace(model.record(), state="failed", error=plan.refusals[model.key])
                for model in plan.refused
            ),
        ),
    )


def counted_models(plan: Plan) -> list[PlannedModel]:
    """Models whose speed in operations per second the report compares with that of a matrix product."""
    config = plan.config
    if not config.peak or "latency" not in config.scenarios or config.latency_clips == 0:
        return []
    return [model for model in plan.models if model.request.model.macs is not None]


def _carry_out(plan: Plan, writer: RunWriter, console: Console, part_of: str | None) -> Path:
    begin = time.monotonic()
    try:
        failures = _measure(plan, writer, console, thumbnails=part_of is None)
    except KeyboardInterrupt:
        finish(writer, "interrupted", plan.refusals)
        console.say(f"interrupted; continue with: {part_of or f'bench run --resume {writer.path}'}")
        raise
    finish(writer, "incomplete" if failures else "done", failures)
    if part_of is not None:
        return writer.path
    duration = in_words(time.monotonic() - begin)
    console.say(f"measured in {duration}; {_reported(plan.config, writer.path)}")
    return writer.path


def in_words(seconds: float) -> str:
    """A duration in whole seconds."""
    return "less than a second" if seconds < 0.5 else f"{seconds:.0f} s"


def _reported(config: RunConfig, run: Path) -> str:
    """Write the report of a finished run if `config.report` is set; a message with its path."""
    if not config.report:
        return f"no report (--no-report); write it with: bench report {run}"
    from ..reports.formats.export import write_report  # with matplotlib and plotly

    path = write_report([run, *machine_runs(run)], run)
    return f"report: {path}, {path.with_suffix('.md')}"


def _measure(plan: Plan, writer: RunWriter, console: Console, *, thumbnails: bool) -> dict[str, str]:
    """The accuracy pass and the scenarios; model → why it has no result."""
    with executor_of(plan.config, writer.path) as predict:
        failures = _predict(plan, writer, console, predict, thumbnails=thumbnails)
        clips = latency_sample(plan, writer)
        if plan.config.executor == "local" or not clips:
            return timed_scenarios(plan, clips, failures, writer, console)
        from .machines import this_node_alone, time_other_machines  # with Ray

        with this_node_alone(console):
            timed = timed_scenarios(plan, clips, failures, writer, console)
        time_other_machines(plan, clips, failures, writer.path, console)
        return timed


def _predict(
    plan: Plan, writer: RunWriter, console: Console, predict: Executor, *, thumbnails: bool
) -> dict[str, str]:
    """The accuracy pass of each model; model → why it has no result."""
    failures = plan.refusals
    for model in plan.models:
        if model.timed_only:
            continue
        failure = accuracy_pass(
            model, plan.clips, plan.config, writer, console, thumbnails=thumbnails, predict=predict
        )
        if failure is not None:
            console.say(f"{model.key} failed: {failure}")
            failures[model.key] = failure
    check_agreement(plan, writer, console)
    for model in plan.models:
        if model.key not in failures and not model.timed_only and not _predicted(writer, model.key):
            first = next(record for record in writer.clips() if record.model == model.key)
            failures[model.key] = f"no clip could be predicted; the first, {first.clip}: {first.error}"
    return failures


def timed_scenarios(
    plan: Plan, clips: Sequence[Clip], failures: Mapping[str, str], writer: RunWriter, console: Console
) -> dict[str, str]:
    """The timed scenarios on this machine; model → why it has no result.

    - `clips`: that are timed.
    - `failures`: models without a result until now: they are not timed, and are in what is returned.
    - `writer`, `console`: of the run.
    """
    config, failed = plan.config, dict(failures)
    for name in config.scenarios if clips else ():
        alive = [model for model in plan.models if model.key not in failed]
        failed |= scenario_pass(name, alive, clips, config, writer, console)
    if config.find_peak and clips:
        alive = [model for model in plan.models if model.key not in failed]
        failed |= search_pass(alive, clips, config, writer, console)
    return failed


def _predicted(writer: RunWriter, key: str) -> bool:
    return any(record.model == key and record.error is None for record in writer.clips())


def latency_sample(plan: Plan, writer: RunWriter) -> Sequence[Clip]:
    """The clips that are timed: a seeded random sample of the usable clips.

    - `plan`: the run's clips, models and settings.
    - `writer`: has the records of the accuracy pass.

    Usable are clips that no model failed on; without an accuracy pass, those that decode and are long enough.
    """
    tried = {record.clip for record in writer.clips()}
    failed = {record.clip for record in writer.clips() if record.error is not None}
    return timed_clips(plan, tried, failed)


def timed_clips(plan: Plan, tried: Collection[str] = (), failed: Collection[str] = ()) -> Sequence[Clip]:
    """As `latency_sample`, from sets of clip ids.

    - `plan`: the run's clips, models and settings.
    - `tried`: clips that the accuracy pass had; they need no check.
    - `failed`: clips that a model failed on.
    """
    wanted = plan.config.latency_clips
    if wanted == 0:
        return ()
    clips = tuple(clip for clip in plan.clips if clip.id not in failed)
    order = random.Random(plan.config.seed).sample(sorted(clip.id for clip in clips), len(clips))
    by_id = {clip.id: clip for clip in clips}
    least = max(model.views.min_frames for model in plan.models) + 1
    chosen: list[Clip] = []
    with Checker(min_frames=least, timeout_s=plan.config.clip_timeout) as checker:
        for clip in (by_id[id_] for id_ in order):
            if clip.id in tried or checker.check(clip).state == "ok":
                chosen.append(clip)
            if len(chosen) == wanted:
                break
    return chosen or clips[:wanted]


def finish(writer: RunWriter, state: str, failures: dict[str, str]) -> None:
    """Record how the run ended.

    - `writer`: of the run.
    - `state`: "done", "incomplete" or "interrupted".
    - `failures`: key of a model → why it has no result.
    """
    run = writer.run
    parameters = {p.model: p.details.get("parameters") for p in writer.processes() if p.error is None}
    # A network of somebody else's may say something else.
    parameters = {model: count for model, count in parameters.items() if isinstance(count, int)}
    models: list[ModelRecord] = []
    for model in run.models:
        failure = failures.get(model.key)
        models.append(
            replace(
                model,
                state="failed" if failure else ("done" if state != "interrupted" else model.state),
                error=failure,
                parameters=parameters.get(model.key, model.parameters),
            )
        )
    writer.write_run(replace(run, state=state, models=tuple(models)))  # type: ignore[arg-type]


def require_results(directory: RunDirectory) -> None:
    """Raise MeasurementError, which names the directory, if a planned model has no result."""
    failed = [f"{model.key}: {model.error}" for model in directory.run.models if model.state == "failed"]
    if failed:
        raise MeasurementError("no result for " + "; ".join(failed), where=directory.path)
