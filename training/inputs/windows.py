"""Windows of clips as network input: random ones for training, evenly spaced ones for evaluation.

All windows of a training have the same length, so that the length of a clip does not reveal its class. A
shorter clip is looped, as the authors of 3D-ResNeXt do (`LoopPadding`).
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...datasets.clip import Clip
from ...models.spec import Preprocessing
from ...preprocessing.pixels import centre_crop, normalise
from ..augmentation.augmentation import Augmentation
from ..augmentation.geometry import corner_crop, jittered_start
from ..config import FinetuneConfig
from .frames import ResizedFrames

FAST_RATE = 45.0
"""Frames a second from which a window is twice as long, where the weights keep the videos' own rate: those
with 60 have two frames for one of those with 30, which networks are trained on."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """The random changes of a training window.

    - `corner`: its crop is a random corner; else the centre.
    - `jitter`: its start is random; else it is the middle window.
    - `mirror`: left and right are exchanged in half of the windows. `augmentation`: the filters.
    """

    corner: bool
    jitter: bool
    mirror: bool
    augmentation: Augmentation

    @classmethod
    def of(cls, config: FinetuneConfig) -> Drawing:
        return cls(config.crop == "corner", config.jitter, config.mirror, config.augmenting)

    @property
    def fixed(self) -> bool:
        """Nothing is random: each window is the middle one, unchanged."""
        return not (self.corner or self.jitter or self.mirror) and self.augmentation.mode == "none"

    def describe(self) -> dict[str, Any]:
        """All that a random window depends on, except the clip and the seed; plain values."""
        plain = asdict(self)
        if self.augmentation.mode == "none":
            plain["augmentation"] = {"mode": "none"}  # its strengths do not count
        return plain


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of `length` frames out of clips' `frames`, prepared as `how` says."""

    frames: ResizedFrames
    how: Preprocessing
    length: int

    def drawn(self, clip: Clip, drawing: Drawing, seed: int) -> torch.Tensor:
        """A training window (C, T, H, W) float32; the same for the same clip, drawing and seed."""
        if drawing.fixed:
            return self.even(clip, 1)[0]
        pixels = self.frames(clip)
        generator = torch.Generator().manual_seed(seed)
        start = (len(pixels) - self.length) // 2
        if drawing.jitter:
            start = jittered_start(len(pixels), self.length, generator)
        window = pixels[looped(len(pixels), start, self.length)]
        size = self.how.crop
        if drawing.corner:
            cropped = corner_crop(torch.from_numpy(window), size, generator)
        else:
            cropped = torch.from_numpy(np.ascontiguousarray(self._centre(window)))
        if drawing.mirror and torch.rand((), generator=generator) < 0.5:
            cropped = cropped.flip(2)
        cropped = drawing.augmentation(cropped, generator)
        return self._normalised(cropped.numpy())

    def even(self, clip: Clip, views: int) -> torch.Tensor:
        """Evenly spaced windows of the clip's whole length (V, C, T, H, W) float32; 1 is the middle one."""
        pixels = self.frames(clip)
        starts = even_starts(len(pixels), self.length, views)
        return torch.stack(
            [
                self._normalised(self._centre(pixels[looped(len(pixels), start, self.length)]))
                for start in starts
            ]
        )

    def _centre(self, window: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return centre_crop(window, self.how.crop, self.how.crop_offset)

    def _normalised(self, window: npt.NDArray[np.uint8]) -> torch.Tensor:
        ordered = window if self.how.colour == "rgb" else window[..., ::-1]
        values = normalise(ordered, self.how.scale, self.how.channel_mean, self.how.channel_std)
        return torch.from_numpy(values).permute(3, 0, 1, 2).contiguous()


def looped(frames: int, start: int, length: int) -> npt.NDArray[np.intp]:
    """Numbers of `length` frames from `start` on; of a clip that is shorter all frames, over and over."""
    if frames <= length:
        return np.arange(length) % frames
    return start + np.arange(length)


def even_starts(frames: int, length: int, views: int) -> list[int]:
    """First frames of `views` windows, evenly spaced; one window is the middle one."""
    room = max(0, frames - length)
    if views == 1:
        return [room // 2]
    return [round(room * view / (views - 1)) for view in range(views)]


def window_length(config: FinetuneConfig, own: int, how: Preprocessing, rate: float | None) -> int:
    """Frames of a window.

    - `own`: those of the network. `how`: of its weights.
    - `rate`: the set's frames a second; None where it does not count.
    """
    if config.window is not None:
        return config.window
    return 2 * own if how.rate is None and rate is not None and rate >= FAST_RATE else own


def seed_of(*parts: object) -> int:
    """A seed that depends on all of `parts`, and on nothing else."""
    text = "\n".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8]) >> 1
