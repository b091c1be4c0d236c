"""The accuracy pass: one model's predictions of all clips, whatever happens to its worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...datasets.clip import Clip
from ...datasets.labels import LabelMatcher
from ...home import home
from ...records.run import ClipRecord
from ...records.run_directory import RunWriter, log_path
from ..console.progress import Console
from ..plan.config import RunConfig
from ..plan.planned_model import PlannedModel
from ..worker.accuracy import AccuracySettings
from ..worker.events import ClipFailed, Predicted, StageProgress
from ..worker.supervisor import Outcome, Worker

FloatArray = npt.NDArray[np.float32]

MOST_CRASHING_CLIPS = 5
"""Clips that kill their worker, one after another, until the model is given up: it is not the clips."""


def accuracy_pass(
    model: PlannedModel,
    clips: Iterable[Clip],
    config: RunConfig,
    writer: RunWriter,
    console: Console,
    *,
    thumbnails: bool = True,
    keep_flow: bool = True,
) -> str | None:
    """Predict those of `clips` that `writer` has no record of. None, or why the model failed.

    - `thumbnails`: whether a small picture of each clip is kept for the report.
    - `keep_flow`: whether optical flow is looked up in the cache, and kept there.

    A worker that dies costs one clip at most. What it had in flight is tried again in a new one, one clip
    at a time; a clip that kills its worker when it is alone becomes a record with an error.
    """
    done = writer.tried(model.key)
    remaining = {clip.id: clip for clip in clips if clip.id not in done}
    if not remaining:
        return None
    matcher = LabelMatcher(model.labels)
    crashes = 0
    suspects: list[str] = []
    with console.task(f"accuracy · {model.key}", len(remaining)) as progress:

        def keep(event: Predicted | ClipFailed) -> None:
            record = _record(remaining.pop(event.clip), model, matcher)
            if isinstance(event, ClipFailed):
                writer.append_clip(replace(record, error=event.error), None)
            else:
                scores = np.array(event.scores, np.float32)
                writer.append_clip(_answered(record, event, scores, model), scores)
            progress.advance(event.clip)

        while remaining:
            chosen = [remaining[id_] for id_ in suspects] or list(remaining.values())
            outcome = Outcome()
            job = model.job(
                "accuracy",
                chosen,
                flow_cache=home() / "flow" if keep_flow and model.flow is not None else None,
                settings=AccuracySettings(
                    0 if suspects else 1, thumbnails=writer.path.resolve() if thumbnails else None
                ),
            )
            worker = Worker(
                job,
                model.python,
                log_path(writer.path, model.key),
                config.clip_timeout,
                console.say,
            )
            for event in worker.events(outcome):
                match event:
                    case StageProgress():
                        progress.note(str(event))
                    case Predicted() | ClipFailed():
                        crashes = 0
                        keep(event)
            if outcome.failed is None:
                suspects = []
                continue
            if not outcome.died:
                return outcome.failed
            if not outcome.in_flight:
                return outcome.failed
            if len(outcome.in_flight) > 1 or not suspects:
                # Not sure yet that the clip did it: it may have been the machine, or the clip beside it.
                suspects = outcome.in_flight
                continue
            crashes += 1
            if crashes == MOST_CRASHING_CLIPS:
                return f"{crashes} clips in a row killed it, the last one: {outcome.failed}"
            suspects = []
            keep(ClipFailed(outcome.in_flight[0], outcome.failed))
    return None


def accuracy_passes(
    models: Iterable[PlannedModel],
    clips: Iterable[Clip],
    failures: dict[str, str],
    config: RunConfig,
    writer: RunWriter,
    console: Console,
    *,
    thumbnails: bool,
    keep_flow: bool = True,
) -> None:
    """The accuracy pass of each model that has one and is not in `failures`, which gets those that fail.

    - `failures`: key of a model → why it has no result. The rest: see `accuracy_pass`.
    """
    for model in models:
        if model.timed_only or model.key in failures:
            continue
        failure = accuracy_pass(
            model, clips, config, writer, console, thumbnails=thumbnails, keep_flow=keep_flow
        )
        if failure is not None:
            console.say(f"{model.key} failed: {failure}")
            failures[model.key] = failure


def _record(clip: Clip, model: PlannedModel, matcher: LabelMatcher) -> ClipRecord:
    """A record of `clip` without an answer."""
    label = None if clip.label is None else matcher(clip.label)
    return ClipRecord(
        model=model.key, clip=clip.id, label=clip.label if label is None else label, scored=label is not None
    )


def _answered(record: ClipRecord, answer: Predicted, scores: FloatArray, model: PlannedModel) -> ClipRecord:
    best = np.argsort(-scores, kind="stable")[:5]
    return replace(
        record,
        top5=tuple((model.labels[i], float(scores[i])) for i in best),
        target_score=None if model.target is None else float(scores[model.target]),
        views=answer.views,
        frames=answer.frames,
        video_s=answer.video_s,
        stages_s=answer.stages_s,
        flow_cached=answer.flow_cached,
        notes=answer.notes,
    )
