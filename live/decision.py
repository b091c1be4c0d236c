"""Which action is shown: interface only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .events import ActionEvent


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What is shown after one window: `label` None for no action, `probabilities` (classes,) smoothed."""

    label: str | None
    confidence: float
    probabilities: npt.NDArray[np.float32]
    events: tuple[ActionEvent, ...] = ()
