"""From intervals to clips, exact to the frame: as entries of a manifest, or as files of their own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ...errors import ClipError
from ..clip import Clip
from ..sources.manifest import file_digest
from ..video.container import VideoSource
from ..video.reader import exact_seconds
from ..video.sampling import each
from ..video.writer import write_video
from .intervals import Inference, Interval, Refusal
from .tags import TaggedVideo

MIN_FRAMES = 16
"""The shortest input of the networks here that take a fixed number of frames."""

MICROSECOND = 10**6


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip to cut. `clip`: start and end are such that exactly `frames` frames appear between them."""

    clip: Clip
    frames: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Tags of a video that no clip is made of. Times in seconds."""

    video: str
    label: str
    start_s: float
    end_s: float
    reason: str


def find_cuts(
    video: TaggedVideo, inference: Inference, min_frames: int = MIN_FRAMES
) -> tuple[list[Cut], list[Refused]]:
    """The clips of a video and its tags that none is made of, both in the order of time.

    - `inference`: from its tags; see `intervals`. `min_frames`: an interval with fewer is refused.

    If the video is not there or does not decode, all of its intervals are refused, with the reason.
    """
    refused = [_refused(video, each, each.reason) for each in inference.refusals]
    cuts: list[Cut] = []
    try:
        if video.path is None:
            raise ClipError("no video of this name is there")
        frames = _Frames(video.path)
        sha256 = file_digest(video.path)
    except ClipError as error:
        refused += [_refused(video, interval, str(error)) for interval in inference.intervals]
        return [], _in_time(refused)
    for interval in inference.intervals:
        first, last = frames.of(interval)
        count = last - first + 1
        if any(frames.end_s < tag.time_s <= interval.end_s for tag in video.tags if tag.labels):
            reason = f"is tagged after the end of the video, {float(frames.end_s):.2f} s"
            refused.append(_refused(video, interval, reason))
        elif count < min_frames:
            held = f"{count} frame" + ("" if count == 1 else "s")
            refused.append(_refused(video, interval, f"{held}, at least {min_frames} needed"))
        else:
            start_s, end_s = frames.stretch(first, last)
            name = f"{video.name}#t={start_s:.3f},{end_s:.3f}"
            clip = Clip(name, video.path, interval.label, start_s, end_s, "annotations", sha256)
            cuts.append(Cut(clip, count))
    return cuts, _in_time(refused)


def write_clip(cut: Cut, path: Path) -> Clip:
    """Decode a clip and write its frames as a file of their own, whole or not at all; the new file's clip.

    - `path`: to write, `.mp4`. See `write_video` for how.

    Raises ClipError if the video does not decode any more as it did, or the file cannot be written.
    """
    clip = cut.clip
    start, end = exact_seconds(clip.start_s) or Fraction(0), exact_seconds(clip.end_s)
    with closing(VideoSource(clip.path)) as source:
        count = write_video(path, each(source.frames(start or None), start, end), source.native_rate)
    if count != cut.frames:
        path.unlink()
        raise ClipError(
            "decodes to another number of frames", where=clip.path, expected=cut.frames, found=count
        )
    return Clip(clip.id, path, clip.label, source="annotations", sha256=file_digest(path))


def _refused(video: TaggedVideo, tags: Interval | Refusal, reason: str) -> Refused:
    return Refused(video.name, tags.label, float(tags.start_s), float(tags.end_s), reason)


def _in_time(refused: list[Refused]) -> list[Refused]:
    return sorted(refused, key=lambda each: (each.start_s, each.end_s))


class _Frames:
    """When the frames of a video are on screen. Decodes it. Raises ClipError."""

    def __init__(self, path: Path) -> None:
        with closing(VideoSource(path)) as source:
            times = [(frame.start, frame.end) for frame in source.frames(None)]
        self._starts = [start for start, _ in times]
        self.end_s = times[-1][1]

    def of(self, interval: Interval) -> tuple[int, int]:
        """First and last frame of an interval; the last before the first if it has none."""
        start, end = interval.start_s, interval.end_s
        if interval.closed:
            return bisect_right(self._starts, start) - 1, bisect_right(self._starts, end) - 1
        return bisect_left(self._starts, start), bisect_left(self._starts, end) - 1

    def stretch(self, first: int, last: int) -> tuple[float, float]:
        """Start and end of a clip with these frames, in seconds.

        Rounded down to microseconds, far less than a frame lasts, so that the decimals are not later than the
        frame that begins there.
        """
        end = self._starts[last + 1] if last + 1 < len(self._starts) else self.end_s
        start = self._starts[first]
        return int(start * MICROSECOND) / MICROSECOND, int(end * MICROSECOND) / MICROSECOND
