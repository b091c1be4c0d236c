"""Writing pictures as a video or as a folder of images."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from .options import check_ending, check_writable


def write_pictures(out: Path, pictures: npt.NDArray[np.uint8], rate: Fraction) -> None:
    """Write pictures as a video or as PNG files.

    - `out`: a video file (.mp4), or the folder of the PNG files; checked by `check_output`.
    - `pictures`: (T, H, W, 3) uint8 RGB.
    - `rate`: frames per second of the video.

    Raises ClipError or UsageError if `out` cannot be written.
    """
    if not out.suffix:
        _write_images(out, pictures)
        return
    from ...datasets.video.sampling import TimedFrame
    from ...datasets.video.writer import write_video

    frames = (
        TimedFrame(number / rate, (number + 1) / rate, partial(pictures.__getitem__, number))
        for number in range(len(pictures))
    )
    write_video(out, frames, rate, lossless=False)


def check_output(out: Path) -> None:
    """Raise UsageError if `out` exists, has another suffix than .mp4 or none, or cannot be written."""
    if out.exists():
        raise UsageError("exists already", where=out, remedy="Name a new file or folder.")
    check_ending("OUT", out, (".mp4", ""))
    if out.suffix:
        check_writable("OUT", out)


def _write_images(folder: Path, pictures: npt.NDArray[np.uint8]) -> None:
    from PIL import Image

    try:
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / f"{number:06d}.png")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=folder) from error
