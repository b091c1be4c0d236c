"""`bench predict`: what a network says of a few inputs."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..datasets.sources import load_clips
from ..errors import MeasurementError
from .config import RunConfig
from .demo import with_demo_weights
from .job import Job
from .plan import plan_models
from .progress import Console
from .supervisor import Outcome, Worker


def print_predictions(
    config: RunConfig, inputs: Sequence[Path], logits: Path | None, console: Console
) -> None:
    """Print the five likeliest classes of each input. Raises MeasurementError if one has no prediction.

    `logits`: .npy file for the logits (views, classes) of all inputs' views, in order.
    """
    (model,) = plan_models(config, target=None)
    clips = [clip for path in inputs for clip in load_clips(str(path), vocabulary=model.labels)]
    model = with_demo_weights(model, console.say)
    kinds = {weights.kind for weights in model.weights.values()}
    if "random" in kinds:
        print("random weights: these predictions mean nothing")
    elif "demo" in kinds:
        print("demo weights: these predictions say nothing about real video")
    job = Job(
        mode="accuracy",
        request=model.request.key,
        weights=model.weights,
        options=model.options,
        clips=tuple(clips),
        single=config.views == "single",
        flow=model.flow,
        ahead=0,
        logits=None if logits is None else logits.resolve(),
    )
    failed = 0
    with tempfile.TemporaryDirectory() as folder, console.task(model.key, len(clips)) as progress:
        outcome = Outcome()
        worker = Worker(job, model.python, Path(folder) / "worker.log", config.clip_timeout)
        for event in worker.events(outcome):
            if event["event"] == "progress":
                progress.note(event["stage"])
            elif event["event"] == "clip_error":
                failed += 1
                progress.advance()
                console.say(event["error"])
            elif event["event"] == "clip":
                progress.advance()
                scores = np.frombuffer(base64.b64decode(event["scores"]), dtype="<f4")
                stages = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in event["stages_s"].items())
                print(f"{event['clip']}: {event['frames']} frames, {event['views']} views ({stages})")
                for index in np.argsort(-scores, kind="stable")[:5]:
                    print(f"  {scores[index]:8.4%}  {model.labels[index]}")
    if outcome.failed is not None:
        raise MeasurementError(outcome.failed, where=model.key)
    if failed:
        raise MeasurementError(f"{failed} of {len(clips)} inputs could not be predicted")
