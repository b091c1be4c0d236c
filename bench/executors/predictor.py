"""Predicting clips on one machine, whatever happens to the process that does it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from ...datasets.clip import Clip
from ..worker.events import ClipFailed, Event, Failed, Predicted, Waiting
from ..worker.supervisor import Outcome, Worker

MOST_CRASHING_CLIPS = 5
"""Clips that kill their worker, one after another, until the model is given up: it is not the clips."""


class Predictor:
    """A network that predicts clips in a worker process, which stays loaded from one call to the next.

    A worker that dies costs one clip at most. What it had in flight is tried again in a new one, one clip at
    a time; a clip that kills its worker when it is alone fails.
    """

    def __init__(self, worker: Worker) -> None:
        """`worker`: of the task "accuracy"; its job has no clips."""
        self._worker = worker
        self._events: Generator[Event] | None = None  # of the process that is loaded
        self._outcome = Outcome()
        self._next: Sequence[Clip] = ()
        self._crashes = 0

    def __call__(self, clips: Sequence[Clip]) -> Iterator[Event]:
        """The events of predicting `clips`: a `Predicted` or a `ClipFailed` of each, and signs of life.

        `Failed`, after which no more can be predicted, is the last one if it is not the clips.
        """
        remaining = {clip.id: clip for clip in clips}
        suspects: list[str] = []
        while remaining:
            chosen = [remaining[id_] for id_ in suspects] or list(remaining.values())
            answered = self._events is not None  # in an earlier call
            for event in self._fed(chosen, ahead=0 if suspects else 1):
                match event:
                    case Waiting():
                        break
                    case Predicted(clip=str(clip)) | ClipFailed(clip=str(clip)):
                        answered, self._crashes = True, 0
                        del remaining[clip]
                yield event
            failed, in_flight = self._outcome.failed, self._outcome.in_flight
            if suspects or failed is not None:
                # The next one prepares clips ahead again.
                self.close()
            if failed is None:
                suspects = []
            elif not self._outcome.died or not (in_flight or answered):
                yield Failed(failed)
                return
            elif len(in_flight) != 1 or not suspects:
                # Not sure yet that the clip did it: it may have been the machine, or the clip beside it.
                suspects = in_flight
            else:
                self._crashes += 1
                if self._crashes == MOST_CRASHING_CLIPS:
                    yield Failed(f"{self._crashes} clips in a row killed it, the last one: {failed}")
                    return
                (clip,), suspects = in_flight, []
                del remaining[clip]
                yield ClipFailed(clip, failed)

    def _fed(self, clips: Sequence[Clip], ahead: int) -> Iterator[Event]:
        """The events of the process that is loaded, or else of a new one, from now on that it has `clips`."""
        self._next = clips
        if self._events is None:
            job = self._worker.job
            job = replace(job, clips=tuple(clips), settings=replace(job.settings, ahead=ahead))
            self._outcome = Outcome()
            self._events = replace(self._worker, job=job, more=lambda: self._next).events(self._outcome)
        # Not `yield from`: whoever stops here leaves the process loaded.
        while (event := next(self._events, None)) is not None:
            yield event

    def close(self) -> None:
        """End the process."""
        if self._events is not None:
            self._events.close()
            self._events = None
