"""The task "accuracy": predictions of clips, each prepared while the one before it is in the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...errors import ClipError
from ...models.spec import FloatArray, Network
from ...preprocessing.preparer import Prepared, Preparer
from ...preprocessing.stopwatch import Stopwatch
from ..scenarios.inference import average_views, forward, remarks
from ..scenarios.scenario import Loaded
from ..thumbnails import write_thumbnail
from .events import ClipFailed, Predicted, Send, Started, Waiting, signs_of_life
from .job import Job, clips_of_line


@dataclass(frozen=True, slots=True)
class AccuracySettings:
    """How clips are predicted, and what is kept beside the answers.

    - `ahead`: clips prepared ahead of the one in the network; 0 does one thing at a time.
    - `thumbnails`: run directory that a small picture of each clip goes to; None for none.
    - `logits`: .npy file for the logits (views, classes) of all clips; None for none.
    """

    ahead: int = 1
    thumbnails: Path | None = None
    logits: Path | None = None


def predict_clips(
    job: Job,
    loaded: Loaded,
    send: Send,
    *,
    lines: SimpleQueue[bytes],
    peak_rss: Callable[[], int],
) -> None:
    """Report a `Predicted` or `ClipFailed` for each clip, in order; then wait for more, until none come.

    - `job`, `loaded`, `send`: as of every task; `job.settings` are `AccuracySettings`.
    - `lines`: what the parent sends while this worker is `Waiting`: `clips_as_line`.
    - `peak_rss`: gives the bytes that the process held at most so far.
    """
    settings: AccuracySettings = job.settings
    preparer = replace(loaded.preparer, keep_middle=settings.thumbnails is not None)
    logits_of_all: list[FloatArray] = []
    clips = job.clips
    while clips:
        logits_of_all += _predict(clips, job, loaded.network, preparer, send)
        send(Waiting(peak_rss(), loaded.network.describe()))
        clips = clips_of_line(lines.get())
    if settings.logits is not None and logits_of_all:
        np.save(settings.logits, np.concatenate(logits_of_all), allow_pickle=False)


def _predict(
    clips: tuple[Clip, ...], job: Job, network: Network, preparer: Preparer, send: Send
) -> list[FloatArray]:
    """The logits (views, classes) of the clips, where `job.settings` ask for them."""
    settings: AccuracySettings = job.settings
    kept: list[FloatArray] = []
    for clip, prepared in _prepared(clips, settings.ahead, preparer, send):
        if isinstance(prepared, ClipError):
            send(ClipFailed(clip.id, str(prepared)))
            continue
        watch = Stopwatch()
        logits, _ = forward(network, prepared, job.batch, job.classes, watch)
        with watch.stage("download"):
            scores = average_views(logits, job.views.average)
        if settings.logits is not None:
            kept.append(logits)
        send(
            Predicted(
                clip.id,
                tuple(scores.tolist()),
                views=len(prepared.views),
                frames=prepared.frames,
                video_s=prepared.video_s,
                stages_s=prepared.stages_s | dict(watch.seconds),
                flow_cached=prepared.flow_cached,
                notes=tuple(remarks(prepared)),
            )
        )
        if settings.thumbnails is not None and prepared.middle is not None:
            write_thumbnail(settings.thumbnails, clip.id, prepared.middle)
    return kept


def _prepared(
    clips: tuple[Clip, ...], ahead: int, preparer: Preparer, send: Send
) -> Iterator[tuple[Clip, Prepared | ClipError]]:
    """The clips in order, each prepared or with the reason why it cannot be."""

    def prepare(clip: Clip) -> Prepared | ClipError:
        send(Started(clip.id))
        try:
            verify(clip)
            return preparer(clip, signs_of_life(send))
        except ClipError as error:
            return error

    if ahead == 0:
        for clip in clips:
            yield clip, prepare(clip)
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[tuple[Clip, Future[Prepared | ClipError]]] = deque()
        for clip in clips:
            waiting.append((clip, pool.submit(prepare, clip)))
            if len(waiting) > ahead:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
