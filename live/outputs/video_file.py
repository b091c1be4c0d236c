"""The session as a video with what stands on its pictures."""

from __future__ import annotations

from pathlib import Path

from ..events import ActionEvent
from ..frame import Frame
from .output import Shown
from .overlay import drawn
from .video_encoder import VideoEncoder


class VideoFile:
    """Writes each frame with its overlay; a variable rate stays what it is.

    - `path`: the file; see `VideoEncoder`, also for the errors.
    """

    def __init__(self, path: Path) -> None:
        self._encoder = VideoEncoder(path)

    def frame(self, frame: Frame, shown: Shown) -> None:
        """Write the frame. Raises MeasurementError if the disk refuses it."""
        self._encoder.add(drawn(frame.pixels, shown), frame.time_s)

    def event(self, event: ActionEvent) -> None:
        """The overlay shows the action."""

    def close(self) -> None:
        """Complete the file."""
        self._encoder.close()
