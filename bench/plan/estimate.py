"""`bench run --estimate`: how long a plan will take, from one short measurement of each of its models."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from ...datasets.clip import Clip
from ...errors import MeasurementError
from ...models.parity import mantissa
from ...records.scenarios.latency import PREDICTION, LatencyRecord
from ..agreement.check import AGREEMENT_FRAMES, compared_groups, may_hide_mistakes
from ..console.progress import Console
from ..runner import counted_models, planned
from ..scenarios.scenario import Cost, scenario
from ..scenarios.stream_search import longest_s
from ..scenarios.timed import record_of
from ..timed_clips import timed_clips
from ..worker.events import FirstForward, Measured, Ready
from ..worker.supervisor import Outcome, Worker
from .config import RunConfig
from .other_machines import Machine, MeasuredWork, table, work_of_run
from .peak import gemm_peaks
from .plan import Plan, sample
from .planned_model import PlannedModel
from .selection import expanded

CLIPS = 3
"""Clips that a model's accuracy pass is reckoned from, and most of those that will be timed."""


@dataclass(frozen=True, slots=True)
class EstimatedStep:
    """A step of a plan and its seconds; `model` is empty where it is about all of them."""

    what: str
    model: str
    seconds: float


@dataclass(frozen=True, slots=True)
class FullRun:
    """What a run of many videos is estimated for.

    - `videos`: numbers of videos; none for that of the plan.
    - `machines`: none for this one.
    - `runs`: run directories with times of models on other machines.
    """

    videos: tuple[int, ...] = ()
    machines: tuple[Machine, ...] = ()
    runs: tuple[Path, ...] = ()


def print_estimate(config: RunConfig, console: Console, full: FullRun | None = None) -> None:
    """Print how long `bench run` will take with this configuration; nothing is kept of it.

    - `config`: the settings. `console`: shows progress.
    - `full`: for a table of what other numbers of videos and other machines would take.

    What is made once and kept (demo weights, drawn clips, compiled flow) is made now and not counted. A model
    that cannot be measured is named and left out. Raises MeasurementError if none can.
    """
    others = [work for run in (full.runs if full else ()) for work in work_of_run(run)]
    plan = planned(expanded(config.resolved(), console.say), console)
    begin = time.perf_counter()
    gemm_peaks([(model.python, model.options) for model in counted_models(plan)])
    peaks_s = time.perf_counter() - begin
    with console.task("estimate", len(plan.models)) as progress:
        costs: dict[str, Cost] = {}
        typical: dict[str, Cost] = {}
        works: list[MeasuredWork] = []
        timed = timed_clips(plan)
        for model in plan.models:
            try:
                costs[model.key], typical[model.key], work = measure_costs(
                    model, plan, timed, console, predicted=full is not None or not model.timed_only
                )
                works.append(work)
            except MeasurementError as error:
                if len(plan.models) == 1:
                    raise
                console.say(f"left out of the estimate: {error}")
            progress.advance(model.key)
    if not costs:
        raise MeasurementError("none of the models can be measured")
    alive = tuple(model for model in plan.models if model.key in costs)
    steps = estimate(replace(plan, models=alive), costs, typical, peaks_s)
    width = max(len(f"{step.what} {step.model}") for step in steps)
    for step in steps:
        print(f"{f'{step.what} {step.model}':{width}}  {_duration(step.seconds):>9}")
    print(f"{'in all':{width}}  {_duration(sum(step.seconds for step in steps)):>9}")
    if any(model.flow is not None and not model.timed_only for model in plan.models):
        print("Optical flow of the accuracy pass is counted as computed anew; what the cache has is quicker.")
    if full is not None:
        here = tuple(dict.fromkeys(map(_this_machine, alive)))
        print()
        for line in table([*works, *others], full.machines or here, full.videos or (len(plan.clips),)):
            print(line)


def _this_machine(model: PlannedModel) -> Machine:
    """What of this machine the model is computed on."""
    on_cpu = model.options.device == "cpu"
    return Machine("cores", model.options.threads) if on_cpu else Machine("gpus", 1)


