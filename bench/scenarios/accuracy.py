"""The accuracy pass: one model's predictions of all clips, whatever happens to its worker."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.clip import Clip
from ...datasets.labels import LabelMatcher
from ...home import home
from ...records.run import ClipRecord
from ...records.run_directory import RunWriter
from ..console.progress import Console
from ..plan.config import RunConfig
from ..plan.plan import PlannedModel
from ..worker.supervisor import Outcome, Worker

MOST_KILLERS_IN_A_ROW = 5
"""Clips that kill their worker, one after another, until the model is given up: it is not the clips."""


def accuracy_pass(
    model: PlannedModel, clips: Iterable[Clip], config: RunConfig, writer: RunWriter, console: Console
) -> str | None:
    """Predict those of `clips` that `writer` has no record of. None, or why the model failed.

    A worker that dies costs one clip at most. What it had in hand is tried again in a new one, one clip at a
    time; a clip that kills its worker when it is alone becomes a record with an error.
    """
    done = {record.clip for record in writer.clips() if record.model == model.key}
    remaining = {clip.id: clip for clip in clips if clip.id not in done}
    if not remaining:
        return None
    matcher = LabelMatcher(model.labels)
    killers = 0
    suspects: list[str] = []
    with console.task(f"accuracy · {model.key}", len(remaining)) as progress:
        while remaining:
            chosen = [remaining[id_] for id_ in suspects] or list(remaining.values())
            outcome = Outcome()
            job = model.job(
                "accuracy",
                chosen,
                flow_cache=home() / "flow" if model.flow is not None else None,
                ahead=0 if suspects else 1,
                run=writer.path.resolve(),
            )
            worker = Worker(
                job,
                model.python,
                log_path(writer.path, model.key),
                config.clip_timeout,
                console.say,
            )
            for event in worker.events(outcome):
                if event["event"] in ("clip", "clip_error"):
                    killers = 0
                    clip = remaining.pop(event["clip"])
                    _record(event, clip, model, matcher, writer)
                    progress.advance(clip.id)
                elif event["event"] == "progress":
                    progress.note(doing(event))
            if outcome.failed is None:
                suspects = []
                continue
            if not outcome.died:
                return outcome.failed
            if not outcome.in_hand:
                return outcome.failed
            if len(outcome.in_hand) > 1 or not suspects:
                # Not sure yet that the clip did it: it may have been the machine, or the clip beside it.
                suspects = outcome.in_hand
                continue
            killers += 1
            if killers == MOST_KILLERS_IN_A_ROW:
                return f"{killers} clips in a row killed it, the last one: {outcome.failed}"
            suspects = []
            clip = remaining.pop(outcome.in_hand[0])
            _record({"event": "clip_error", "error": outcome.failed}, clip, model, matcher, writer)
            progress.advance(clip.id)
    return None


def _record(
    event: dict[str, Any], clip: Clip, model: PlannedModel, matcher: LabelMatcher, writer: RunWriter
) -> None:
    label = None if clip.label is None else matcher(clip.label)
    blank = ClipRecord(
        model=model.key, clip=clip.id, label=clip.label if label is None else label, scored=label is not None
    )
    if event["event"] == "clip_error":
        writer.append_clip(replace(blank, error=event["error"]), None)
        return
    scores = np.frombuffer(base64.b64decode(event["scores"]), dtype="<f4")
    best = np.argsort(-scores, kind="stable")[:5]
    record = replace(
        blank,
        top5=tuple((model.labels[i], float(scores[i])) for i in best),
        target_score=None if model.target is None else float(scores[model.target]),
        views=event["views"],
        frames=event["frames"],
        video_s=event["video_s"],
        stages_s=event["stages_s"],
        flow_cached=event["flow_cached"],
        notes=tuple(event["notes"]),
    )
    writer.append_clip(record, scores)


def doing(event: dict[str, Any]) -> str:
    """What a worker does at the moment, for a progress bar."""
    return f"{event['stage']} {event['done']}" + (f"/{event['total']}" if event["total"] else "")


def log_path(run: Path, key: str) -> Path:
    """File for what a model's workers print; the name is safe whatever the model is called."""
    return run / "logs" / ("".join(c if c.isalnum() or c in "-_@." else "_" for c in key) + ".log")
