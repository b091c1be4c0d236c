"""Gives frames and events to the outputs, each in a thread of its own: none delays a label or another one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ..plain_text import plain_line
from .events import ActionEvent
from .frame import Frame
from .labelling import Labelled
from .measurements import Measurements, SessionStatus
from .outputs.output import Output, PictureOutput, Shown
from .queues import Newest

STATUS_S = 0.2
"""Seconds for which a status is shown before it is taken again: its percentiles take longer than a frame."""

STUCK_S = 5.0
"""Seconds after which an output that has not returned is reported."""

CLOSING_S = 30.0
"""Seconds that outputs may take to complete their files."""

TOP = 5
"""Classes in `Shown.top`."""

Item = tuple[Frame, Labelled] | ActionEvent


class Dispatcher:
    """Gives frames and events to outputs; any thread may call its methods.

    - `outputs`: one that raises is closed, reported, and given nothing more.
    - `labels`: names of the classes.
    - `measurements`: counts what outputs are not given, and knows the status.
    - `room`: frames that may wait for each output. `lossless`: further ones wait; otherwise the oldest is not
      shown. Events never wait for room; they are lost where `queues.MOST_KEPT` wait for an output already.
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
        self._labels, self._measurements = labels, measurements
        self._labelled = Labelled()
        self._status: SessionStatus | None = None
        self._status_until_s = 0.0
        self._threads = [_OutputThread(output, room, lossless, self, measurements, say) for output in outputs]

    def label(self, labelled: Labelled, events: Sequence[ActionEvent]) -> None:
        """Show these labels from now on, and hand the events on."""
        self._labelled = labelled
        self.events(events)

    def events(self, events: Sequence[ActionEvent]) -> None:
        """Hand events on."""
        for event in events:
            for thread in self._threads:
                thread.put(event)

    def frame(self, frame: Frame) -> None:
        """Show a frame, with the latest labels."""
        item = (frame, self._labelled)
        for thread in self._threads:
            if thread.takes_frames:
                thread.put(item)

    def shown(self) -> Shown:
        """What would stand on a picture now."""
        return self.on_picture(self._labelled)

    def on_picture(self, labelled: Labelled) -> Shown:
        """What stands on a picture of these labels."""
        now = time.monotonic()
        if self._status is None or now >= self._status_until_s:
            self._status, self._status_until_s = self._measurements.status(), now + STATUS_S
        top: tuple[tuple[str, float], ...] = ()
        if labelled.decision is not None:
            smoothed = labelled.decision.smoothed
            best = np.argsort(-smoothed, kind="stable")[:TOP]
            top = tuple((self._labels[i], float(smoothed[i])) for i in best)
        return Shown(labelled.decision, labelled.age_s, top, self._status, labelled.people, labelled.person)

    def check(self) -> None:
        """Report the outputs that do not return."""
        for thread in self._threads:
            thread.check()

    def close(self) -> tuple[str, ...]:
        """Give the outputs what waits, and close them; names of those not done within CLOSING_S seconds."""
        for thread in self._threads:
            thread.close()
        end = time.monotonic() + CLOSING_S
        return tuple(thread.name for thread in self._threads if not thread.ends_before(end))


def _is_event(item: Item) -> bool:
    return isinstance(item, ActionEvent)


class _OutputThread:
    """The thread that gives one output what waits for it.

    - `room`, `lossless`: of the frames and events that wait, in their order.
    - `dispatcher`: knows what stands on a picture.
    """

    def __init__(
        self,
        output: Output,
        room: int,
        lossless: bool,
        dispatcher: Dispatcher,
        measurements: Measurements,
        say: Callable[[str], None],
    ) -> None:
        self.name = type(output).__name__
        # Where nothing may be lost, frames wait until an output has caught up with the events before them.
        self.takes_frames = lossless or isinstance(output, PictureOutput)
        self._output, self._dispatcher = output, dispatcher
        self._waiting: Newest[Item] = Newest(room, lossless=lossless, always=_is_event)
        self._measurements, self._say = measurements, say
        self._given_since_s: float | None = None
        self._is_full = self._is_stuck = False
        measurements.add_queue(f"output {self.name}", self._waiting.__len__)
        self._thread = threading.Thread(target=self._run, name=f"output {self.name}", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Let the item wait for the output, and count what is lost for that."""
        lost = self._waiting.put(item)
        if lost is None or self._waiting.closed:
            return
        if not isinstance(lost, ActionEvent):
            self._measurements.count("unshown")
            return
        self._measurements.count("lost_events")
        if not self._is_full:
            self._is_full = True
            words = f"the output {self.name} is too slow: events are lost for it"
            self._measurements.set_trouble(f"events of {self.name}", words)
            self._say(words)

    def _run(self) -> None:
        while (item := self._waiting.take()) is not None:
            if not self._does(partial(self._give, item)):
                break
        self._waiting.close()
        self._does(self._output.close)

    def _give(self, item: Item) -> None:
        if isinstance(item, ActionEvent):
            self._output.event(item)
        elif isinstance(self._output, PictureOutput):
            frame, labelled = item
            self._output.frame(frame, self._dispatcher.on_picture(labelled))

    def _does(self, what: Callable[[], None]) -> bool:
        """Do it; whether the output did not raise."""
        self._given_since_s = time.monotonic()
        try:
            what()
        except Exception as error:
            words = f"the output {self.name} failed and gets nothing more: {error or type(error).__name__}"
            self._measurements.set_trouble(f"output {self.name}", plain_line(words))
            self._say(plain_line(words))
            return False
        finally:
            self._given_since_s = None
        return True

    def check(self) -> None:
        """Report an output that does not return, and that it has returned."""
        since_s = self._given_since_s
        is_stuck = since_s is not None and time.monotonic() - since_s > STUCK_S
        if is_stuck != self._is_stuck:
            self._is_stuck = is_stuck
            words = f"the output {self.name} does not return" if is_stuck else None
            self._measurements.set_trouble(f"return of {self.name}", words)

    def close(self) -> None:
        """Nothing more will come; the output is closed when it has got what waits."""
        self._waiting.close()

    def ends_before(self, end_s: float) -> bool:
        """Whether the output is closed before `end_s` of the monotonic clock; waits until then at most."""
        self._thread.join(max(0.0, end_s - time.monotonic()))
        return not self._thread.is_alive()
