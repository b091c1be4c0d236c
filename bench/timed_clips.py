"""Which clips of a run are timed."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from ..datasets.check import Checker
from ..datasets.clip import Clip
from ..records.run_directory import RunWriter
from .plan.plan import Plan


def latency_sample(plan: Plan, writer: RunWriter) -> Sequence[Clip]:
    """The clips that are timed: a seeded random sample of the usable clips.

    - `plan`: the run's clips, models and settings.
    - `writer`: has the records of the accuracy pass.

    Usable are clips that no model failed on; without an accuracy pass, those that decode and are long enough.
    """
    keys = [model.key for model in plan.models]
    tried, failed = (frozenset[str]().union(*map(of, keys)) for of in (writer.tried, writer.failed))
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
