"""Pairs of frames whose true flow is known, as the public benchmarks lay them out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...errors import ClipError
from ..method import FlowField, GreyFrame

_FLO_MAGIC = 202021.25
"""First number of a .flo file (Baker et al., A Database and Evaluation Methodology for Optical Flow)."""

_FLO_UNKNOWN = 1e9
"""Larger components mark pixels without a true flow (the same)."""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """A pair of frames with its true flow.

    - `name`: of the pair.
    - `previous`, `following`: grey frames (H, W) uint8.
    - `flow`: the true flow (H, W, 2) float32, pixels, x first.
    - `known`: (H, W) bool: where it is known.
    """

    name: str
    previous: GreyFrame
    following: GreyFrame
    flow: FlowField
    known: npt.NDArray[np.bool_]


def load_ground_truth(folder: Path) -> list[GroundTruth]:
    """All pairs under `folder`, in the order of their names.

    Known layouts: Middlebury (frame10.png, frame11.png, flow10.flo), Flying Chairs (*_img1.ppm, *_img2.ppm,
    *_flow.flo), KITTI (frame1.png, frame2.png, flow_gt.png). Raises ClipError for a damaged file, and if
    there is no pair.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.name == "flow10.flo":
            frames = path.with_name("frame10.png"), path.with_name("frame11.png")
            found.append(_pair(path.parent.name, frames, *read_flo(path)))
        elif path.name.endswith("_flow.flo"):
            stem = path.name.removesuffix("_flow.flo")
            frames = path.with_name(f"{stem}_img1.ppm"), path.with_name(f"{stem}_img2.ppm")
            found.append(_pair(f"{path.parent.name}/{stem}", frames, *read_flo(path)))
        elif path.name == "flow_gt.png":
            frames = path.with_name("frame1.png"), path.with_name("frame2.png")
            found.append(_pair(path.parent.name, frames, *read_kitti(path)))
    if not found:
        raise ClipError(
            "no pair of frames with a true flow",
            where=folder,
            expected="Middlebury's, Flying Chairs' or KITTI's file names",
        )
    return found


def _pair(name: str, frames: tuple[Path, Path], flow: FlowField, known: npt.NDArray[np.bool_]) -> GroundTruth:
    previous, following = (_grey_image(path) for path in frames)
    if not previous.shape == following.shape == known.shape:
        raise ClipError(
            "frames and flow differ in size",
            where=frames[0],
            found=f"{previous.shape}, {following.shape} and {known.shape}",
        )
    return GroundTruth(name, previous, following, flow, known)


def _grey_image(path: Path) -> GreyFrame:
    image = _image(path, cv2.IMREAD_COLOR)
    if image is None:
        raise ClipError("cannot be read as an image", where=path)
    grey: GreyFrame = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return grey


def _image(path: Path, flags: int) -> npt.NDArray[Any] | None:
    """What OpenCV reads, None where it cannot; it raises an error for sizes that it does not accept."""
    try:
        return cv2.imread(str(path), flags)
    except cv2.error:
        return None


def read_flo(path: Path) -> tuple[FlowField, npt.NDArray[np.bool_]]:
    """Flow (H, W, 2) float32 of a Middlebury .flo file, and where it is known."""
    data = path.read_bytes()
    header = np.frombuffer(data[:12], "<f4, <i4, <i4", count=1)[0] if len(data) >= 12 else None
    if header is None or header[0] != _FLO_MAGIC:
        raise ClipError("is no .flo file", where=path)
    width, height = int(header[1]), int(header[2])
    if width < 1 or height < 1 or len(data) != 12 + 8 * width * height:
        raise ClipError("is damaged", where=path, expected=f"{width}×{height} vectors", found=len(data))
    flow = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)
    known: npt.NDArray[np.bool_] = np.all(np.abs(flow) < _FLO_UNKNOWN, axis=-1)
    return np.where(known[..., None], flow, np.float32(0)), known


def read_kitti(path: Path) -> tuple[FlowField, npt.NDArray[np.bool_]]:
    """Flow (H, W, 2) float32 of a 16-bit KITTI image, and where it is known.

    (value − 2¹⁵) / 64 for both components; the third channel is 1 where it is known (KITTI flow devkit).
    """
    image = _image(path, cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint16 or image.ndim != 3:
        raise ClipError("is no KITTI flow image", where=path, expected="16 bits, three channels")
    known = image[..., 0] > 0  # OpenCV gives blue, green, red
    flow = (image[..., :0:-1].astype(np.float32) - 2**15) / 64
    return np.where(known[..., None], flow, np.float32(0)), known


def shrunk(truth: GroundTruth, short_side: int) -> GroundTruth:
    """The pair with its frames shrunk by averaging over areas, and its flow vectors scaled.

    - `truth`: returned unchanged if its frames are not larger.
    - `short_side`: the shorter side after, pixels.

    The flow of a pixel is known if it is known at all pixels that it is averaged from.
    """
    height, width = truth.previous.shape
    scale = short_side / min(height, width)
    if scale >= 1:
        return truth
    size = round(width * scale), round(height * scale)
    shrink = np.array((size[0] / width, size[1] / height), np.float32)

    def resized(image: npt.NDArray[np.float32] | GreyFrame) -> npt.NDArray[np.float32]:
        result: npt.NDArray[np.float32] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return result

    share_known = resized(truth.known.astype(np.float32))
    return GroundTruth(
        truth.name,
        resized(truth.previous).astype(np.uint8),
        resized(truth.following).astype(np.uint8),
        resized(truth.flow) * shrink,
        share_known > 0.999,
    )
