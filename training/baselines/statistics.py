"""What is measured of a clip for the baselines: its length, its brightness, its motion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ...array_cache import ArrayCache
from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...flow.fields import grey
from ...flow.method import FlowMethod
from ...flow.registry import get_method
from ...models.spec import Preprocessing, Views
from ...preprocessing.preparer import Preparer
from ...preprocessing.stopwatch import Stopwatch
from ..inputs.features import clip_identity
from ..reporting import Reporter

VERSION = 1
"""Version of the values; raised when earlier ones must not be used any more."""

LENGTH = ("seconds", "frames")
BRIGHTNESS = ("grey mean", "grey spread")
DIRECTIONS = ("right", "down right", "down", "down left", "left", "up left", "up", "up right")
MOTION = ("flow mean", "flow spread", "flow largest", *(f"flow {direction}" for direction in DIRECTIONS))
NAMES = (*LENGTH, *BRIGHTNESS, *MOTION)
"""Of the values of a clip, in their order."""

SIDE = 128
"""Pixels of a frame's shorter side."""

WINDOW_S, PAIRS, PAIR_S = 2.56, 8, 0.04
"""Flow is that of 8 pairs of frames about 40 ms apart, in the middle 2.56 s (64 frames at 25 a second)."""

Values = npt.NDArray[np.float32]

_PIXELS = Preprocessing("rgb", None, SIDE, "pillow-bilinear", "round", SIDE, "floor")


def statistics(clips: Sequence[Clip], cache: ArrayCache, reporter: Reporter) -> Values:
    """The values of each clip, (clips, len(NAMES)); each is measured once and kept in `cache`.

    Raises ClipError for a clip that cannot be read; what was measured before is kept.
    """
    flow = get_method("dis")
    rows = []
    with reporter.task("statistics", len(clips)) as progress:
        for clip in clips:
            key = _key(clip, flow)
            row = cache.get(key)
            if row is None:
                row = measure(clip, flow)
                cache.put(key, row)
            rows.append(row)
            progress.advance(clip.id)
    return np.stack(rows)


def measure(clip: Clip, flow: FlowMethod) -> Values:
    """The values of one clip, in the order of NAMES.

    - `seconds`, `frames`: of video, as decoded.
    - `grey mean`, `grey spread`: mean and standard deviation over all pixels of all frames, 0 to 255.
    - `flow …`: see `motion`.

    Raises ClipError if the clip cannot be read, or is not the file that its digest is of.
    """
    verify(clip)
    preparer = Preparer({"rgb": _PIXELS}, Views(None, None, "loop", "logits", 1))
    (geometry,) = preparer.geometries()
    resized = preparer.resized_frames(clip, geometry, Stopwatch(), lambda *_: None)
    frames, seconds = resized.pixels, resized.video_s
    pictures = grey(frames)
    mean, spread = cv2.meanStdDev(pictures.reshape(-1, pictures.shape[-1]))
    return np.array(
        [seconds, len(frames), mean.item(), spread.item(), *motion(pictures, seconds, flow)], np.float32
    )


def motion(pictures: npt.NDArray[np.uint8], seconds: float, flow: FlowMethod) -> list[float]:
    """Mean, spread (standard deviation) and largest magnitude of the flow, and the shares of its directions.

    - `pictures`: grey frames (T, H, W). `seconds`: that they cover.

    Magnitudes are in shorter sides of the frame a second. The largest is that of the pair whose mean is the
    largest. A direction's share is the sum of the magnitudes within 22.5° of it among all. A clip of one
    frame has no motion: all values are 0.
    """
    if len(pictures) < 2:
        return [0.0] * len(MOTION)
    rate = len(pictures) / seconds
    step = min(max(1, round(PAIR_S * rate)), len(pictures) - 1)
    window = min(len(pictures), max(step + 1, round(WINDOW_S * rate)))
    first = (len(pictures) - window) // 2
    starts = np.unique(np.linspace(first, first + window - 1 - step, PAIRS).round().astype(int))
    fields = np.stack([flow(pictures[start], pictures[start + step]) for start in starts])
    fields = fields.astype(np.float64) * rate / step / min(pictures.shape[1:])
    magnitudes = np.hypot(fields[..., 0], fields[..., 1])
    angles = np.arctan2(fields[..., 1], fields[..., 0])  # y points down
    sectors = np.round(angles / (np.pi / 4)).astype(int) % len(DIRECTIONS)
    sums = np.bincount(sectors.ravel(), magnitudes.ravel(), len(DIRECTIONS))
    shares = sums / sums.sum() if sums.sum() > 0 else sums
    largest = magnitudes.mean((1, 2)).max()
    return [float(magnitudes.mean()), float(magnitudes.std()), float(largest), *map(float, shares)]


def _key(clip: Clip, flow: FlowMethod) -> str:
    identity = {"statistics": VERSION, "flow": flow.describe(), "clip": clip_identity(clip)}
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
