"""A fine-tuning from its configuration to the folder of its result."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..atomic import NO_SPACE, remove_abandoned
from ..datasets.composed.example import Example
from ..errors import BackendUnavailable, UsageError, is_interrupt
from ..models.finetuning.trainable import Back, has_front
from ..models.inputs import gpu_index
from ..operating_point import OperatingPoint
from ..records.json_lines import refused
from ..records.training import ExamplePrediction, Side, chosen_on_validation, write_predictions
from .config import FinetuneConfig
from .freezing import freeze
from .inputs.examples import Evaluation, Training, evaluation_batches, training_batches
from .inputs.features import Wanted, clip_identity
from .inputs.windows import Drawing, seed_of
from .losses import make_loss
from .ranks.group import ALONE, Ranks, cluster, joined, started
from .ranks.launch import launch
from .reporting import Reporter, Silent
from .result import (
    begin,
    is_finished,
    locked,
    read_settings,
    resume_command,
    settle_split,
    tidy,
    tidy_ended,
    write_network,
)
from .task import Task, plan


def finetune(config: FinetuneConfig, reporter: Reporter) -> Path:
    """Do what `config` asks for; the folder of the result.

    Raises an ActionBenchError for what is wrong with the settings, the data or the weights before anything
    is written, and ClipError for a clip that cannot be read: `resume` goes on where that was repaired.
    """
    name = config.baseline or re.sub(r"[^\w.-]+", "-", Path(config.model).name)
    folder = Path(config.out or f"runs/{time.strftime('%Y%m%d-%H%M%S')}-finetune-{name}").absolute()
    ranks = started(config)
    if config.out is None and ranks not in (None, ALONE):
        raise UsageError(
            "must be named: each process would name another folder",
            where="--out",
            remedy="Name it: --out FOLDER.",
        )
    task = plan(config, ranks or ALONE)
    work = _checked_work(task, ranks)
    if task.ranks.first:
        begin(folder, replace(task.config, out=str(folder)))
    _run(task, work, folder, reporter)
    return folder


def resume(folder: Path, reporter: Reporter, *, devices: int | None = None, nodes: int | None = None) -> Path:
    """Continue the fine-tuning in `folder`, if it has not ended. Raises as `finetune` does.

    - `devices`, `nodes`: processes on each machine, and machines; None: as many as before.
    """
    folder = folder.absolute()
    config = read_settings(folder)
    config = replace(config, devices=devices or config.devices, nodes=nodes or config.nodes)
    ranks = started(config)
    if is_finished(folder):
        if ranks is None or ranks.first:
            tidy_ended(folder)
        reporter.say(f"{folder}: has ended already")
        return folder
    if config.out is None or Path(config.out).resolve() != folder.resolve():
        raise UsageError(
            "was moved before its training ended: its checkpoints say where they lie",
            where=folder,
            remedy=f"Move it back to {config.out}, go on, and move the result then.",
        )
    task = plan(config, ranks or ALONE)
    work = _checked_work(task, ranks)
    _run(task, work, folder, reporter)
    return folder


_Work = Callable[[Path, Reporter], None]
"""What is left to do in the folder of the result."""


def _checked_work(task: Task, ranks: Ranks | None) -> _Work | None:
    """What is left to do by this process; None where others are to be started for it."""
    work = _work(task)
    return None if ranks is None else work


def _work(task: Task) -> _Work:
    """The training or the baseline, once all is checked that can be before anything is written."""
    gpu, devices = gpu_index(task.config.device), task.config.devices
    if gpu is not None and gpu + devices > torch.cuda.device_count():
        raise BackendUnavailable(
            "torch finds no such device",
            where=f"--device {task.config.device}" + (f" --devices {devices}" if devices > 1 else ""),
            found=f"{torch.cuda.device_count()} CUDA devices",
        )
    if task.ranks.count > 1:
        cluster()  # raises if the launcher's variables do not fit
    if task.config.baseline is None:
        return partial(_train, task, _start(task))
    # Imported here: a training needs no scikit-learn but for its folds.
    from .baselines.run import run_baseline, weights_of

    return partial(run_baseline, task, weights_of(task))


@dataclass(frozen=True, slots=True)
class _Start:
    """The state before training.

    - `net`: the network, some of it frozen. `still`: its modules that stay in evaluation mode. `loss`.
    """

    net: Any
    still: tuple[nn.Module, ...]
    loss: nn.Module


def _start(task: Task) -> _Start:
    config, counts = task.config, task.counts
    # Checked by the configuration.
    loss = make_loss(config.loss, counts, config.beta, config.tau)  # type: ignore[arg-type]
    net = task.network()
    return _Start(net, freeze(net, config.trained_blocks, config.batch_norm), loss)


def _run(task: Task, work: _Work | None, folder: Path, reporter: Reporter) -> None:
    """Do the work, or where it is None have it done by processes that are started for it."""
    try:
        if work is None:
            launch(folder, task.config.devices, reporter)
        else:
            with joined(task.ranks, task.config):
                _run_here(task, work, folder, reporter if task.ranks.first else Silent())
    except BaseException as error:
        if is_interrupt(error):
            if task.ranks.first:
                reporter.say(f"interrupted; continue with: {resume_command(folder)}")
        elif isinstance(error, OSError) and error.errno in NO_SPACE:
            # Of any file in the folder, and of the caches.
            raise refused(Path(error.filename or folder), error, resume_command(folder)) from error
        raise


def _run_here(task: Task, work: _Work, folder: Path, reporter: Reporter) -> None:
    with locked(folder) if task.ranks.first else nullcontext():
        if task.ranks.first:
            remove_abandoned(folder)
            settle_split(folder, task.split)
        task.ranks.wait()
        for note in task.split.notes:
            reporter.say(f"{task.split.name}: {note}")
        torch.set_num_threads(max(1, (task.config.threads or os.cpu_count() or 1) // task.config.devices))
        try:
            work(folder, reporter)
            task.ranks.wait()
        finally:
            # Lightning's objects refer to each other, and to the task, until the garbage collector finds
            # them: the next of several trainings would hold its frames beside these.
            task.windows.frames.memory.release()


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Input of the part that is trained: pixels for a whole network, features for its last part.

    - `training`: from an example and the epoch; `evaluation`: from an example to its evenly spaced windows.
    """

    part: nn.Module
    training: Callable[[Example, int], torch.Tensor]
    evaluation: Callable[[Example], torch.Tensor]


