"""From decoded frames to the input that a network had in training, to the pixel. Pure functions on arrays.

Sizes and counts are in pixels and frames. The resizing filters differ by several grey levels when
they shrink: "opencv-bilinear" (cv2.INTER_LINEAR) samples the 2×2 neighbours of a point whatever the scale,
"pillow-bilinear" (PIL.Image.BILINEAR) averages over the whole area that becomes one pixel, and so does
"pillow-bicubic" (PIL.Image.BICUBIC), with a sharper filter.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from ...errors import ClipError, UsageError
from .sampling import Pixels

Rounding = Literal["round", "floor"]
Filter = Literal["opencv-bilinear", "pillow-bilinear", "pillow-bicubic"]
Offset = Literal["floor", "half-even"]
Scalar = TypeVar("Scalar", bound=np.generic)
Indices = npt.NDArray[np.intp]


def resized_size(width: int, height: int, short_side: int, long_side: Rounding = "round") -> tuple[int, int]:
    """(width, height) after the shorter side is resized, aspect ratio kept.

    - `width`, `height`: before, pixels.
    - `short_side`: the shorter side after, pixels.
    - `long_side`: the longer side's fraction of a pixel is rounded half up ("round"), or dropped ("floor"):
      `int(112 * long / short)`, as Hara's `Scale` and torchvision do.

    Raises UsageError for a size below 1.
    """
    if min(width, height, short_side) < 1:
        raise UsageError("sizes must be positive", found=f"{width}x{height} to short side {short_side}")
    short, long = min(width, height), max(width, height)
    scaled = (
        short_side * long // short if long_side == "floor" else (2 * short_side * long + short) // (2 * short)
    )
    return (short_side, scaled) if width <= height else (scaled, short_side)


def resize(frame: Pixels, short_side: int, filter: Filter, long_side: Rounding = "round") -> Pixels:
    """A picture with its shorter side resized, aspect ratio kept.

    - `frame`: (H, W, 3) or (H, W) uint8; returned unchanged if it has the size already.
    - `short_side`: pixels.
    - `filter`: see the module.
    - `long_side`: see `resized_size`.
    """
    height, width = frame.shape[:2]
    size = resized_size(width, height, short_side, long_side)
    if size == (width, height):
        return frame
    if filter == "opencv-bilinear":
        import cv2

        return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    from PIL import Image

    cubic = filter == "pillow-bicubic"
    kernel = Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(frame).resize(size, kernel))


def centre_crop(array: npt.NDArray[Scalar], size: int, offset: Offset = "floor") -> npt.NDArray[Scalar]:
    """The central square of pictures, (…, size, size, C), as a view.

    - `array`: (…, H, W, C).
    - `size`: side of the square, pixels.
    - `offset`: the margin before the square is half the surplus, rounded down ("floor") or to the even
      neighbour ("half-even", Python's `int(round((w - size) / 2.))`, as in Hara's `CenterCrop`).

    Raises ClipError if the picture is smaller.
    """
    height, width = array.shape[-3:-1]
    if min(height, width) < size:
        raise ClipError(
            "picture is smaller than the crop", expected=f"at least {size}x{size}", found=f"{width}x{height}"
        )
    top, left = (
        (surplus // 2 if offset == "floor" else round(surplus / 2))
        for surplus in (height - size, width - size)
    )
    return array[..., top : top + size, left : left + size, :]


def normalise(
    frames: Pixels,
    scale: float,
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
    std: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> npt.NDArray[np.float32]:
    """`(frames * scale - mean) / std` in float32.

    - `frames`: (…, 3) uint8 RGB.
    - `scale`: factor on all channels.
    - `mean`, `std`: per channel. I3D has scale 1/127.5 and mean 1: the range [−1, 1].
    """
    out = np.multiply(frames, np.float32(scale), dtype=np.float32)
    if any(mean):
        out -= np.asarray(mean, dtype=np.float32)
    if any(value != 1 for value in std):
        out /= np.asarray(std, dtype=np.float32)
    return out


def windows(n_frames: int, window: int, stride: int, tail: Literal["loop", "drop"] = "loop") -> list[Indices]:
    """Frame numbers of each view, (window,) each.

    - `n_frames`: frames of the video.
    - `window`: frames of a view.
    - `stride`: frames between the starts of two views.
    - `tail`: a last window with too few frames repeats those it has ("loop", as Hara's `LoopPadding` does),
      or is left out ("drop"). With "loop" each frame is in some view if stride ≤ window.

    A video shorter than one window is always looped. Raises UsageError for a number below 1.
    """
    if min(n_frames, window, stride) < 1:
        raise UsageError(
            "frames, window and stride must be positive", found=f"{n_frames}, {window} and {stride}"
        )
    if n_frames <= window:
        return [np.arange(window) % n_frames]
    views = []
    for start in range(0, n_frames, stride):
        held = min(window, n_frames - start)
        if held < window and tail == "drop":
            break
        views.append(start + np.arange(window) % held)
        if start + window >= n_frames:
            break
    return views


def centre_window(n_frames: int, window: int) -> Indices:
    """Frame numbers (window,) of a single view from the middle of a video; a shorter video is looped.

    - `n_frames`: frames of the video.
    - `window`: frames of the view.

    Raises UsageError for a number below 1.
    """
    if min(n_frames, window) < 1:
        raise UsageError("frames and window must be positive", found=f"{n_frames} and {window}")
    if n_frames <= window:
        return np.arange(window) % n_frames
    return (n_frames - window) // 2 + np.arange(window)
