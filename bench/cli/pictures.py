"""Writing pictures as a video or as a folder of images."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from .options import check_writable


def write_pictures(out: Path, pictures: npt.NDArray[np.uint8], rate: Fraction) -> None:
    """Write pictures as a video or as PNG files.

    - `out`: a video file (.mp4), or the folder of the PNG files; checked by `check_output`.
    - `pictures`: (T, H, W, 3) uint8 RGB.
    - `rate`: frames per second of the video.

    Raises UsageError if `out` cannot be written.
    """
    try:
        if out.suffix:
            _write_video(out, pictures, rate)
        else:
            _write_images(out, pictures)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=out) from error


def check_output(out: Path) -> None:
    """Raise UsageError if `out` exists, has another suffix than .mp4 or none, or cannot be written."""
    if out.exists():
        raise UsageError("exists already", where=out, remedy="Name a new file or folder.")
    if out.suffix.lower() not in (".mp4", ""):
        raise UsageError("has an ending that is not known", where=out, expected=".mp4, or none for a folder")
    if out.suffix:
        check_writable("OUT", out)


def _write_video(path: Path, pictures: npt.NDArray[np.uint8], rate: Fraction) -> None:
    import av

    # 4:2:0 needs even sides.
    height, width = pictures.shape[1] // 2 * 2, pictures.shape[2] // 2 * 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _write_images(folder: Path, pictures: npt.NDArray[np.uint8]) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:06d}.png")
