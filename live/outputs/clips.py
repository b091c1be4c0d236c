"""Clips of chosen actions, with what was seen before and after them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile

import cv2
import numpy as np
import numpy.typing as npt

from ...errors import MeasurementError, UsageError
from ..events import ActionEvent
from ..frame import Frame
from .output import Shown
from .video_encoder import VideoEncoder

JPEG_QUALITY = 90

LATENESS_S = 5.0
"""An action's start is known later than its frame was seen, by the network's time and the minimal time of the
decision: frames are kept for so much longer than the time before an action that was asked for."""

MOST_BYTES = 256 << 20
"""Frames that are kept in memory, at most: as JPEG, about 25 s of 1920×1080 at 30 frames a second."""

WRITTEN_AT_ONCE = 2
"""Kept frames that are written for each one that arrives, so that no frame waits for a whole clip."""

LONGEST_S = 600.0
"""Longest clip, seconds: an action that goes on for hours must not fill the disk."""


def make_clip_folder(folder: Path) -> None:
    """Make the folder if it is missing. Raises UsageError if it cannot be made, or not be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # By trying: permissions alone do not say whether a file system is writable.
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"clips cannot be saved: {error.strerror}", where=f"--clips {folder}") from error


@dataclass(frozen=True, slots=True)
class _Kept:
    time_s: float
    jpeg: npt.NDArray[np.uint8]


@dataclass(slots=True)
class _Clip:
    """A clip that is being written.

    - `from_s`, `until_s`: the times that belong to it, the latter as far as is known.
    - `running`: ids of the actions that go on. `waiting`: frames that are not written yet.
    """

    encoder: VideoEncoder
    from_s: float
    until_s: float
    running: set[str] = field(default_factory=set)
    waiting: deque[_Kept] = field(default_factory=deque)


class ClipFolder:
    """Saves videos of chosen actions, without overlay; actions that follow each other closely share one.

    - `folder`: made if it is missing. A file is named by the time of day and the class of its first action.
    - `before_s`, `after_s`: seconds of the stream before an action's start and after its end that belong to
      its clip.
    - `labels`: classes whose actions are saved; None for all.

    Raises UsageError if the folder cannot be made or written to, or a time is out of range.
    """

    def __init__(
        self,
        folder: Path,
        before_s: float = 5.0,
        after_s: float = 5.0,
        labels: Collection[str] | None = None,
    ) -> None:
        for name, value in (("--before", before_s), ("--after", after_s)):
            if not 0 <= value <= LONGEST_S:
                raise UsageError(f"must be from 0 to {LONGEST_S:g} seconds", where=name, found=value)
        make_clip_folder(folder)
        self._folder, self._before_s, self._after_s, self._labels = folder, before_s, after_s, labels
        self._kept: deque[_Kept] = deque()
        self._bytes = 0
        self._clip: _Clip | None = None

    def frame(self, frame: Frame, shown: Shown) -> None:  # noqa: ARG002
        """Keep the frame, and write it where a clip is open. Raises MeasurementError if the disk refuses."""
        bgr = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)
        kept = _Kept(frame.time_s, cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
        self._keep(kept)
        clip = self._clip
        if clip is None:
            return
        if (not clip.running and kept.time_s > clip.until_s) or kept.time_s - clip.from_s > LONGEST_S:
            self._close_clip()
            return
        clip.waiting.append(kept)
        _write_some(clip)

    def event(self, event: ActionEvent) -> None:
        """Begin or end a clip, where the action is a chosen one. Raises MeasurementError, UsageError."""
        if self._labels is not None and event.label not in self._labels:
            return
        if event.state == "start":
            if self._clip is None:
                self._clip = self._begun(event)
            self._clip.running.add(event.id)
        elif event.state == "end" and self._clip is not None and event.end_s is not None:
            self._clip.running.discard(event.id)
            self._clip.until_s = max(self._clip.until_s, event.end_s + self._after_s)

    def close(self) -> None:
        """Complete the clip that is open."""
        self._close_clip()

    def _keep(self, kept: _Kept) -> None:
        self._kept.append(kept)
        self._bytes += kept.jpeg.nbytes
        oldest_s = kept.time_s - self._before_s - LATENESS_S
        while self._kept[0].time_s < oldest_s or (self._bytes > MOST_BYTES and len(self._kept) > 1):
            self._bytes -= self._kept.popleft().jpeg.nbytes

    def _begun(self, event: ActionEvent) -> _Clip:
        path = self._free_path(event)
        from_s = event.start_s - self._before_s
        clip = _Clip(VideoEncoder(path, "--clips"), from_s, event.start_s)
        clip.waiting.extend(kept for kept in self._kept if kept.time_s >= from_s)
        _write_some(clip)  # at once: a process that is killed leaves no file that cannot be played
        return clip

    def _free_path(self, event: ActionEvent) -> Path:
        """A name of letters, digits and hyphens alone, whatever the class is called."""
        time = datetime.fromisoformat(event.time)
        label = re.sub(r"[^a-z0-9]+", "-", event.label.lower()).strip("-")[:40] or "action"
        stem = f"{time:%Y%m%dT%H%M%SZ}-{label}"
        names = (f"{stem}{'' if number == 1 else f'-{number}'}.mp4" for number in range(1, 10_000))
        return next(path for name in names if _made(path := self._folder / name))

    def _close_clip(self) -> None:
        clip, self._clip = self._clip, None
        if clip is None:
            return
        while clip.waiting:
            if not clip.running and clip.waiting[0].time_s > clip.until_s:
                break
            _write(clip)
        clip.encoder.close()


def _made(path: Path) -> bool:
    """Make an empty file; False if there is one, which may be another session's, of the same second."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=f"--clips {path}") from error
    return True


def _write_some(clip: _Clip) -> None:
    for _ in range(min(WRITTEN_AT_ONCE, len(clip.waiting))):
        _write(clip)


def _write(clip: _Clip) -> None:
    kept = clip.waiting.popleft()
    bgr = cv2.imdecode(kept.jpeg, cv2.IMREAD_COLOR)
    if bgr is None:
        raise MeasurementError("a frame that was kept for a clip cannot be decoded")
    clip.encoder.add(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), kept.time_s)
