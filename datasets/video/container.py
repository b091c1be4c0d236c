"""Decoding video files with PyAV (FFmpeg).

Rules where formats are ambiguous:

- Stream: see `opening`.
- Time: presentation timestamps. AVI stores none, so there the decoding timestamp of the packet that
  released a frame is used; likewise for a frame without a timestamp. Time never runs backwards.
- Orientation, aspect, colour: see `pictures`.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av

from ...errors import ClipError
from .opening import open_container, stated_rate, video_stream
from .pictures import Converter
from .sampling import MAX_GAP_S, TimedFrame

FALLBACK_RATE = Fraction(25)


class VideoSource:
    """An open video file, as a `FrameSource`.

    - `path`: the file.
    - `threads`: of the decoder and of the conversion to RGB.

    Raises ClipError if it cannot be opened or has no video stream.
    """

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.notes: list[str] = []
        self._path = path
        self._threads = threads
        self._open()
        self.native_rate = self._stated_rate()
        self._convert = Converter(path, self._stream.sample_aspect_ratio, threads, self.notes)

    def _open(self) -> None:
        self._container = open_container(f"file:{self._path}", self._path, {"protocol_whitelist": "file"})
        try:
            self._stream = video_stream(self._container, self._path, self._threads)
        except ClipError:
            self._container.close()
            raise

    def _stated_rate(self) -> Fraction:
        rate = stated_rate(self._stream)
        if rate is None:
            self.notes.append(f"header gives no frame rate, {FALLBACK_RATE} assumed")
        return rate or FALLBACK_RATE

    def close(self) -> None:
        """See `FrameSource.close`."""
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
                    yield TimedFrame(start, time, partial(self._convert, ahead))
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
            yield TimedFrame(start, end, partial(self._convert, ahead))
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
                    self.notes.append(f"the file is truncated or damaged: {error.strerror}")
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
