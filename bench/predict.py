"""`bench predict`: what a network says of a few inputs."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.clip import Clip
from ..datasets.sources.registry import load_clips
from ..errors import MeasurementError, UsageError
from ..plain_text import plain_line
from .cli.options import check_writable, counted
from .console.progress import Console
from .plan.config import RunConfig
from .plan.plan import plan_models
from .plan.quantise import with_files
from .scenarios.accuracy import doing
from .worker.supervisor import Outcome, Worker


def print_predictions(
    config: RunConfig, inputs: Sequence[Path], logits: Path | None, console: Console
) -> None:
    """Print the five likeliest classes of each input. Raises MeasurementError if one has no prediction.

    `logits`: .npy file for the logits (views, classes) of the one input.
    """
    if logits is not None and len(inputs) != 1:
        raise UsageError("takes the logits of one input", where="--logits", found=f"{len(inputs)} inputs")
    if logits is not None and logits.suffix != ".npy":
        raise UsageError("is not the name of an .npy file", where="--logits", found=logits)
    check_writable("--logits", logits)
    (model,) = plan_models(replace(config, data=str(inputs[0])).resolved(), target=None)
    sets = [load_clips(str(path), vocabulary=model.labels) for path in inputs]
    clips = [clip for found in sets for clip in found]
    model = with_files(model, config, console.say)
    kinds = {weights.kind for weights in model.weights.values()}
    if "random" in kinds:
        print("random weights: these predictions mean nothing")
    elif "demo" in kinds:
        print("demo weights: these predictions say nothing about real video")
    for missing in (clip for found in sets for clip in found.missing):
        console.say(f"{missing.path}: file does not exist")
    failed = sum(len(found.missing) for found in sets)
    total = len(clips) + failed
    with tempfile.TemporaryDirectory() as folder, console.task(model.key, len(clips)) as progress:
        # One process an input: what kills it keeps no other input from its prediction.
        log = Path(folder) / "log"
        for clip in clips:
            outcome = Outcome()
            logits_file = None if logits is None else logits.resolve()
            job = model.job("accuracy", [clip], ahead=0, logits=logits_file)
            worker = Worker(job, model.python, log, config.clip_timeout, console.say)
            for event in worker.events(outcome):
                if event["event"] == "progress":
                    progress.note(doing(event))
                elif event["event"] == "clip_error":
                    outcome.failed = event["error"]
                elif event["event"] == "clip":
                    _print(clip, event, model.labels)
            if outcome.failed is not None:
                failed += 1
                reason = outcome.failed.removeprefix(f"{clip.path}: ")
                # The log is gone when this command has ended.
                console.say(f"{clip.path}: {reason.removesuffix(f' (see {log})')}")
            progress.advance()
    if failed:
        raise MeasurementError(f"{failed} of {counted(total, 'input')} could not be predicted")


def _print(clip: Clip, event: dict[str, Any], labels: Sequence[str]) -> None:
    scores = np.frombuffer(base64.b64decode(event["scores"]), dtype="<f4")
    stages = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in event["stages_s"].items())
    path = plain_line(str(clip.path))
    print(f"{path}: {counted(event['frames'], 'frame')}, {counted(event['views'], 'view')} ({stages})")
    for index in np.argsort(-scores, kind="stable")[:5]:
        print(f"  {scores[index]:8.4%}  {plain_line(labels[index])}")
