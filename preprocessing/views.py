"""Which frames of a video are in each view, as numbers of its frames."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..models.spec import Tail

Indices = npt.NDArray[np.intp]


def windows(n_frames: int, window: int, stride: int, tail: Tail = "loop") -> list[Indices]:
    """Frame numbers of each view, (window,) each.

    - `n_frames`: frames of the video.
    - `window`: frames of a view.
    - `stride`: frames between the starts of two views.
    - `tail`: a last window with too few frames repeats those it has ("loop", as Hara's `LoopPadding` does),
      repeats the last of them ("hold"), or is left out ("drop"). Unless it is dropped, each frame is in some
      view if stride ≤ window.

    A video shorter than one window is filled in the same way, and looped with "drop". Raises UsageError for a
    number below 1.
    """
    if min(n_frames, window, stride) < 1:
        raise UsageError(
            "frames, window and stride must be positive", found=f"{n_frames}, {window} and {stride}"
        )
    if n_frames <= window:
        return [_filled(n_frames, window, tail)]
    views = []
    for start in range(0, n_frames, stride):
        held = min(window, n_frames - start)
        if held < window and tail == "drop":
            break
        views.append(start + _filled(held, window, tail))
        if start + window >= n_frames:
            break
    return views


def _filled(held: int, window: int, tail: Tail) -> Indices:
    """The numbers (window,) of `held` frames, looped, or with the last one repeated."""
    numbers = np.arange(window)
    return np.minimum(numbers, held - 1) if tail == "hold" else numbers % held


def even_clips(n_frames: int, window: int, clips: int, tail: Tail = "loop") -> list[Indices]:
    """Frame numbers (window,) of `clips` views that are evenly spaced over a video.

    View i starts at frame ⌊i · (n_frames − window) / (clips − 1)⌋, a single one at frame 0, as torchvision's
    `UniformClipSampler` and PyTorchVideo's `ConstantClipsPerVideoSampler` have it. All views of a video that
    is shorter than a window are the same: the video, looped, or its last frame repeated.

    - `n_frames`: frames of the video.
    - `window`: frames of a view.
    - `clips`: number of views.
    - `tail`: as for `windows`, of a video that is shorter than a window.

    Raises UsageError for a number below 1.
    """
    if min(n_frames, window, clips) < 1:
        raise UsageError(
            "frames, window and clips must be positive", found=f"{n_frames}, {window} and {clips}"
        )
    if n_frames <= window:
        return [_filled(n_frames, window, tail)] * clips
    starts = (i * (n_frames - window) // max(1, clips - 1) for i in range(clips))
    return [start + np.arange(window) for start in starts]


def centre_window(n_frames: int, window: int, tail: Tail = "loop") -> Indices:
    """Frame numbers (window,) of a single view from the middle of a video.

    - `n_frames`: frames of the video.
    - `window`: frames of the view.
    - `tail`: as for `windows`, of a video that is shorter than the view.

    Raises UsageError for a number below 1.
    """
    if min(n_frames, window) < 1:
        raise UsageError("frames and window must be positive", found=f"{n_frames} and {window}")
    if n_frames <= window:
        return _filled(n_frames, window, tail)
    return (n_frames - window) // 2 + np.arange(window)