def measure_costs(
    model: PlannedModel, plan: Plan, timed: Sequence[Clip], console: Console, *, predicted: bool
) -> tuple[Cost, Cost, MeasuredWork]:
    """Costs of the clips that will be timed, and of clips as the accuracy pass has them, from one process.

    - `timed`: the clips that will be timed.
    - `predicted`: whether the time of predicting all clips is asked for.

    With the costs, the samples of the latter clips. Raises MeasurementError if none can be timed.
    """
    any_clips = sample(plan.clips.clips, CLIPS, plan.config.seed) if predicted or not timed else ()
    clips = tuple(dict.fromkeys((*timed[:CLIPS], *any_clips)))
    outcome = Outcome()
    begin = time.perf_counter()
    start = first = 0.0
    samples: dict[str, LatencyRecord] = {}
    device = model.options.device
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        job = scenario("latency").job(model, clips, replace(plan.config, latency_seconds=0.0))
        worker = Worker(job, model.python, log, plan.config.clip_timeout, console.say)
        for event in worker.events(outcome):
            match event:
                case Ready(_, details):
                    device = device if device == "cpu" else str(details.get("device", device))
                    start = time.perf_counter() - begin
                case FirstForward(first_s):
                    first = first_s
                case Measured():
                    record = record_of("latency", event, model.key, process=0)
                    samples[record.clip] = record
    if outcome.failed is not None:
        raise MeasurementError(outcome.failed, where=model.key)

    def cost(of: Sequence[Clip]) -> Cost:
        found = [samples[clip.id] for clip in of if clip.id in samples] or list(samples.values())
        return Cost(
            start,
            first,
            clip=fmean(each.total_s for each in found),
            prediction=fmean(sum(each.stages_s[name] for name in PREDICTION) for each in found),
            cpu=fmean(each.cpu_s for each in found),
            frames=fmean(each.frames for each in found),
        )

    typical = tuple(samples[clip.id] for clip in any_clips if clip.id in samples) or tuple(samples.values())
    work = MeasuredWork(model.key, device, model.options.threads, typical, start)
    return cost(timed), cost(any_clips), work


def estimate(
    plan: Plan, timed: Mapping[str, Cost], typical: Mapping[str, Cost], peaks_s: float = 0.0
) -> list[EstimatedStep]:
    """The steps of a plan in their order.

    `timed`, `typical`: of each model, see `measure_costs`. `peaks_s`: of measuring matrix products.
    """
    config = plan.config
    steps = [EstimatedStep("matrix product", "", peaks_s)] if peaks_s else []
    for model in plan.models:
        if not model.timed_only:
            cost = typical[model.key]
            steps.append(
                EstimatedStep("accuracy", model.key, cost.start + len(plan.clips) * _beside(model, cost))
            )
    for reference, group in compared_groups(plan.models):
        # Once more for each half precision, with rounded weights.
        halves = {m.request.precision for m in group if mantissa(m.request.precision) is not None}
        references = [reference] * (len(halves) + (reference not in group))
        hiding = [model for model in group if may_hide_mistakes(model)]
        if hiding:
            # All of it again, with random weights.
            references += [reference] * (1 + len(halves))
        for model in [*references, *group, *hiding]:
            # A reference that is not timed itself is taken to be as slow as what is compared with it.
            cost = timed.get(model.key) or timed[group[0].key]
            seconds = cost.start + cost.prediction * AGREEMENT_FRAMES / cost.frames
            steps.append(EstimatedStep("agreement", model.key, seconds))
    clips = min(config.latency_clips, len(plan.clips))
    for name in config.scenarios if clips else ():
        for model in plan.models:
            cost = timed[model.key]
            process = cost.start + scenario(name).seconds(model, cost, clips, config)
            steps.append(EstimatedStep(name, model.key, config.processes * process))
    for model in plan.models if config.searching and clips else ():
        seconds = longest_s(model, timed[model.key], config)
        steps.append(EstimatedStep("search, at most,", model.key, seconds))
    return steps


def _beside(model: PlannedModel, cost: Cost) -> float:
    """A clip of the accuracy pass, prepared while another is in the network: free beside a GPU alone."""
    preparation = cost.clip - cost.prediction
    return cost.clip if model.options.device == "cpu" else max(preparation, cost.prediction)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"
