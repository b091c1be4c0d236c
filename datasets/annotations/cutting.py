"""From intervals to clips, exact to the frame: as entries of a manifest, or as files of their own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ...errors import ClipError
from ..clip import MIN_FRAMES, Clip
from ..sources.manifest import file_digest
from ..video.container import VideoSource
from ..video.reader import exact_seconds
from ..video.sampling import each
from ..video.writer import write_video
from .intervals import Inference, Refusal, TaggedInterval
from .tags import TaggedVideo

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


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """When the frames of a video are on screen, in seconds from the first.

    - `starts_s`: of each frame, in their order. `end_s`: of the last.
    """

    starts_s: tuple[Fraction, ...]
    end_s: Fraction

    def frames_of(self, interval: TaggedInterval) -> tuple[int, int]:
        """First and last frame of an interval; the last before the first if it has none."""
        start, end = interval.start_s, interval.end_s
        if interval.closed:
            return bisect_right(self.starts_s, start) - 1, bisect_right(self.starts_s, end) - 1
        return bisect_left(self.starts_s, start), bisect_left(self.starts_s, end) - 1

    def segment(self, first: int, last: int) -> tuple[float, float]:
        """Start and end of a clip with these frames, in seconds.

        Rounded down to microseconds, far less than a frame lasts, so that the decimals are not later than the
        frame that begins there.
        """
        end = self.starts_s[last + 1] if last + 1 < len(self.starts_s) else self.end_s
        start = self.starts_s[first]
        return int(start * MICROSECOND) / MICROSECOND, int(end * MICROSECOND) / MICROSECOND


def frame_times(clip: Clip) -> FrameTimes:
    """The times of all frames of a clip's file, which is decoded. Raises ClipError."""
    with closing(VideoSource(clip.path)) as source:
        times = [(frame.start, frame.end) for frame in source.frames(None)]
    return FrameTimes(tuple(start for start, _ in times), times[-1][1])


def find_cuts(
    video: TaggedVideo,
    inference: Inference,
    min_frames: int = MIN_FRAMES,
    times_of: Callable[[Clip], FrameTimes] = frame_times,
) -> tuple[list[Cut], list[Refused]]:
    """The clips of a video and its tags that none is made of, both in the order of time.

    - `inference`: from its tags; see `intervals`. `min_frames`: an interval with fewer is refused.
    - `times_of`: decodes the video, here or by a `DecoderPool`.

    If the video is not there or does not decode, all of its intervals are refused, with the reason.
    """
    refused = [_refused(video, each, each.reason) for each in inference.refusals]
    cuts: list[Cut] = []
    try:
        if video.path is None:
            raise ClipError("no video of this name is there")
        times = times_of(Clip(video.name, video.path))
        sha256 = file_digest(video.path)
    except ClipError as error:
        refused += [_refused(video, interval, str(error)) for interval in inference.intervals]
        return [], _in_time(refused)
    for interval in inference.intervals:
        first, last = times.frames_of(interval)
        count = last - first + 1
        if any(times.end_s < tag.time_s <= interval.end_s for tag in video.tags if tag.labels):
            reason = f"is tagged after the end of the video, {float(times.end_s):.2f} s"
            refused.append(_refused(video, interval, reason))
        elif count < min_frames:
            held = f"{count} frame" + ("" if count == 1 else "s")
            refused.append(_refused(video, interval, f"{held}, at least {min_frames} needed"))
        else:
            start_s, end_s = times.segment(first, last)
            name = f"{video.name}#t={start_s:.3f},{end_s:.3f}"
            clip = Clip(name, video.path, interval.label, start_s, end_s, "annotations", sha256)
            cuts.append(Cut(clip, count))
    return cuts, _in_time(refused)


def write_clip(cut: Cut, path: Path) -> Clip:
    """Decode a clip and write its frames as a file of their own, whole or not at all; the new file's clip.

    - `path`: to write, `.mp4`. See `write_video` for how.

    In this process: `find_cuts` has decoded the whole video before.

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


def _refused(video: TaggedVideo, tags: TaggedInterval | Refusal, reason: str) -> Refused:
    return Refused(video.name, tags.label, float(tags.start_s), float(tags.end_s), reason)


def _in_time(refused: list[Refused]) -> list[Refused]:
    return sorted(refused, key=lambda each: (each.start_s, each.end_s))
