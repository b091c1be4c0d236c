"""The accuracy pass: one model's predictions of all clips, whatever happens to its worker."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...datasets.clip import Clip
from ...datasets.labels import LabelMatcher
from ...home import home
from ...records.fingerprint import fingerprint
from ...records.run import ClipRecord
from ...records.run_directory import RunWriter, log_path
from ..console.progress import Console
from ..executors.executor import Executor, predict_here
from ..plan.config import RunConfig
from ..plan.planned_model import PlannedModel
from ..worker.accuracy import AccuracySettings
from ..worker.events import ClipFailed, Failed, NodeJoined, Predicted, StageProgress
from ..worker.supervisor import Worker

FloatArray = npt.NDArray[np.float32]


def accuracy_pass(
    model: PlannedModel,
    clips: Iterable[Clip],
    config: RunConfig,
    writer: RunWriter,
    console: Console,
    *,
    thumbnails: bool = True,
    keep_flow: bool = True,
    predict: Executor = predict_here,
) -> str | None:
    """Predict those of `clips` that `writer` has no record of. None, or why the model failed.

    - `thumbnails`: whether a small picture of each clip is kept for the report.
    - `keep_flow`: whether optical flow is looked up in the cache, and kept there.
    - `predict`: where and by how many processes the clips are predicted.
    """
    done = writer.tried(model.key)
    remaining = {clip.id: clip for clip in clips if clip.id not in done}
    if not remaining:
        return None
    matcher = LabelMatcher(model.labels)
    job = model.job(
        "accuracy",
        (),
        flow_cache=home() / "flow" if keep_flow and model.flow is not None else None,
        settings=AccuracySettings(thumbnails=writer.path.resolve() if thumbnails else None),
    )
    log = log_path(writer.path, model.key)
    worker = Worker(job, model.python, log, config.clip_timeout, console.say)
    with (
        console.task(f"accuracy · {model.key}", len(remaining)) as progress,
        closing(predict(worker, tuple(remaining.values()))) as events,
    ):
        for event in events:
            match event:
                case StageProgress():
                    progress.note(str(event))
                case Predicted() | ClipFailed():
                    record = _record(remaining.pop(event.clip), model, matcher)
                    if isinstance(event, ClipFailed):
                        writer.append_clip(replace(record, error=event.error), None)
                    else:
                        scores = np.array(event.scores, np.float32)
                        writer.append_clip(_answered(record, event, scores, model), scores)
                    progress.advance(event.clip)
                case NodeJoined():
                    _note_node(writer, event)
                case Failed(error):
                    return error
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
    predict: Executor = predict_here,
) -> None:
    """The accuracy pass of each model that has one and is not in `failures`, which gets those that fail.

    - `failures`: key of a model → why it has no result. The rest: see `accuracy_pass`.
    """
    for model in models:
        if model.timed_only or model.key in failures:
            continue
        failure = accuracy_pass(
            model,
            clips,
            config,
            writer,
            console,
            thumbnails=thumbnails,
            keep_flow=keep_flow,
            predict=predict,
        )
        if failure is not None:
            console.say(f"{model.key} failed: {failure}")
            failures[model.key] = failure


def _note_node(writer: RunWriter, joined: NodeJoined) -> None:
    """Record that a node takes part."""
    run = writer.run
    nodes = run.environment.get("nodes", {}) | {joined.node: fingerprint(joined.environment)}
    writer.write_run(replace(run, environment=run.environment | {"nodes": nodes}))


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
        node=answer.node,
    )
