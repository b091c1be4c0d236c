"""From decoded frames to the input that a network had in training, to the pixel. Pure functions on arrays.

Sizes and counts are in pixels and frames. The resizing filters differ by several grey levels when they
shrink: "opencv-bilinear" (cv2.INTER_LINEAR, in integers) and "torch-bilinear" (in float32) sample the 2×2
neighbours of a point whatever the scale; "pillow-bilinear" (PIL.Image.BILINEAR) averages over the whole area
that becomes one pixel, and so does "pillow-bicubic" (PIL.Image.BICUBIC), with a sharper filter.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..datasets.video.sampling import Pixels
from ..errors import ClipError, UsageError
from ..models.spec import Filter, Offset, Rounding

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
    return resize_to(frame, resized_size(width, height, short_side, long_side), filter)


def resize_to(frame: Pixels, size: tuple[int, int], filter: Filter) -> Pixels:
    """A picture of another size, whatever that does to the aspect ratio.

    - `frame`: (H, W, 3) or (H, W) uint8; returned unchanged if it has the size already.
    - `size`: (width, height), pixels.
    - `filter`: see the module.
    """
    if size == (frame.shape[1], frame.shape[0]):
        return frame
    if filter == "opencv-bilinear":
        import cv2

        return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    if filter == "torch-bilinear":
        return np.rint(torch_bilinear(frame, size)).astype(np.uint8)
    from PIL import Image

    cubic = filter == "pillow-bicubic"
    kernel = Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(frame).resize(size, kernel))


def torch_bilinear(frame: Pixels, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A resized picture before it is rounded, (height, width, …) float32, 0–255; see `resize_to`.

    What `torch.nn.functional.interpolate(…, mode="bilinear", align_corners=False)` computes of float32, and
    torchvision's `resize(…, antialias=False)` of uint8 before it rounds half to even. Not by `cv2.resize`,
    whose neighbours' shares differ in the fourth digit: one pixel in 500 of a Full HD frame would.
    """
    width, height = size
    top, bottom, down = _neighbours(frame.shape[0], height)
    left, right, across = _neighbours(frame.shape[1], width)
    rows = frame.reshape(frame.shape[0], -1)
    channels = rows.shape[1] // frame.shape[1]
    # Channels are taken one by one: NumPy takes single bytes several times as fast as pixels of three.
    left, right = ((each[:, None] * channels + np.arange(channels)).ravel() for each in (left, right))
    across = np.repeat(across, channels)

    def resized_rows(numbers: Indices, share: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        chosen = rows[numbers]
        resized: npt.NDArray[np.float32]
        resized = np.multiply(chosen.take(left, axis=1), 1 - across, dtype=np.float32)
        resized += np.multiply(chosen.take(right, axis=1), across, dtype=np.float32)
        resized *= share[:, None]
        return resized

    resized = resized_rows(top, 1 - down)
    resized += resized_rows(bottom, down)
    return resized.reshape(height, width, *frame.shape[2:])


def _neighbours(before: int, after: int) -> tuple[Indices, Indices, npt.NDArray[np.float32]]:
    """The two neighbours of each resized pixel along one axis, and the share of the second one.

    ATen/native/UpSample.h, `area_pixel_compute_source_index` and `guard_index_and_lambda`: the scale is a
    float32; the compiler fuses the product with the difference, so that their result is rounded once.
    """
    scale = np.float64(np.float32(before / after))
    at = np.maximum(scale * (np.arange(after) + 0.5) - 0.5, 0).astype(np.float32)
    first = np.minimum(at.astype(np.intp), before - 1)
    return first, np.minimum(first + 1, before - 1), np.clip(at - first.astype(np.float32), 0, 1)


def centre_crop(array: npt.NDArray[Scalar], size: int, offset: Offset = "floor") -> npt.NDArray[Scalar]:
    """The central square of pictures, (…, size, size, C), as a view.

    - `array`: (…, H, W, C).
    - `size`: side of the square, pixels.
    - `offset`: the margin before the square is half the surplus, rounded down ("floor") or to the even
      neighbour ("half-even", Python's `int(round((w - size) / 2.))`, as in Hara's `CenterCrop`).

    Raises ClipError if the picture is smaller.
    """
    height, width = _room_for(array, size)
    top, left = (
        (surplus // 2 if offset == "floor" else round(surplus / 2))
        for surplus in (height - size, width - size)
    )
    return array[..., top : top + size, left : left + size, :]


def uniform_crops(array: npt.NDArray[Scalar], size: int) -> tuple[npt.NDArray[Scalar], ...]:
    """Three squares of pictures along their longer side, (…, size, size, C) each, as views.

    The two ends and the middle: from left to right, or from top to bottom where the height is larger.
    Margins are rounded up, as in `uniform_crop` of SlowFast (slowfast/datasets/transform.py) and PyTorchVideo
    (pytorchvideo/transforms/functional.py).

    - `array`: (…, H, W, C).
    - `size`: side of the squares, pixels.

    Raises ClipError if the picture is smaller.
    """
    height, width = _room_for(array, size)
    top, left = (math.ceil((side - size) / 2) for side in (height, width))
    if height > width:
        corners = [(0, left), (top, left), (height - size, left)]
    else:
        corners = [(top, 0), (top, left), (top, width - size)]
    return tuple(array[..., y : y + size, x : x + size, :] for y, x in corners)


def _room_for(array: npt.NDArray[Scalar], size: int) -> tuple[int, int]:
    height, width = array.shape[-3:-1]
    if min(height, width) < size:
        raise ClipError(
            "picture is smaller than the crop", expected=f"at least {size}x{size}", found=f"{width}x{height}"
        )
    return height, width


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
