"""`bench evaluate-live`: a network's live labels on annotated videos, against what really happens in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..datasets.clip import Clip
from ..datasets.composed.footage import AnnotatedVideo, Footage
from ..datasets.labels import LabelMatcher
from ..datasets.sources.manifest import file_digest
from ..errors import ClipError, MeasurementError, UsageError, unknown_name
from ..live.config import LiveConfig
from ..live.decision import idle_class
from ..records.live import AnnotatedAction, RecordedSession, WatchedVideo
from ..records.live_directory import LiveDirectory
from ..reports.evaluation.live_tables import LiveEvaluation, Watched
from ..reports.numbers import few
from .console.progress import Console, Progress
from .live import LOADING_TIMEOUT_S, live_job, live_settings, plan_live
from .plan.plan import PlannedModel
from .predict import caveat
from .worker import events
from .worker.supervisor import Outcome, Worker

MOST_FAILURES = 5
"""Workers in a row that may end in a video before the evaluation does."""

SLACK_S = 0.5
"""Seconds by which an annotation may end after a video's last frame: it lasts, and times are rounded."""


def evaluate_live(
    config: LiveConfig, footage: Footage, target: str, out: Path, console: Console
) -> LiveEvaluation:
    """Watch each video as `bench live` does, as fast as possible; its labels beside the annotations.

    Videos that were watched are kept in `out` and not watched again, so an interrupted evaluation goes on
    where it was; one that failed is tried again.

    - `config`: of a live session; its source is not used.
    - `target`: class of the network that matters most, e.g. falling.

    Raises UsageError before anything is watched for a class that the network does not have, and if `out`
    holds videos that were watched otherwise; MeasurementError if no video can be watched.
    """
    model = plan_live(config, console.say)
    matcher = LabelMatcher(model.labels)
    chosen, idle = matcher(target), idle_class(model.labels)
    if chosen is None:
        raise UsageError(str(unknown_name("class", target, model.labels)), where=f"--target (of {model.key})")
    if chosen == idle:
        raise UsageError("stands for no action: it is never recognised live", where=f"--target {target}")
    session = _session(model, config)
    digests, failed = _digests(footage.videos)
    watched: list[Watched] = []
    notes = [*_caveats(model), *_about(footage)]
    with LiveDirectory(out, session) as directory:
        todo = {digests[video.path]: video for video in footage.videos if digests[video.path] not in failed}
        _watch(model, config, todo, failed, directory, console)
        for video in footage.videos:
            digest = digests[video.path]
            if digest in failed:
                continue
            record = directory.watched[digest]
            try:
                watched.append(_watched(video, record, session, matcher))
            except MeasurementError as error:
                failed[digest] = str(error)
            notes += [f"{video.name}: {note}" for note in record.notes]
    named = [
        f"{video.name}: {failed[digest]}"
        for video in footage.videos
        if (digest := digests[video.path]) in failed
    ]
    if not watched:
        raise MeasurementError("no video could be used", where=out, found=named[0])
    if named:
        notes += [f"{len(named)} of {len(footage.videos)} videos are left out:", *named]
    return LiveEvaluation(
        footage.name,
        session,
        chosen,
        tuple(label for label in model.labels if label != idle),
        tuple(watched),
        config.smoothing + config.hold,
        tuple(dict.fromkeys(notes)),
    )


def _session(model: PlannedModel, config: LiveConfig) -> RecordedSession:
    """All that decides about the labels."""
    settings = live_settings(model, config)
    point = model.operating_point
    values: dict[str, Any] = {
        "stride": config.stride,
        "smoothing": config.smoothing,
        "hold": config.hold,
        "exit_share": config.exit_share,
        "threshold": config.threshold,
        "operating_point": None if point is None else f"{point.label} from {point.threshold:.6g} on",
        "flow": model.flow,
        "people": None if model.people is None else str(model.people),
        "zones": None
        if config.zones is None
        else f"{config.zones}, sha256 {file_digest(Path(config.zones))}",
    }
    return RecordedSession(
        model.key,
        model.labels,
        {
            stream: weights.kind if weights.sha256 is None else f"{weights.kind}, sha256 {weights.sha256}"
            for stream, weights in model.weights.items()
        },
        model.stream_window,
        None if model.stream_rate is None else float(model.stream_rate),
        settings.decider().no_action,
        values,
    )


def _about(footage: Footage) -> Iterator[str]:
    """What must be known of the videos."""
    if not footage.grouped:
        yield "Each video is a group of its own: the set does not say which ones show the same event."
    if footage.missing:
        yield f"Annotated, and not there: {few(footage.missing)}."
    if footage.ignored:
        yield f"{footage.ignored} files or lines of the set are not used: no videos, or no times."
    yield from (f"Licence of {source}: {licence}" for source, licence in footage.licences.items())


