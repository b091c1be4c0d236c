"""Writing frames as a video file."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags

from ...atomic import replacing
from ...errors import BackendUnavailable, ClipError
from .sampling import Pixels, TimedFrame

LOSSLESS = ("libx264rgb", "rgb24", {"qp": "0", "preset": "veryfast", "bf": "0"})
"""Codec, pixel format, options: RGB as it is, quantiser 0; no B-frames, so pictures are stored in order."""

VIEWABLE = ("libx264", "yuv420p", {"crf": "18"})
"""What browsers and players show, almost without visible loss."""

TICKS = 90_000
"""Time units a second: MPEG's clock, of which frames at 18, 24, 25, 30 and 60 a second last whole numbers."""


def write_video(path: Path, frames: Iterable[TimedFrame], rate: Fraction, *, lossless: bool = True) -> int:
    """Write the frames as H.264 in MP4, whole or not at all; their number.

    - `path`: the file, `.mp4`; its folder is made if it is missing.
    - `frames`: in the order of time; the first one's time becomes 0, the others keep their distance from it,
      to 1/90000 s.
    - `rate`: frames a second, as the header states it.
    - `lossless`: whether the file decodes to the same pixels (`LOSSLESS`; a frame of 640×480 takes about
      0.1 MB), or every player shows it (`VIEWABLE`; a last odd row or column is cut off).

    One frame is held at a time. Raises ClipError if there is no frame or the file cannot
    be written, BackendUnavailable if this PyAV has no encoder.
    """
    codec, pixel_format, options = LOSSLESS if lossless else VIEWABLE
    if codec not in av.codecs_available:
        raise BackendUnavailable(
            "this PyAV cannot encode H.264",
            where=av.__file__,
            expected=f"a PyAV with {codec}, as in its wheels on PyPI",
        )
    count = 0
    origin = Fraction(0)
    try:
        with replacing(path, sync=False) as file, av.open(file, "w", format="mp4") as container:
            stream = container.add_stream(codec, rate=rate, options=dict(options))
            stream.pix_fmt = pixel_format
            stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
            stream.codec_context.flags |= Flags.frame_duration
            for frame in frames:
                pixels = frame.pixels() if lossless else _even(frame.pixels())
                if not count:
                    stream.height, stream.width = pixels.shape[:2]
                    origin = frame.start
                picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                picture.time_base = stream.time_base
                picture.pts = round((frame.start - origin) * TICKS)
                picture.duration = round((frame.end - frame.start) * TICKS)
                container.mux(stream.encode(picture))
                count += 1
            if not count:
                raise ClipError("no frame to write", where=path)
            container.mux(stream.encode(None))
    except (OSError, av.FFmpegError) as error:
        raise ClipError("the video cannot be written", where=path, found=error) from error
    return count


def _even(pixels: Pixels) -> Pixels:
    """The pixels without a last odd row or column: where two share a colour, there must be two."""
    height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
    return np.ascontiguousarray(pixels[:height, :width])
