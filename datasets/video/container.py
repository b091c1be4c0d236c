"""Decoding video files with PyAV (FFmpeg): the only file that reads with PyAV.

Rules, where files leave room:

- Stream: the first video stream that is not a cover picture.
- Time: presentation timestamps. AVI stores none, so there the decoding timestamp of the packet that
  released a frame is used; likewise for a frame without a timestamp. Time never runs backwards.
- Orientation: the display matrix is applied (quarter turns and mirrorings).
- Aspect: pixels that are more than 1 % from square are made square by scaling the width, height kept.
- Colour: RGB by libswscale with the matrix and range the frame is tagged with; untagged pictures of any
  size are taken as BT.601, limited range, as FFmpeg and OpenCV do. Interlaced pictures are not taken
  apart.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import VideoReformatter

from ...errors import ClipError
from .sampling import Pixels, TimedFrame

# Containers that hold their pictures themselves. Left out on purpose: playlists and scripts, which make
# FFmpeg open other files or addresses, still images, and text (FFmpeg can render .txt as video). Sound
# formats are here to be refused by their right name.
FORMATS = (
    "mov,mp4,matroska,webm,avi,gif,apng,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,rm,ivf,dv,mxf,nut,wtv,"
    "h264,hevc,av1,obu,mjpeg,vc1,yuv4mpegpipe,mp3,aac,flac,wav"
)
MAX_PIXELS = 100_000_000
# A longer gap between timestamps is damage; filling it would repeat one frame for hours.
MAX_GAP_S = 60
# Headers state nonsense such as 90000 (the time base) where there is no frame rate.
MAX_RATE = 1000
FALLBACK_RATE = Fraction(25)
SQUARE_TOLERANCE = 0.01
MAX_ASPECT = 10

_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Titles and the like need not be UTF-8: PyAV 19 takes them as they are, earlier ones have to be told."""


