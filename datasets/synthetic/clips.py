"""The demo clips, which are the default data: a small labelled set in Kinetics layout, drawn by ActionBench.

Figures of shaded bars perform some of Kinetics-400's classes in front of moving textures. With this set
everything can be run and tested without any download; accuracy on it says nothing about real video. The clips
are short because the reference optical flow takes about half a second for a pair of frames.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace
from filelock import FileLock

from ...errors import BackendUnavailable, UsageError, unknown_name
from ...home import home
from ...parsing import parse_json
from ...typed_values import typed
from ..clip import Clip, ClipSet
from .figures import MOTIONS, Motion
from .painting import Clothes, paint_capsule, paint_figure, texture

DRAWING = 2
"""Version of the clips; raised when a figure, a motion or a texture changes, so that all are drawn again."""

WIDTH, HEIGHT, FRAMES = 160, 144, 16
RATES = (Fraction(25), Fraction(25), Fraction(30000, 1001), Fraction(25), Fraction(25), Fraction(30))
"""Frames a second of a class's clips in turn: mostly I3D's 25, some that must be resampled."""

TARGET = "jogging"
"""The default target class; it has more test clips than the others, so that its recall has more cases."""

PARTS = ("train", "test")
TRAIN_CLIPS, TEST_CLIPS, TARGET_TEST_CLIPS = 6, 2, 4
MANIFEST = "manifest.json"


def load_demo(part: str = "test") -> ClipSet:
    """The clips of a part of the set; they are drawn first if they do not exist or are damaged.

    - `part`: "train" or "test".

    They are kept under `home()`; several processes may call this at once. Raises UsageError for another part
    and if the clips cannot be written, BackendUnavailable if PyAV cannot encode H.264.
    """
    if part not in PARTS:
        raise unknown_name("part of the demo set", part, PARTS)
    folder = home() / "demo" / _identity()[:16]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / "lock"):
            files = _files(folder) or _redraw(folder)
    except OSError as error:
        raise UsageError(
            "the demo clips cannot be written",
            where=folder,
            found=error,
            remedy="Set ACTIONBENCH_HOME to a folder that can be written",
        ) from error
    clips = []
    for entry in files:
        place, label, name = entry.path.split("/")
        if place == part:
            path = folder / place / label / name
            clips.append(Clip(f"{label}/{name}", path, label, source="demo", sha256=entry.sha256))
    return ClipSet(f"demo-{part}", tuple(clips))


@dataclass(frozen=True, slots=True)
class DrawnFile:
    """A clip's file: its path relative to the set's folder, `<part>/<class>/<name>.mp4`, bytes and SHA-256.

    Raises ValueError for another path.
    """

    path: str
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if self.path.count("/") != 2:
            raise ValueError(f"{self.path} is no path of a clip")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The content of the manifest. `identity`: of what was drawn."""

    identity: str
    files: tuple[DrawnFile, ...]


def draw_demo(folder: Path) -> tuple[DrawnFile, ...]:
    """Write the whole set below `folder`: `<part>/<class>/<name>.mp4`, and a manifest of them.

    Returns the manifest's entries. The pixels are the same every time. Raises BackendUnavailable where PyAV
    cannot encode H.264.
    """
    files = []
    for part in PARTS:
        for number, label in enumerate(sorted(MOTIONS)):
            for index in _indices(part, label):
                path = folder / part / label / f"demo_{index:06d}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                rate = RATES[index % len(RATES)]
                _encode(path, draw_clip(label, np.random.default_rng((DRAWING, number, index)), rate), rate)
                data = path.read_bytes()
                digest = hashlib.sha256(data).hexdigest()
                files.append(DrawnFile(path.relative_to(folder).as_posix(), len(data), digest))
    drawn = _Drawn(_identity(), tuple(files))
    (folder / MANIFEST).write_text(json.dumps(asdict(drawn), indent=1), encoding="utf-8")
    return drawn.files


