"""`bench evaluate-live`: a network's live labels on annotated videos, against what really happens in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...datasets.clip import Clip
from ...datasets.composed.footage import AnnotatedVideo, Footage
from ...datasets.labels import LabelMatcher
from ...datasets.sources.manifest import file_digest
from ...errors import ClipError, MeasurementError, UsageError, unknown_name
from ...live.config import LiveConfig
from ...live.decision import idle_class
from ...live.people.zones import Zones, read_zones
from ...records.live import AnnotatedAction, RecordedSession, WatchedVideo
from ...records.live_directory import LiveDirectory
from ...reports.evaluation.live_tables import LiveEvaluation, Watched
from ...reports.numbers import few
from ..console.progress import Console, Progress
from ..live import LOADING_TIMEOUT_S, live_job, live_settings, plan_live
from ..plan.planned_model import PlannedModel
from ..predict import caveat
from ..worker import events
from ..worker.supervisor import Outcome, Worker

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
        _Watching(model, config, directory, todo, failed, console).run()
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
    settings = live_settings(model, config, _zones(config))
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


def _zones(config: LiveConfig) -> Zones | None:
    return None if config.zones is None else read_zones(Path(config.zones))


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


@dataclass(frozen=True, slots=True)
class _Watching:
    """The videos of an evaluation while they are watched.

    - `model`, `config`: by which network, and how. `directory`: keeps what is done.
    - `todo`: sha256 → video. `failed`: sha256 → why it could not be watched.
    - `console`: shows how far it is.
    """

    model: PlannedModel
    config: LiveConfig
    directory: LiveDirectory
    todo: dict[str, AnnotatedVideo]
    failed: dict[str, str]
    console: Console

    def run(self) -> None:
        """Watch them all; a process that ends in a video costs that one. Raises MeasurementError if the
        network cannot be used."""
        title, total = f"watching by {self.model.key}", len(self.todo)
        with self.console.task(title, total) as progress, TemporaryDirectory() as folder:
            for sha256 in self.todo.keys() & self.directory.watched.keys():
                progress.advance(self.todo.pop(sha256).name)
            in_a_row = 0
            while self.todo:
                before = len(self.todo)
                try:
                    outcome = self._run_worker(progress, Path(folder) / "log")
                except KeyboardInterrupt:
                    done = total - len(self.todo)
                    self.console.say(
                        f"interrupted: {done} of {total} videos are done; the same command goes on"
                    )
                    raise
                if outcome.failed is None:
                    return
                in_a_row = 1 if len(self.todo) < before else in_a_row + 1
                reason = outcome.failed.partition(" (see ")[0]  # the log is gone when all is done
                if not outcome.in_flight or in_a_row == MOST_FAILURES:
                    raise MeasurementError(reason, where=self.model.key)
                self._fail(outcome.in_flight[0], reason, progress)

    def _run_worker(self, progress: Progress, log: Path) -> Outcome:
        """One process that watches what is left, as far as it gets."""
        settings = live_settings(
            self.model, replace(self.config, as_fast_as_possible=True), _zones(self.config)
        )
        clips = [Clip(sha256, video.path) for sha256, video in self.todo.items()]
        job = live_job("live videos", self.model, settings, clips)
        worker = Worker(job, self.model.python, log, LOADING_TIMEOUT_S, self.console.say)
        outcome = Outcome()
        with closing(worker.events(outcome)) as found:
            for event in found:
                match event:
                    case events.StageProgress():
                        progress.note(str(event))
                    case events.ClipFailed(clip, error):
                        self._fail(clip, error.removeprefix(f"{self.todo[clip].path.name}: "), progress)
                    case events.Watched(clip, frames, timeline, notes):
                        name = self.todo[clip].name
                        self.directory.add(WatchedVideo(clip, name, frames, timeline, notes))
                        progress.advance(self.todo.pop(clip).name)
        return outcome

    def _fail(self, sha256: str, reason: str, progress: Progress) -> None:
        self.failed[sha256] = reason
        progress.advance(self.todo.pop(sha256).name)


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
