"""From the network's answers to labels and events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from ..operating_point import OperatingPoint
from .events import ActionEvent
from .recognition import Recognised


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """How labels are decided; see the settings of the same names in `LiveConfig`."""

    threshold: float | None = None
    exit_share: float = 0.7
    smoothing_s: float = 0.5
    hold_s: float = 0.2
    clear_after_s: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What is recognised now. `label`: None for no action."""

    label: str | None
    confidence: float
    smoothed: npt.NDArray[np.float32]
    events: tuple[ActionEvent, ...] = ()


class Decider:
    """Decides each label by the likeliest class, where it reaches a threshold."""

    def __init__(
        self,
        labels: tuple[str, ...],
        settings: DecisionSettings,
        operating_point: OperatingPoint | None,  # noqa: ARG002
        model: str,
    ) -> None:
        self._labels, self._model = labels, model
        self._threshold = 0.5 if settings.threshold is None else settings.threshold
        self._running: ActionEvent | None = None
        self._count = 0

    @property
    def no_action(self) -> str:
        """By which rule "no action" is decided, in words."""
        return f"probability below {self._threshold:g}"

    def update(self, recognised: Recognised) -> Decision:
        """The decision after one more answer."""
        best = int(recognised.probabilities.argmax())
        confidence = float(recognised.probabilities[best])
        label = self._labels[best] if confidence >= self._threshold else None
        events: list[ActionEvent] = []
        if self._running is not None and self._running.label != label:
            events += self.finish(recognised.end_s)
        if label is not None and self._running is None:
            self._count += 1
            self._running = ActionEvent(
                str(self._count),
                "start",
                label,
                recognised.end_s,
                None,
                confidence,
                recognised.start_s,
                recognised.end_s,
                recognised.age_s,
                recognised.window,
                recognised.stride,
                recognised.rate,
                self._model,
                datetime.now(UTC).isoformat(),
            )
            events.append(self._running)
        return Decision(label, confidence, recognised.probabilities, tuple(events))

    def finish(self, time_s: float) -> tuple[ActionEvent, ...]:
        """The events of the end of the session, at `time_s` of its timeline."""
        running, self._running = self._running, None
        if running is None:
            return ()
        return (replace(running, state="end", end_s=time_s, time=datetime.now(UTC).isoformat()),)
