"""A small picture of each clip, for reports to show: written by the worker, which has the frames at hand."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..atomic import replacing
from ..records.run_directory import thumbnail_path

LONG_SIDE = 160
"""Pixels: what fits twice across a phone."""

_QUALITY = 75


def write_thumbnail(run: Path, clip: str, frame: npt.NDArray[np.uint8]) -> None:
    """Write `frame` (H, W, 3) RGB as the picture of `clip` in the run directory `run`, if there is none yet.

    A picture that cannot be written is no reason to lose a prediction: it is missing, and the log says why.
    """
    path = thumbnail_path(run, clip)
    if path.exists():
        return
    try:
        from PIL import Image

        path.parent.mkdir(exist_ok=True)
        picture = Image.fromarray(frame)
        picture.thumbnail((LONG_SIDE, LONG_SIDE))
        with replacing(path, sync=False) as file:
            picture.save(file, "JPEG", quality=_QUALITY)
    except (ImportError, OSError, ValueError) as error:
        logging.getLogger(__name__).info("no thumbnail of %s: %s", clip, error)