def draw_clip(label: str, rng: np.random.Generator, rate: Fraction) -> npt.NDArray[np.uint8]:
    """The frames of a clip, (T, H, W, 3) uint8 RGB.

    - `label`: the class: a key of `figures.MOTIONS`.
    - `rng`: chooses everything else: size, colours, speed, camera motion.
    - `rate`: frames per second.
    """
    motion: Motion = MOTIONS[label]
    period_s = rng.uniform(*motion.period_s)
    phase = rng.uniform(0, 1)
    scale = HEIGHT * rng.uniform(*motion.height)
    mirrored = bool(rng.integers(2))
    light = np.float32(rng.uniform(0.75, 1.1))
    clothes = Clothes(
        skin=tuple(np.array((0.93, 0.72, 0.58)) * rng.uniform(0.5, 1.0)),
        hair=tuple(np.array((0.45, 0.3, 0.2)) * rng.uniform(0.2, 1.2)),
        shirt=tuple(rng.uniform(0.15, 1.0, 3)),
        trousers=tuple(rng.uniform(0.1, 0.7, 3)),
        shoes=tuple(rng.uniform(0.1, 1.0, 3)),
        build=rng.uniform(0.9, 1.15),
    )
    facing = -1.0 if mirrored else 1.0
    ground = HEIGHT * motion.ground
    origin_x = WIDTH / 2 - facing * scale * motion.centre + rng.uniform(-0.04, 0.04) * WIDTH
    # The camera follows the figure, and shakes like a hand-held one.
    pan = (facing * scale * rng.uniform(*motion.pan) + rng.uniform(-8, 8), rng.uniform(-4, 4))
    seconds = float(FRAMES / rate)
    margin = 8
    scene_width = WIDTH + 2 * margin + int(abs(pan[0]) * seconds) + 1
    scene_height = HEIGHT + 2 * margin + int(abs(pan[1]) * seconds) + 1
    horizon = int(min(ground, 0.8 * HEIGHT)) + margin - 12
    scene = texture(rng, scene_height, scene_width, horizon, motion.scene)

    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(FRAMES):
        t = float(number / rate)
        moved_x = pan[0] * t if pan[0] >= 0 else pan[0] * (t - seconds)
        moved_y = pan[1] * t if pan[1] >= 0 else pan[1] * (t - seconds)
        centre = (margin + moved_x + (WIDTH - 1) / 2, margin + moved_y + (HEIGHT - 1) / 2)
        canvas = cv2.getRectSubPix(scene, (WIDTH, HEIGHT), centre)
        pose = motion.pose(phase + t / period_s)
        shadow = (origin_x - 0.2 * scale, ground + 3), (origin_x + 0.2 * scale, ground + 3)
        paint_capsule(canvas, *shadow, (4.0, 4.0), (0.1, 0.1, 0.1), opacity=0.4)
        paint_figure(canvas, pose, clothes, (origin_x, ground), scale, mirrored)
        frames[number] = np.clip(canvas * light * 255 + 0.5, 0, 255)
    return frames


def _encode(path: Path, frames: npt.NDArray[np.uint8], rate: Fraction) -> None:
    """Write frames (T, H, W, 3) uint8 RGB as H.264 in MP4.

    Lossless in 4:2:0, and the conversion to it in integers, so that whatever the encoder's version decides,
    the decoded pixels are the same; H.264, unlike MPEG-4 part 2, defines them exactly.
    """
    if "libx264" not in av.codecs_available:
        raise BackendUnavailable(
            "this PyAV cannot encode H.264, which the demo clips are written in",
            where=av.__file__,
            expected="a PyAV with libx264, as in its wheels on PyPI",
            remedy="Reinstall with `pip install --force-reinstall --only-binary av av`, or give clips "
            "of your own with `--data`",
        )
    options = {"qp": "0", "preset": "veryfast", "bf": "0", "threads": "1"}
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.codec_context.colorspace = Colorspace.ITU601
        stream.codec_context.color_range = ColorRange.MPEG
        for pixels in frames:
            planes = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420)
            for packet in stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _indices(part: str, label: str) -> range:
    """Numbers of a class's clips in a part; no number is in both parts."""
    if part == "train":
        return range(TRAIN_CLIPS)
    return range(TRAIN_CLIPS, TRAIN_CLIPS + (TARGET_TEST_CLIPS if label == TARGET else TEST_CLIPS))


def _identity() -> str:
    """Digest of everything that the clips depend on."""
    plan = [DRAWING, WIDTH, HEIGHT, FRAMES, [str(rate) for rate in RATES]]
    plan += [[part, label, *_indices(part, label)] for part in PARTS for label in sorted(MOTIONS)]
    return hashlib.sha256(json.dumps(plan).encode()).hexdigest()


def _files(folder: Path) -> tuple[DrawnFile, ...] | None:
    """The manifest's entries if the set in `folder` is complete and of this version, else None."""
    try:
        drawn = typed(_Drawn, parse_json((folder / MANIFEST).read_text(encoding="utf-8")))
        if drawn.identity != _identity():
            return None
        whole = all((folder / entry.path).stat().st_size == entry.bytes for entry in drawn.files)
    except (OSError, ValueError):
        return None
    return drawn.files if whole else None


def _redraw(folder: Path) -> tuple[DrawnFile, ...]:
    """Put a complete set in the place of whatever is at `folder`; the manifest's entries. Needs the lock."""
    for abandoned in folder.parent.glob("drawing-*"):
        shutil.rmtree(abandoned)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="drawing-") as scratch:
        fresh = Path(scratch) / "demo"
        files = draw_demo(fresh)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    return files