def _train(task: Task, start: _Start, folder: Path, reporter: Reporter) -> None:
    # Imported here: planning needs no Lightning, whose import takes seconds.
    from .loop import fit
    from .network import TrainedNetwork

    config, labels, split, net = task.config, task.labels, task.split, start.net
    ranks = task.ranks
    # The others find on disk what the first has found, if that is one disk; else they look themselves.
    whole_frames = task.whole_frames(reporter) if ranks.first else []
    ranks.wait()
    keeps = config.keeps_features and has_front(net, task.trained)
    if config.keeps_features and not keeps:
        reporter.say(f"{task.model.name} has no `front`: its frozen blocks are computed anew in each epoch")
    inputs = _features(task, net, reporter) if keeps else _pixels(task, net)

    def evaluation(examples: Sequence[Example]) -> Evaluation:
        return Evaluation(examples, labels, inputs.evaluation)

    validation = evaluation_batches(evaluation(split.validation), task.evaluated_at_once, ranks)
    best = fit(
        TrainedNetwork(
            inputs.part, start.loss, config, len(labels), start.still, validated=bool(split.validation)
        ),
        training_batches(Training(split.train, labels, inputs.training), config.batch, config.seed, ranks),
        validation if split.validation else None,
        config,
        folder,
        reporter,
    )
    predictions: list[ExamplePrediction] = []
    for side, examples in task.evaluated.items():
        rows = _log_probabilities(side, inputs.part, evaluation(ranks.share(examples)), task, reporter)
        answers = zip(examples, ranks.gathered(rows), strict=True)
        predictions += [task.answer(side, example, row) for example, row in answers]
    if not ranks.first:
        return
    write_predictions(folder, predictions, resume_command(folder))
    described = _description(task, best, whole_frames) | {
        "operating_point": _operating_point(task, predictions)
    }
    write_network(folder, net.cpu(), described, task.people)
    tidy(folder)


def _pixels(task: Task, net: nn.Module) -> _Inputs:
    drawing, seed = Drawing.of(task.config), task.config.seed
    return _Inputs(
        net,
        lambda example, epoch: task.windows.drawn(
            example.clip, drawing, seed_of(seed, epoch, *clip_identity(example.clip))
        ),
        lambda example: task.windows.even(example.clip, task.config.views),
    )


def _features(task: Task, net: Any, reporter: Reporter) -> _Inputs:
    features = task.features(net, task.trained, task.config.views)
    draws = task.config.drawn_windows
    share = task.ranks.share
    drawn = [Wanted(each.clip, draw) for each in share(task.split.train) for draw in range(draws)]
    even = [Wanted(each.clip, None) for side in task.evaluated.values() for each in share(side)]
    features.prepare([*drawn, *even], reporter)
    task.ranks.wait()
    return _Inputs(
        Back(net, task.trained),
        lambda example, epoch: features.drawn(example.clip, epoch % draws),
        lambda example: features.even(example.clip),
    )


@torch.inference_mode()
def _log_probabilities(
    side: Side, net: nn.Module, evaluation: Evaluation, task: Task, reporter: Reporter
) -> list[list[float]]:
    """For each example the logarithm of each class's probability."""
    from .network import log_probabilities

    found: list[list[float]] = []
    batches = evaluation_batches(evaluation, task.evaluated_at_once // task.ranks.count)
    net.to(task.device)
    with reporter.task(side, len(evaluation)) as progress:
        for inputs, _, _ in batches:
            for row in log_probabilities(net, inputs.to(task.device)).cpu().tolist():
                progress.advance(evaluation.examples[len(found)].clip.id)
                found.append(row)
    net.cpu()
    return found


def _operating_point(task: Task, predictions: Sequence[ExamplePrediction]) -> OperatingPoint | None:
    """That of the target class, chosen on the validation examples; None where none is asked for."""
    config = task.config
    if config.target is None:
        return None
    return chosen_on_validation(predictions, config.target, config.criterion)


def _description(task: Task, best: int, whole_frames: Sequence[str]) -> dict[str, Any]:
    """The fields of `Finetuned` but digest and operating point.

    - `best`: epoch that the network is of. `whole_frames`: ids of the clips without a main person.
    """
    config, weights, split = task.config, task.weights, task.split
    people = None if task.people is None else task.people.record()
    sources = {example.source for example in split.train}
    began = {}
    if weights is not None:
        of = weights.description
        began = {"name": of.name, "licence": of.licence, "source": of.source, "sha256": weights.sha256 or ""}
    return {
        "base": task.base,
        "stream": task.stream,
        "preprocessing": task.how,
        "window": task.windows.length,
        "views": config.views,
        "labels": task.labels,
        "began_with": began,
        "licences": {source: task.composed.licences[source] for source in sorted(sources)},
        "training": {
            "data": task.composed.name,
            "split": split.name,
            "notes": list(split.notes),
            "examples": task.counts,
            "trained": config.train,
            "batch_norm": config.batch_norm,
            "best_epoch": best,
            **({} if people is None else {"whole_frames": list(whole_frames)}),
        },
        "people": people,
    }
