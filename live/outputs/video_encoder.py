"""Frames as a video file that can be played whenever its writing ends, for all outputs that write one."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from ...errors import BackendUnavailable, MeasurementError, UsageError
from .fragment_file import FragmentFile

Pixels = npt.NDArray[np.uint8]

TICKS = 60_000
"""Time units a second: a whole number for a frame at 24, 25, 30, 50, 60 and 29.97 a second, and below 65,536,
which MPEG-4 Part 2 can state at most (ISO/IEC 14496-2, vop_time_increment_resolution)."""

CODECS = {
    "libx264": {"crf": "23", "preset": "superfast", "tune": "zerolatency", "bf": "0"},
    "mpeg4": {"qscale": "4"},
}
"""Encoder → its options, the preferred one first: H.264, which every browser shows, else MPEG-4 Part 2. Fast
rather than small, as the network needs the processor, and without delay: what was shown is in the file."""

FRAGMENT_S = 1.0
"""Longest time between key frames, each of which begins a fragment: what a kill -9 costs at most."""


def available_codec() -> str:
    """The first of CODECS that PyAV was built with. Raises BackendUnavailable without any."""
    for codec in CODECS:
        if codec in av.codecs_available:
            return codec
    raise BackendUnavailable(
        "this PyAV cannot encode video",
        where=av.__file__,
        expected=f"a PyAV with {' or '.join(CODECS)}, as in its wheels on PyPI",
    )


class VideoEncoder:
    """Writes frames with their times to an MP4 in fragments, which can be played even after a kill.

    - `path`: the file, `.mp4`; an existing one is replaced. It is made with the first frame, in whose size
      all others are shown, scaled and with black borders where their shape is another.
    - `option`: names the path in an error.

    Raises UsageError if the file cannot be written, BackendUnavailable without an encoder.
    """

    def __init__(self, path: Path, option: str = "--video") -> None:
        self._path = path
        self._codec = available_codec()
        try:
            self._file = FragmentFile(path)
        except OSError as error:
            raise UsageError(f"cannot be written: {error.strerror}", where=f"{option} {path}") from error
        self._container = av.open(
            self._file,
            "w",
            format="mp4",
            # Each fragment is handed to the operating system when it is complete.
            options={"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"},
        )
        self._stream: av.VideoStream | None = None
        self._reformatter = VideoReformatter()
        self._begin_s = 0.0
        self._pts = self._key_pts = -1
        self._frames = 0
        self._closed = False

    def add(self, pixels: Pixels, time_s: float) -> None:
        """Write a frame. Raises MeasurementError if the disk refuses it, and then nothing more is written.

        - `pixels`: (H, W, 3) uint8 RGB. `time_s`: its presentation time; the first one's becomes 0.
        """
        if self._closed:
            return
        try:
            if self._stream is None:
                self._stream = self._started(pixels, time_s)
            size = (self._stream.width, self._stream.height)
            picture = av.VideoFrame.from_ndarray(_letterboxed(pixels, *size), format="rgb24")
            # Left to itself libswscale takes all cores.
            picture = self._reformatter.reformat(picture, format="yuv420p", threads=1)
            self._pts = max(self._pts + 1, round((time_s - self._begin_s) * TICKS))
            picture.pts, picture.time_base = self._pts, Fraction(1, TICKS)
            # The second one too: it completes the first fragment, before which there is nothing to be played.
            if self._frames < 2 or self._pts - self._key_pts >= FRAGMENT_S * TICKS:
                picture.pict_type, self._key_pts = av.video.frame.PictureType.I, self._pts
            self._frames += 1
            self._container.mux(self._stream.encode(picture))
        except (OSError, av.FFmpegError) as error:
            raise self._given_up(error) from error

    def _started(self, pixels: Pixels, time_s: float) -> av.VideoStream:
        stream = self._container.add_stream(self._codec, rate=30, options=dict(CODECS[self._codec]))
        # Half the colours' resolution needs even sides.
        stream.height, stream.width = (max(2, side // 2 * 2) for side in pixels.shape[:2])
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        stream.codec_context.thread_count = 1
        self._begin_s = time_s
        return stream

    def close(self) -> None:
        """Complete the file; one without a frame is removed. Raises MeasurementError if the disk refuses."""
        if self._closed:
            return
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if self._file.refused is not None:
                raise self._file.refused
            self._file.close()
        except (OSError, av.FFmpegError) as error:
            raise self._given_up(error) from error
        self._closed = True
        if self._stream is None and self._path.is_file():
            self._path.unlink()

    def _given_up(self, error: OSError | av.FFmpegError) -> MeasurementError:
        """The error for a file that is closed with what is whole of it; `error`: why."""
        self._closed = True
        with suppress(OSError, av.FFmpegError):
            self._container.close()
        reason = self._file.refused or error
        return MeasurementError(
            f"the video cannot be written: {reason.strerror or reason}",
            where=self._path,
            remedy="What came before can be played."
            if self._file.cut()
            else "It is removed: nothing of it could be played.",
        )


def _letterboxed(pixels: Pixels, width: int, height: int) -> Pixels:
    """The picture in another size: scaled to fit, in the middle of black; an odd last row or column cut."""
    if width <= pixels.shape[1] <= width + 1 and height <= pixels.shape[0] <= height + 1:
        return np.ascontiguousarray(pixels[:height, :width])
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    inner = (max(1, round(scale * pixels.shape[1])), max(1, round(scale * pixels.shape[0])))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    made = np.zeros((height, width, 3), np.uint8)
    made[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        pixels, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    return made
