"""Events of a live session: interface only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """An action's start, a change of it, its end, or that it has been over for a while."""

    id: str
    state: Literal["start", "update", "end", "cleared"]
    label: str
    start_s: float
    end_s: float
    confidence: float
    window_start_s: float
    window_end_s: float
    age_s: float
    window: int
    stride: int
    rate: float
    model: str
    time: str
