"""The task "live videos": a live session for each of several video files, as fast as possible.

Each is `run_session` with everything that `bench live` has but outputs, so that what is measured is what is
used.
"""

from __future__ import annotations

import threading

from ...errors import ClipError
from ...live.capture.source import Source
from ...live.events import ActionEvent
from ...live.frame import Frame
from ...live.measurements import Measurements
from ...live.outputs.output import Shown
from ...live.session import run_session
from ...preprocessing.preparer import ReportProgress
from ...records.live import LabelTimeline, ShownLabel
from ..scenarios.scenario import Loaded
from .events import ClipFailed, Send, Started, Watched, signs_of_life
from .job import Job
from .live import LiveSettings, ready


def watch_videos(job: Job, loaded: Loaded, send: Send) -> None:
    """Watch the job's clips, whole files, one after the other, and report what was shown of each."""
    settings: LiveSettings = job.settings
    recognise, people = ready(job, loaded)
    for video in job.clips:
        send(Started(video.id))
        recorder = Recorder(signs_of_life(send))
        notes = [*loaded.preparer.notes]
        try:
            summary = run_session(
                Source("file", str(video.path.absolute()), video.path.name),
                recognise,
                loaded.preparer,
                settings.labels,
                settings.session(),
                (recorder,),
                Measurements(settings.config.stride),
                threading.Event(),
                decider=settings.decider(),
                people=people,
                say=notes.append,
            )
        except ClipError as error:
            send(ClipFailed(video.id, str(error)))
            continue
        if summary.damaged:
            notes.append(f"{summary.damaged} damaged packets")
        send(Watched(video.id, summary.captured, recorder.timeline, tuple(notes)))


class Recorder:
    """The output that notes which labels stand on which frame: they are about that frame, without an age.

    - `progress`: is told about each frame.
    """

    def __init__(self, progress: ReportProgress) -> None:
        self._progress = progress
        self._labels: list[ShownLabel] = []
        self._frames, self._last_s = 0, 0.0

    @property
    def timeline(self) -> LabelTimeline:
        """What was shown so far."""
        return LabelTimeline(tuple(self._labels), self._last_s)

    def frame(self, frame: Frame, shown: Shown) -> None:
        """Note the labels where they have changed."""
        self._frames, self._last_s = self._frames + 1, frame.time_s
        self._progress("frames", self._frames, 0)
        if shown.people is not None:
            decisions = [each.decision for each in shown.people]
        elif shown.decision is None and not self._labels:
            return  # before the first whole window nothing can be recognised
        else:
            decisions = [shown.decision]
        labels = tuple(
            sorted({each.label for each in decisions if each is not None and each.label is not None})
        )
        if not self._labels or self._labels[-1].labels != labels:
            self._labels.append(ShownLabel(frame.time_s, 0.0, labels))

    def event(self, event: ActionEvent) -> None:
        """Nothing: an event is where the labels change."""

    def close(self) -> None:
        """Nothing."""
