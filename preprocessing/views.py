"""Which frames of a video are in each view, and which squares of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..models.spec import Preprocessing, Tail, Views
from .pixels import Scalar, centre_crop, uniform_crops

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ClipViews:
    """How a clip is cut into windows, each of which gives one view for every crop.

    - `views`: how a video is cut.
    - `single`: frames of a single window from the middle instead of `views`; None for `views`.
    """

    views: Views
    single: int | None = None

    @property
    def whole(self) -> bool:
        """Whether a clip is one window of all its frames."""
        return self.single is None and self.views.window is None

    @property
    def crops(self) -> int:
        """Squares that are cut out of each window's frames: so many views it gives."""
        return 1 if self.single is not None else self.views.crops

    def of_window(self, number: int) -> range:
        """Numbers of the views that window `number` of a clip gives, in the order of the crops."""
        return range(number * self.crops, (number + 1) * self.crops)

    def cropped(self, pictures: npt.NDArray[Scalar], spec: Preprocessing) -> tuple[npt.NDArray[Scalar], ...]:
        """The squares of a window's pictures (T, H, W, C) that the network sees, `crops` of them."""
        if self.crops == 1:
            return (centre_crop(pictures, spec.crop, spec.crop_offset),)
        return uniform_crops(pictures, spec.crop)

    def select(self, n: int) -> list[Indices]:
        """The numbers of the frames of each window, of a clip with `n` frames."""
        if self.single is not None:
            # The whole-video networks take any length: a short video is one short view, not a looped one.
            length = min(self.single, n) if self.views.window is None else self.single
            return [centre_window(n, length, self.views.tail)]
        if self.views.window is None:
            return [np.arange(n)]
        if self.views.clips is not None:
            return even_clips(n, self.views.window, self.views.clips, self.views.tail)
        return windows(n, self.views.window, self.views.stride or self.views.window, self.views.tail)

    def covered(self, chosen: Sequence[Indices], n: int) -> tuple[int, float]:
        """How many frames of a clip with `n` are in some window, and the share of it that is answered.

        - `chosen`: the frames of each window (`select`).

        Windows that follow one another to the end answer the whole video. A number of windows that does not
        depend on its length, of one window or of some clips, answers the frames that they have: a longer
        video would take no more work.
        """
        different = len(np.unique(np.concatenate(chosen)))
        fixed = self.single is not None or self.views.clips is not None
        return different, different / n if fixed else 1.0


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
