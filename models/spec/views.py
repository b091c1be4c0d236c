"""How a video is cut into views, and how their scores become one prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from ...errors import UsageError
from .checks import require_one_of, require_whole

Tail = Literal["loop", "hold", "drop"]
Average = Literal["softmax", "logits"]
Crops = Literal[1, 3]

MOST_CLIPS = 1000
"""Greatest number of clips that a video is cut into; published protocols have 10 or fewer."""


@dataclass(frozen=True, slots=True)
class Views:
    """How a video is cut into views for the network, and how their scores become one prediction.

    - `window`: frames per view; None is the whole video in one pass.
    - `stride`: frames between the starts of two views; unused without a window, and with `clips`.
    - `tail`: a last window with too few frames is filled by looping the frames it has ("loop", as
      Hara's LoopPadding does), by repeating its last frame ("hold") or left out ("drop"). A video shorter
      than one window is filled in the same way; with "drop" it is looped.
    - `average`: scores of the views are averaged as "softmax" or as "logits".
    - `min_frames`: fewest frames of a view that the network can take, after looping.
    - `single`: frames of a single view from the middle of the video (`--views single`); None: `window`.
    - `clips`: number of windows of a video, `MOST_CLIPS` at most, whose starts are evenly spaced from its
      first frame to the last possible one; None: as many as `stride` gives.
    - `crops`: squares that are cut out of each window's frames: 1, the central one, or 3, along the longer
      side: both ends and the middle.

    Raises UsageError for values that make no sense, alone or together.
    """

    window: int | None
    stride: int | None
    tail: Tail
    average: Average
    min_frames: int
    single: int | None = None
    clips: int | None = None
    crops: Crops = 1

    def __post_init__(self) -> None:
        for name, known in (("tail", Tail), ("average", Average), ("crops", Crops)):
            require_one_of("views", name, getattr(self, name), get_args(known))
        for name in ("window", "stride", "min_frames", "single", "clips"):
            if getattr(self, name) is not None:
                require_whole("views", name, getattr(self, name))
        if self.clips is not None and self.clips > MOST_CLIPS:
            raise UsageError(
                "are too many", where="`clips` of a video", expected=f"{MOST_CLIPS} at most", found=self.clips
            )
        if self.clips is not None and self.window is None:
            raise UsageError("clips of a video have a length", where="views", expected="`window`")
        for name in ("window", "single"):
            frames = getattr(self, name)
            if frames is not None and frames < self.min_frames:
                raise UsageError(
                    "is too short for the network",
                    where=f"`{name}`",
                    expected=f"at least {self.min_frames} frames",
                    found=frames,
                )

    @property
    def single_frames(self) -> int:
        """Frames of a single view."""
        frames = self.single or self.window
        assert frames is not None, "the description of weights was checked when it was made"
        return frames

    def with_window(self, frames: int) -> Views:
        """The same with windows of so many frames, side by side where no number of clips is said."""
        return replace(self, window=frames, stride=frames, single=None)

    def with_clips(self, clips: int) -> Views:
        """So many windows, evenly spaced, with one crop each, whatever else is published."""
        return replace(self, window=self.single_frames, stride=None, clips=clips, crops=1)
