"""Probabilities out of logits. Not by scipy: its import adds 21 MB to the process that is measured."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .spec import FloatArray


def softmax(logits: FloatArray) -> npt.NDArray[np.float64]:
    """Probabilities (N, classes) of logits (N, classes)."""
    wide = logits.astype(np.float64)
    exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
