"""Gives frames and events to the outputs, in a thread of its own: a slow or broken one delays no label."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from ..plain_text import plain_line
from .events import ActionEvent
from .frame import Frame
from .labelling import Labelled
from .measurements import Measurements, SessionStatus
from .outputs.output import Output, Shown
from .queues import Newest

STATUS_S = 0.2
"""Seconds for which a status is shown before it is taken again: its percentiles take longer than a frame."""

CLOSING_S = 30.0
"""Seconds that outputs may take to complete their files."""

TOP = 5
"""Classes in `Shown.top`."""


class Dispatcher:
    """Gives frames and events to outputs; any thread may call its methods.

    - `outputs`: one that raises is closed, reported, and given nothing more.
    - `labels`: names of the classes.
    - `measurements`: counts frames that are not shown, and knows the status.
    - `room`: frames that may wait for the outputs. `lossless`: further ones wait; otherwise the oldest is not
      shown. Events never wait for room, and none is lost.
    - `say`: is told, in words, which output failed.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        labels: tuple[str, ...],
        measurements: Measurements,
        room: int,
        lossless: bool,
        say: Callable[[str], None],
    ) -> None:
        self._outputs, self._labels, self._measurements, self._say = list(outputs), labels, measurements, say
        self._waiting: Newest[tuple[Frame, Labelled] | ActionEvent] = Newest(
            room, lossless=lossless, always=lambda item: isinstance(item, ActionEvent)
        )
        self._labelled = Labelled()
        self._status: SessionStatus | None = None
        self._status_until_s = 0.0
        measurements.watch_queue("outputs", self._waiting.__len__)
        self._thread = threading.Thread(target=self._run, name="outputs", daemon=True)
        self._thread.start()

    def label(self, labelled: Labelled, events: Sequence[ActionEvent]) -> None:
        """Show these labels from now on, and hand the events on."""
        self._labelled = labelled
        self.events(events)

    def events(self, events: Sequence[ActionEvent]) -> None:
        """Hand events on."""
        for event in events:
            if isinstance(self._waiting.put(event), tuple):
                self._measurements.count("unshown")

    def frame(self, frame: Frame) -> None:
        """Show a frame, with the latest labels."""
        if self._outputs and self._waiting.put((frame, self._labelled)) is not None:
            self._measurements.count("unshown")

    def shown(self) -> Shown:
        """What would stand on a picture now."""
        return self._shown(self._labelled)

    def _shown(self, labelled: Labelled) -> Shown:
        now = time.monotonic()
        if self._status is None or now >= self._status_until_s:
            self._status, self._status_until_s = self._measurements.status(), now + STATUS_S
        top: tuple[tuple[str, float], ...] = ()
        if labelled.decision is not None:
            smoothed = labelled.decision.smoothed
            best = np.argsort(-smoothed, kind="stable")[:TOP]
            top = tuple((self._labels[i], float(smoothed[i])) for i in best)
        return Shown(labelled.decision, labelled.age_s, top, self._status, labelled.people, labelled.person)

    def _run(self) -> None:
        while (item := self._waiting.take()) is not None:
            if isinstance(item, ActionEvent):
                self._give_event(item)
            else:
                frame, labelled = item
                shown = self._shown(labelled)
                for output in list(self._outputs):
                    self._give(output, lambda each: each.frame(frame, shown))  # noqa: B023  called at once
        while self._outputs:
            self._end(self._outputs[0])

    def _give_event(self, event: ActionEvent) -> None:
        for output in list(self._outputs):
            self._give(output, lambda each: each.event(event))

    def _give(self, output: Output, what: Callable[[Output], None]) -> None:
        try:
            what(output)
        except Exception as error:
            self._failed(output, error)
            self._end(output)

    def _end(self, output: Output) -> None:
        self._outputs.remove(output)
        try:
            output.close()
        except Exception as error:
            self._failed(output, error)

    def _failed(self, output: Output, error: Exception) -> None:
        name = type(output).__name__
        words = plain_line(f"the output {name} failed and gets nothing more: {error or type(error).__name__}")
        self._measurements.set_trouble(f"output {name}", words)
        self._say(words)

    def close(self) -> bool:
        """Give the outputs what waits, and close them; whether they were done within CLOSING_S seconds."""
        self._waiting.close()
        self._thread.join(CLOSING_S)
        return not self._thread.is_alive()
