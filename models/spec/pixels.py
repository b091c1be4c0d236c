"""How the pixels were prepared that a set of weights was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from ...errors import UsageError
from .checks import require_one_of, require_whole

Channels = tuple[float, float, float]

Modality = Literal["rgb", "flow"]
Filter = Literal["opencv-bilinear", "pillow-bilinear", "pillow-bicubic", "torch-bilinear"]
Rounding = Literal["round", "floor"]
Offset = Literal["floor", "half-even"]
Colour = Literal["rgb", "bgr"]

MOST_FRAMES_PER_S = 1000
"""Greatest frame rate that frames are resampled to."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How the pixels were prepared that a set of weights was trained on. It follows the weights.

    - `modality`: "rgb", or "flow" (optical flow of the grey frames, 2 channels, x before y).
    - `rate`: frames per second the video is resampled to; None keeps the video's own frames.
    - `short_side`: the shorter side is resized to this many pixels, the aspect kept; None with `stretch`.
    - `resize`: the filter. "opencv-bilinear" samples 2×2 neighbours (cv2.INTER_LINEAR);
      "pillow-bilinear" widens its triangle when it shrinks (PIL.Image.BILINEAR), as does "pillow-bicubic"
      (PIL.Image.BICUBIC); "torch-bilinear" samples 2×2 neighbours in float32 and rounds half to even (torch's
      interpolation without antialiasing).
    - `long_side`: how the longer side's fraction of a pixel is dropped, "round" or "floor".
    - `crop`: side of the centre crop, pixels.
    - `crop_offset`: "floor" of half the margin, or "half-even" (Python's `round`). It does not apply to three
      `Views.crops`, whose margins are rounded up.
    - `scale`, `mean`, `std`: RGB pixels 0–255 become `(pixel * scale - mean) / std`, channel by channel. Mean
      and standard deviation are those of red, green and blue, whatever `colour` is.
    - `flow_bound`: flow is clipped to ±bound pixels a frame and divided by it. None for RGB.
    - `stretch`: (height, width) in pixels that frames are resized to, the aspect not kept.
    - `every`: of the frames at `rate` only every so many-th is used, from the first one on: 4 for "16×4" of
      networks whose papers count in the videos' own frames.
    - `colour`: order of the network's input channels.

    Raises UsageError for values that make no sense, alone or together.
    """

    modality: Modality
    rate: Fraction | None
    short_side: int | None
    resize: Filter
    long_side: Rounding
    crop: int
    crop_offset: Offset
    scale: float = 1.0
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    flow_bound: float | None = None
    stretch: tuple[int, int] | None = None
    every: int = 1
    colour: Colour = "rgb"

    def __post_init__(self) -> None:
        for name, known in (
            ("modality", Modality),
            ("resize", Filter),
            ("long_side", Rounding),
            ("crop_offset", Offset),
            ("colour", Colour),
        ):
            require_one_of("preprocessing", name, getattr(self, name), get_args(known))
        if (self.short_side is None) == (self.stretch is None):
            raise UsageError(
                "frames have one size",
                where="preprocessing",
                expected="`short_side` or `stretch`",
                found="neither" if self.stretch is None else "both",
            )
        sides = (self.short_side,) if self.stretch is None else self.stretch
        sizes = {"short_side" if self.stretch is None else "stretch": sides, "crop": (self.crop,)}
        for name, values in (*sizes.items(), ("every", (self.every,))):
            require_whole("preprocessing", name, *values)
        if self.stretch is not None and len(self.stretch) != 2:
            raise UsageError("is no size", where="`stretch`", expected="height, width", found=self.stretch)
        if self.crop > min(side for side in sides if side is not None):
            raise UsageError(
                "the crop is larger than the resized frames",
                where="preprocessing",
                expected=f"`crop` of {min(side for side in sides if side is not None)} at most",
                found=self.crop,
            )
        if self.rate is not None and not 0 < self.rate <= MOST_FRAMES_PER_S:
            raise UsageError(
                "no such frame rate",
                where="preprocessing",
                expected=f"`rate` above 0, {MOST_FRAMES_PER_S} frames a second at most",
                found=self.rate,
            )
        bound = 1.0 if self.flow_bound is None else self.flow_bound
        numbers = (*self.mean, *self.std, self.scale, bound)
        if len(self.mean) != 3 or len(self.std) != 3 or not all(map(math.isfinite, numbers)):
            raise UsageError("three finite numbers each are expected", where="`mean` and `std`")
        if min(*self.std, self.scale, bound) <= 0:
            raise UsageError("must be positive", where="`scale`, `std` and `flow_bound`")

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames a second that the network sees; None where that depends on the video."""
        return None if self.rate is None else self.rate / self.every

    @property
    def channel_mean(self) -> Channels:
        """`mean` in the order of the network's input channels."""
        return self.mean if self.colour == "rgb" else self.mean[::-1]

    @property
    def channel_std(self) -> Channels:
        """`std` in the order of the network's input channels."""
        return self.std if self.colour == "rgb" else self.std[::-1]

    @property
    def channels(self) -> int:
        """Channels of the network's input: 3 for RGB, 2 for flow."""
        return 3 if self.modality == "rgb" else 2
