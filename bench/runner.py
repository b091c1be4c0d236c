"""`bench run`: the plan, the accuracy pass, the timed scenarios, the report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import NO_SPACE
from ..datasets.archives.sets.request import FetchRequest
from ..datasets.archives.sets.request import from_mapping as fetch_request
from ..datasets.clip import Clip, ClipSet
from ..datasets.sources.registry import Source, load_clips
from ..errors import ArchiveError, MeasurementError, UsageError
from ..records.json_lines import refused
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
from .scenarios.accuracy import accuracy_passes
from .scenarios.scenario import scenario
from .scenarios.stream_search import search_pass
from .scenarios.timed import scenario_pass
from .timed_clips import latency_sample

if TYPE_CHECKING:
    from .archives.clips import ArchiveClips


def start_run(
    config: RunConfig,
    console: Console,
    part_of: str | None = None,
    request: FetchRequest | None = None,
) -> Path:
    """Plan and carry out a new run; returns its directory.

    - `config`: the settings.
    - `console`: shows messages and progress.
    - `part_of`: the command that this run is a step of, which alone continues it; such a run has no report of
      its own and no thumbnails for one. None: the run is all there is.
    - `request`: clips that come out of archives while the run goes on, in place of `config.data`.

    A model without a result does not raise an error here: see `require_results`.
    """
    config = expanded(config.resolved(), console.say)
    archives = _archives(request, console)
    plan = planned(config, console, load_clips if archives is None else archives.load)
    path = new_directory(config)
    with RunWriter(path, begun_run(plan, archives)) as writer:
        console.say(f"run directory: {path}")
        return _carry_out(plan, writer, console, part_of, archives)


def begun_run(plan: Plan, archives: ArchiveClips | None = None) -> Run:
    """As `planned_run`, with the measured speed of this machine in matrix products."""
    run = planned_run(plan, archives)
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
    archives = _archives(_request_of(before, path), console)
    config = from_mapping(before.config, str(path))
    plan = planned(config, console, load_clips if archives is None else archives.load)
    now = planned_run(plan, archives)
    for what in ("actionbench", "cpu", "cores", "packages"):
        if now.environment.get(what) != before.environment.get(what):
            raise UsageError(
                f"`{what}` has changed since the run began",
                where=path,
                expected=before.environment.get(what),
                found=now.environment.get(what),
                remedy="Start a new run; `bench report` can join runs.",
            )
    if _planned_clips(now) != _planned_clips(before):
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
        return _carry_out(plan, writer, console, part_of, archives)


def _archives(request: FetchRequest | None, console: Console) -> ArchiveClips | None:
    if request is None:
        return None
    from .archives.clips import ArchiveClips  # with what reads archives, which other runs need not wait for

    return ArchiveClips(request, console)


def _request_of(run: Run, path: Path) -> FetchRequest | None:
    """What the run in `path` fetches out of archives; None for clips that are there."""
    if "archives" not in run.data:
        return None
    return fetch_request(run.data["archives"]["request"], str(path))


def _planned_clips(run: Run) -> str:
    """The digest of the clips at the start of the run; of those out of archives, some are replaced later."""
    planned: str = run.data.get("archives", {}).get("planned", run.data["digest"])
    return planned


def _devices(run: Run) -> list[str]:
    """The device of each model; models that this machine cannot run come last."""
    return [f"{model.key} on {model.device}" for model in run.models]


def planned(config: RunConfig, console: Console, load: Source = load_clips) -> Plan:
    """The plan of a run, with its demo weights made and one model for each point of its sweep.

    - `config`: the settings.
    - `console`: shows which models cannot be run or lack the default target class, and what is made.
    - `load`: gives the clips; see `make_plan`.

    Raises as `make_plan`, `with_files` and `swept` do.
    """
    plan = make_plan(config, load)
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


def planned_run(plan: Plan, archives: ArchiveClips | None = None) -> Run:
    """The record of a run at its start. `archives`: that its clips come out of, if they do."""
    config = plan.config
    return Run(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        config=config.to_dict(),
        environment=environment() | {"threads": plan.models[0].options.threads, "tf32": config.tf32},
        data=_data(plan.clips)
        | {"demo": is_demo(config.data)}
        | ({} if archives is None else {"archives": archives.record(plan.clips)}),
        target=config.target or DEFAULT_TARGET,
        models=(
            *(model.record() for model in plan.models),
            *(
                replace(model.record(), state="failed", error=plan.refusals[model.key])
                for model in plan.refused
            ),
        ),
    )


def _data(clips: ClipSet) -> dict[str, Any]:
    return {
        "name": clips.name,
        "digest": clips.digest(),
        "clips": len(clips),
        "missing": [clip.id for clip in clips.missing],
        "unknown_labels": list(clips.unknown_labels),
    }


def counted_models(plan: Plan) -> list[PlannedModel]:
    """Models whose speed in operations per second the report compares with that of a matrix product."""
    config = plan.config
    if not config.peak or "latency" not in config.scenarios or config.latency_clips == 0:
        return []
    return [model for model in plan.models if model.request.model.macs is not None]


def _carry_out(
    plan: Plan, writer: RunWriter, console: Console, part_of: str | None, archives: ArchiveClips | None
) -> Path:
    begin = time.monotonic()
    try:
        failures = _measure(plan, writer, console, archives, thumbnails=part_of is None)
    except (KeyboardInterrupt, ArchiveError):
        finish(writer, "interrupted", plan.refusals)
        console.say(f"interrupted; continue with: {part_of or f'bench run --resume {writer.path}'}")
        raise
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        resume = part_of or f"bench run --resume {writer.path}"
        raise refused(Path(error.filename or writer.path), error, resume) from error
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


def _measure(
    plan: Plan, writer: RunWriter, console: Console, archives: ArchiveClips | None, *, thumbnails: bool
) -> dict[str, str]:
    """The accuracy pass and the scenarios; model → why it has no result."""
    with executor_of(plan.config, writer.path) as predict:
        plan, failures = _predict(plan, writer, console, archives, predict, thumbnails=thumbnails)
        clips = latency_sample(plan, writer)
        if plan.config.executor == "local" or not clips:
            failures = timed_scenarios(plan, clips, failures, writer, console)
        else:
            from .machines import this_node_alone, time_other_machines  # with Ray

            predicted = failures
            with this_node_alone(console):
                failures = timed_scenarios(plan, clips, predicted, writer, console)
            time_other_machines(plan, clips, predicted, writer.path, console)
    if archives is not None and failures.keys() <= plan.refusals.keys():
        from .archives.rounds import forget_timed

        forget_timed(writer.path)
    return failures


def _predict(
    plan: Plan,
    writer: RunWriter,
    console: Console,
    archives: ArchiveClips | None,
    predict: Executor,
    *,
    thumbnails: bool,
) -> tuple[Plan, dict[str, str]]:
    """The accuracy pass of each model; the plan with its clips, and model → why it has no result."""
    failures = plan.refusals
    if archives is None:
        accuracy_passes(
            plan.models,
            plan.clips,
            failures,
            plan.config,
            writer,
            console,
            thumbnails=thumbnails,
            predict=predict,
        )
    else:
        from .archives.predict import predict_rounds

        found, kept = predict_rounds(
            plan, failures, writer, console, archives, thumbnails=thumbnails, predict=predict
        )
        writer.write_run(replace(writer.run, data=writer.run.data | _data(found)))
        plan = replace(plan, clips=replace(found, clips=tuple(kept)))
    check_agreement(plan, writer, console)
    for model in plan.models:
        if model.key in failures or model.timed_only:
            continue
        if writer.tried(model.key) == writer.failed(model.key):
            first = next(record for record in writer.clips() if record.model == model.key)
            failures[model.key] = f"no clip could be predicted; the first, {first.clip}: {first.error}"
    return plan, failures


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
    if config.searching and clips:
        alive = [model for model in plan.models if model.key not in failed]
        failed |= search_pass(alive, clips, config, writer, console)
    return failed


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
