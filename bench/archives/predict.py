"""The accuracy passes of a run whose clips come out of archives, a round of clips at a time."""

from __future__ import annotations

from collections.abc import Sequence

from ...datasets.clip import Clip, ClipSet
from ...errors import ArchiveError, UsageError
from ...records.run_directory import RunWriter
from ..console.progress import Console
from ..executors.executor import Executor
from ..plan.plan import Plan
from ..scenarios.accuracy import accuracy_passes
from ..scenarios.timed import all_timed
from .clips import ArchiveClips
from .rounds import Rounds


def predict_rounds(
    plan: Plan,
    failures: dict[str, str],
    writer: RunWriter,
    console: Console,
    archives: ArchiveClips,
    *,
    thumbnails: bool,
    predict: Executor,
) -> tuple[ClipSet, Sequence[Clip]]:
    """Predict the clips as they come.

    - `plan`: the models and settings.
    - `archives`: the clips. Those that all models have a record of are not read again.
    - The rest: see `accuracy_passes`.

    Returns what the run is about, clips without files, and those of them that can be timed. Raises UsageError
    if no model predicts anything, ArchiveError if there is no clip, and as `Rounds` does.
    """
    models = {model.key for model in plan.models if not model.timed_only}
    if not models:
        raise UsageError(
            "predicts no video that comes out of an archive: it is only timed",
            where=", ".join(model.key for model in plan.models),
            remedy="Fetch the videos by --keep videos, and name their manifest by --data.",
        )
    tried = [writer.tried(model) for model in models]
    timed = 0 if all_timed(plan.models, plan.config, writer) else plan.config.latency_clips
    rounds = Rounds(archives, writer.path, lambda id_: all(id_ in each for each in tried), timed, console)
    with rounds as clips_of_rounds:
        for clips in clips_of_rounds:
            # Flow of videos that do not come again is not worth its space on the disk.
            accuracy_passes(
                plan.models,
                clips,
                failures,
                plan.config,
                writer,
                console,
                thumbnails=thumbnails,
                keep_flow=False,
                predict=predict,
            )
            if models <= failures.keys():
                return plan.clips, ()
    found = rounds.result()
    if not found.clips:
        raise ArchiveError("none of the videos is available", where=found.name)
    return found, rounds.timed()