class VideoSource:
    """An open video file, as a `FrameSource`."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.notes: list[str] = []
        self._path = path
        self._threads = threads
        self._open()
        self.native_rate = self._stated_rate()
        self._shape: _Shape | None = None
        self._reformatter = VideoReformatter()

    def _open(self) -> None:
        options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
        try:
            self._container = av.open(f"file:{self._path}", options=options, **_LENIENT)
        except av.FFmpegError as error:
            raise ClipError(
                "not a video that can be opened",
                where=self._path,
                found=error.strerror,
                remedy="The file is damaged, or not a video",
            ) from None
        try:
            self._stream = self._choose_stream()
        except ClipError:
            self._container.close()
            raise

    def _choose_stream(self) -> av.VideoStream:
        videos = self._container.streams.video
        cover = av.stream.Disposition.attached_pic
        moving = [stream for stream in videos if not stream.disposition & cover]
        if not moving:
            if videos:
                found = "a cover picture only"
            else:
                found = ", ".join(sorted({s.type for s in self._container.streams})) or "no streams"
            raise ClipError("no video stream", where=self._path, found=found)
        stream = moving[0]
        context = stream.codec_context
        if context is None:
            raise ClipError("no decoder for its video codec", where=self._path)
        _check_pixels(self._path, context.width, context.height)
        context.thread_count = self._threads
        context.thread_type = "AUTO" if self._threads > 1 else "NONE"
        context.options = {"max_pixels": str(MAX_PIXELS)}
        return stream

    def _stated_rate(self) -> Fraction:
        for rate in (self._stream.average_rate, self._stream.guessed_rate):
            if rate is not None and 0 < rate <= MAX_RATE:
                return Fraction(rate)
        self.notes.append(f"header gives no frame rate, {FALLBACK_RATE} assumed")
        return FALLBACK_RATE

    def close(self) -> None:
        self._container.close()

    def frames(self, since: Fraction | None) -> Iterator[TimedFrame]:
        """Frames in presentation order. Raises ClipError if none decodes, or the timestamps are unusable."""
        if since is not None and self._seek(since):
            timed = self._timed(self._stream.start_time * self._stream.time_base)
            first = next(timed, None)
            if first is not None and first.start <= since:
                yield first
                yield from timed
                return
            # The index was wrong: read from the start.
            self._container.close()
            self._open()
        yield from self._timed(None)

    def _seek(self, since: Fraction) -> bool:
        """Go to the key frame before `since`; False if the file must be read from its start."""
        stream = self._stream
        if self._keeps_no_pts or stream.start_time is None or stream.time_base is None:
            return False
        try:
            self._container.seek(stream.start_time + int(since / stream.time_base), stream=stream)
        except av.FFmpegError:
            self._container.close()
            self._open()
            return False
        return True

    @property
    def _keeps_no_pts(self) -> bool:
        return bool(self._container.format.name == "avi")

    def _timed(self, origin: Fraction | None) -> Iterator[TimedFrame]:
        """Decoded frames with their times after `origin`, or after the first of them (None: whole file)."""
        whole = origin is None
        tick = self._stream.time_base or 1 / self.native_rate
        step = 1 / self.native_rate
        ahead: av.VideoFrame | None = None
        start = end = Fraction(0)
        count = backwards = flawed = 0
        try:
            for frame in self._decoded():
                stamp = frame.dts if self._keeps_no_pts or frame.pts is None else frame.pts
                time = end if stamp is None else stamp * tick - (origin or 0)
                if origin is None:
                    origin, time = time, Fraction(0)
                if ahead is not None:
                    backwards += time < start
                    time = max(time, start)
                    self._check_gap(time - start)
                    yield TimedFrame(start, time, partial(self._pixels, ahead))
                ahead, start = frame, time
                length = Fraction(frame.duration or 0) * tick
                end = start + (length if 0 < length <= MAX_GAP_S else step)
                count += 1
                flawed += bool(frame.is_corrupt)
        finally:
            if flawed:
                self.notes.append(f"pictures decoded with errors: {flawed}")
            if backwards:
                self.notes.append(f"timestamps that run backwards: {backwards}")
        if ahead is not None:
            if whole:
                self._compare_with_header(count, end)
            yield TimedFrame(start, end, partial(self._pixels, ahead))
        elif whole:
            promised = f"frames promised by the header: {self._stream.frames}"
            raise ClipError("no frame decodes", where=self._path, found="; ".join([promised, *self.notes]))

    def _check_gap(self, gap: Fraction) -> None:
        if gap > MAX_GAP_S:
            raise ClipError(
                "timestamps jump",
                where=self._path,
                expected=f"at most {MAX_GAP_S} s between frames",
                found=f"{float(gap):.0f} s",
            )

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """What decodes, in presentation order; packets that do not are counted and left out."""
        packets = self._container.demux(self._stream)
        damaged = 0
        try:
            while True:
                try:
                    packet = next(packets, None)
                except av.FFmpegError as error:
                    self.notes.append(f"file breaks off: {error.strerror}")
                    packet = av.Packet()  # an empty packet makes the decoder give what it still holds
                    packet.stream = self._stream
                if packet is None:
                    return
                if packet.has_sidedata("encryption_info"):
                    raise ClipError("the video is encrypted", where=self._path)
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    damaged += 1
        finally:
            if damaged:
                self.notes.append(f"damaged packets left out: {damaged}")

    def _compare_with_header(self, count: int, end: Fraction) -> None:
        promised = self._stream.frames
        if promised and promised != count:
            self.notes.append(f"header says {promised} frames, {count} decode")
        measured = count / end
        if count > 1 and abs(measured / self.native_rate - 1) > Fraction(1, 20):
            self.notes.append(
                f"header says {float(self.native_rate):.4g} frames/s, {float(measured):.4g} on average"
            )

    def _pixels(self, frame: av.VideoFrame) -> Pixels:
        _check_pixels(self._path, frame.width, frame.height)
        if self._shape is None:
            self._shape = self._shape_of(frame)
        shape = self._shape
        if (frame.width, frame.height) != shape.coded:
            note = "picture size changes on the way; scaled to the first frame's"
            if note not in self.notes:
                self.notes.append(note)
        try:
            rgb = self._reformatter.reformat(
                frame,
                width=shape.width,
                height=shape.height,
                format="rgb24",
                interpolation="BICUBIC",
                # Left to itself it takes all cores, and three times the CPU time for frames of this size.
                threads=self._threads,
            )
        except (av.FFmpegError, ValueError):
            raise ClipError(
                "pictures cannot be converted to RGB", where=self._path, found=frame.format.name
            ) from None
        return shape.upright(np.ascontiguousarray(rgb.to_ndarray(), dtype=np.uint8))

    def _shape_of(self, frame: av.VideoFrame) -> _Shape:
        width = frame.width
        aspect = self._stream.sample_aspect_ratio
        if aspect and abs(aspect - 1) > SQUARE_TOLERANCE:
            if 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
                width = max(1, round(width * aspect))
                self.notes.append(f"pixels are {aspect.numerator}:{aspect.denominator}, made square")
                _check_pixels(self._path, width, frame.height)
            else:
                self.notes.append(f"impossible pixel aspect {aspect} ignored")
        matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
        orientation = (False, False, False)
        if matrix is not None:
            a, b, _, c, d = struct.unpack("5i", bytes(matrix)[:20])
            if (a and d and not b and not c) or (b and c and not a and not d):
                orientation = (bool(b), a < 0 or c < 0, d < 0 or b < 0)
            else:
                self.notes.append("rotation that is not a quarter turn ignored")
        return _Shape((frame.width, frame.height), width, frame.height, *orientation)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How decoded pictures become upright ones with square pixels.

    - `coded`: width and height as decoded; `width`, `height`: with square pixels.
    - `transposed`, then `mirrored` (left–right) and `flipped` (top–bottom).
    """

    coded: tuple[int, int]
    width: int
    height: int
    transposed: bool
    mirrored: bool
    flipped: bool

    def upright(self, pixels: Pixels) -> Pixels:
        if not (self.transposed or self.mirrored or self.flipped):
            return pixels
        if self.transposed:
            pixels = pixels.transpose(1, 0, 2)
        return np.ascontiguousarray(pixels[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1])


def _check_pixels(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ClipError(
            "pictures too large",
            where=path,
            expected=f"at most {MAX_PIXELS // 1_000_000} million pixels",
            found=f"{width}x{height}",
        )