def _caveats(model: PlannedModel) -> Iterable[str]:
    warning = caveat([weights.kind for weights in model.weights.values()])
    return () if warning is None else (f"{model.key}: {warning}",)


def _digests(videos: Sequence[AnnotatedVideo]) -> tuple[dict[Path, str], dict[str, str]]:
    """Path → sha256; of files that cannot be read another text, which leads to why."""
    digests, failed = {}, {}
    for video in videos:
        try:
            digests[video.path] = file_digest(video.path)
        except ClipError as error:
            digests[video.path] = str(video.path)
            failed[str(video.path)] = error.what
            continue
        if any(clip.sha256 not in (None, digests[video.path]) for clip in video.actions):
            failed[digests[video.path]] = "the file is not the one that was annotated: another sha256"
    return digests, failed


def _watch(
    model: PlannedModel,
    config: LiveConfig,
    todo: Mapping[str, AnnotatedVideo],
    failed: dict[str, str],
    directory: LiveDirectory,
    console: Console,
) -> None:
    """Watch those of `todo`, sha256 → video, that `directory` does not hold; `failed` gets why one failed.

    Raises MeasurementError if the network cannot be used.
    """
    with console.task(f"watching by {model.key}", len(todo)) as progress, TemporaryDirectory() as logs:
        left = {}
        for sha256, video in todo.items():
            if sha256 in directory.watched:
                progress.advance(video.name)
            else:
                left[sha256] = video
        in_a_row = 0
        while left:
            before = len(left)
            try:
                outcome = _run_worker(model, config, left, failed, directory, progress, Path(logs), console)
            except KeyboardInterrupt:
                done = len(todo) - len(left)
                console.say(f"interrupted: {done} of {len(todo)} videos are done; the same command goes on")
                raise
            if outcome.failed is None:
                return
            in_a_row = 1 if len(left) < before else in_a_row + 1
            reason = outcome.failed.partition(" (see ")[0]
            if not outcome.in_flight or in_a_row == MOST_FAILURES:
                raise MeasurementError(reason, where=model.key)
            progress.advance(left.pop(outcome.in_flight[0]).name)
            failed[outcome.in_flight[0]] = reason


def _run_worker(
    model: PlannedModel,
    config: LiveConfig,
    left: dict[str, AnnotatedVideo],
    failed: dict[str, str],
    directory: LiveDirectory,
    progress: Progress,
    logs: Path,
    console: Console,
) -> Outcome:
    """One process that watches what is `left` (sha256 → video), from which what is done is taken out."""
    settings = replace(live_settings(model, config), config=replace(config, as_fast_as_possible=True))
    clips = [Clip(sha256, video.path) for sha256, video in left.items()]
    job = live_job("live videos", model, settings, clips)
    outcome = Outcome()
    for event in Worker(job, model.python, logs / "log", LOADING_TIMEOUT_S, console.say).events(outcome):
        match event:
            case events.StageProgress():
                progress.note(str(event))
            case events.ClipFailed(clip, error):
                video = left.pop(clip)
                failed[clip] = error.removeprefix(f"{video.path.name}: ")
                progress.advance(video.name)
            case events.Watched(clip, frames, timeline, notes):
                directory.add(WatchedVideo(clip, left[clip].name, frames, timeline, notes))
                progress.advance(left.pop(clip).name)
    return outcome


def _watched(
    video: AnnotatedVideo, record: WatchedVideo, session: RecordedSession, matcher: LabelMatcher
) -> Watched:
    """A video's labels beside its actions. Raises MeasurementError where they cannot be compared."""
    timeline = record.timeline
    rate = session.rate or (record.frames - 1) / max(timeline.end_s, 1e-3)
    # With persons, there are labels without a whole window: those of nobody.
    if not timeline.labels or timeline.end_s < (session.window - 1.5) / rate:
        raise MeasurementError(f"lasts {timeline.end_s:.2f} s, less than a window of {session.window} frames")
    actions = []
    for clip in video.actions:
        if clip.label is None:
            continue
        start_s, end_s = clip.start_s or 0.0, timeline.end_s if clip.end_s is None else clip.end_s
        if end_s > timeline.end_s + SLACK_S:
            raise MeasurementError(
                f"{clip.label} is annotated from {start_s:g} to {end_s:g} s, after the video's end "
                f"({timeline.end_s:.2f} s)"
            )
        actions.append(AnnotatedAction(matcher(clip.label) or clip.label, start_s, end_s))
    return Watched(video.name, video.group, timeline, tuple(actions), session.window / rate)
