"""Reading a clip's frames, from a video or from an array file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from types import TracebackType
from typing import Self

from ...errors import ClipError
from ..clip import Clip, require_file
from ..sources.arrays import ARRAY_SUFFIXES, open_array
from .sampling import FrameSource, Pixels, TimedFrame, each, resample


class FrameReader:
    """Iterator over a clip's frames, each (H, W, 3) uint8 RGB, all of one size; they must not be modified.

    One frame is held at a time. A frame that is sampled twice in a row is the same array both times.

    - `clip`: the clip.
    - `source`: its open file.
    - `rate`: frames per second to resample to; None for the file's own frames.
    - `every`: of these, frames 0, `every`, 2 · `every`, … are given; the others are not converted to RGB.

    Attributes:

    - `rate`: frames per second of the iteration.
    - `native_rate`: frames per second that the file states.
    - `start_s`: start of the segment, in seconds from the file's first frame.
    - `notes`: irregularities, complete at the end: damaged frames left out, a wrong header, …
    - `frames`: number of frames so far. `source_frames`: with those that `every` leaves out.
    - `video_s`: seconds of video that they cover.

    Raises ClipError, while iterating, if nothing decodes or the segment holds no frame.
    """

    def __init__(self, clip: Clip, source: FrameSource, rate: Fraction | None = None, every: int = 1) -> None:
        if rate is not None and rate <= 0:
            raise ClipError("frame rate is not positive", where=clip.path, found=rate)
        self._clip = clip
        self._source = source
        self._resample_to, self._every = rate, every
        self._start = exact_seconds(clip.start_s) or Fraction(0)
        self._end = exact_seconds(clip.end_s)
        if self._start < 0 or (self._end is not None and self._end <= self._start):
            raise ClipError(
                "the segment is empty", where=clip.path, found=f"{clip.start_s} s to {clip.end_s} s"
            )
        self.native_rate = source.native_rate
        self.rate = (rate if rate is not None else source.native_rate) / every
        self.start_s = float(self._start)
        self.frames = self.source_frames = 0
        self.video_s = 0.0
        self._last_end = Fraction(0)
        self._iterator = self._read()

    @property
    def notes(self) -> list[str]:
        """See the class."""
        return self._source.notes

    def __iter__(self) -> Iterator[Pixels]:
        return self

    def __next__(self) -> Pixels:
        return next(self._iterator)

    def _read(self) -> Generator[Pixels, None, None]:
        timed = self._covered(self._source.frames(self._start if self._start else None))
        if self._resample_to is None:
            sampled = each(timed, self._start, self._end)
        else:
            sampled = resample(timed, self._resample_to, self._start, self._end)
        shown: TimedFrame | None = None
        for number, frame in enumerate(sampled):
            self.source_frames += 1
            if number % self._every:
                continue
            if frame is not shown:
                shown, pixels = frame, frame.pixels()
            self.frames += 1
            yield pixels
        if shown is None:
            raise ClipError(
                "no frame in this segment",
                where=self._clip.path,
                expected=f"frames from {self._clip.start_s} s to {self._clip.end_s} s",
                found=f"the last frame ends at {float(self._last_end):.2f} s",
                remedy="For a file that has been cut to the segment, leave start and end out",
            )

    def _covered(self, timed: Iterator[TimedFrame]) -> Iterator[TimedFrame]:
        """The same frames; keeps `video_s` up to date, whichever of them are sampled."""
        begin: Fraction | None = None
        for frame in timed:
            if begin is None:
                begin = max(frame.start, self._start)
            end = frame.end if self._end is None else min(frame.end, self._end)
            self._last_end = frame.end
            self.video_s = max(0.0, float(end - begin))
            yield frame

    def close(self) -> None:
        """Free the file. Iterating ends."""
        self._iterator.close()
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_frames(clip: Clip, rate: Fraction | None = None, *, every: int = 1, threads: int = 1) -> FrameReader:
    """A reader of a clip's frames.

    - `clip`: a video or an array file.
    - `rate`: frames per second to resample to, exactly; None: each frame of the file once.
    - `every`: only every so many-th of these frames is given.
    - `threads`: of the decoder and of the conversion to RGB.

    Raises ClipError, with file and reason, for a file that is not a readable video.
    """
    require_file(clip.path)
    try:
        size = clip.path.stat().st_size
    except FileNotFoundError:  # removed since it was looked for
        raise ClipError("file does not exist", where=clip.path) from None
    if size == 0:
        raise ClipError("file is empty", where=clip.path)
    if clip.path.suffix.lower() in ARRAY_SUFFIXES:
        return FrameReader(clip, open_array(clip.path), rate, every)
    from .container import VideoSource  # a machine without a video library can still read arrays

    return FrameReader(clip, VideoSource(clip.path, threads=threads), rate, every)


def exact_seconds(seconds: float | None) -> Fraction | None:
    """The number exactly as its decimal notation: 0.1 is 1/10, not the nearest double."""
    return None if seconds is None else Fraction(str(seconds))
