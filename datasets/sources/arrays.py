"""Clips in NumPy files: frames, or network input that is already preprocessed. Needs NumPy only.

- Frames: (T, H, W, 3) uint8 RGB. `.npy` (taken as 25 frames a second), or `.npz` with `frames` and, if
  known, `rate` (a number, or text such as "30000/1001").
- Network input: (T, H, W, C) or (1, T, H, W, C) float32. `.npz` with `rgb` and/or `flow`, or a pair of files
  `NAME_rgb.npy` and `NAME_flow.npy` (either alone is allowed), as DeepMind's published samples are.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...atomic import replacing
from ...errors import ClipError, UsageError
from ...parsing import parse_fraction
from ..clip import Clip, require_file
from ..video.sampling import MAX_GAP_S, MAX_RATE, Pixels, TimedFrame

ARRAY_SUFFIXES = (".npy", ".npz")
ARRAY_RATE = Fraction(25)
_UNPACKED_BYTES = 1 << 30
_COMPRESSION = 20
"""An archive may unpack to the former in any case, to more where it has a part of that, the latter. Films are
compressed to a half; a black one to a thousandth."""

CHANNELS = {"rgb": 3, "flow": 2}


class ArraySource:
    """Frames of an array as a `FrameSource`."""

    def __init__(self, frames: Pixels, rate: Fraction, notes: list[str]) -> None:
        self._frames = frames
        self.native_rate = rate
        self.notes = notes

    def frames(self, since: Fraction | None) -> Iterator[TimedFrame]:
        """See `FrameSource.frames`."""
        first = 0 if since is None else int(since * self.native_rate)
        for k in range(first, len(self._frames)):
            pixels = partial(np.ascontiguousarray, self._frames[k])
            yield TimedFrame(k / self.native_rate, (k + 1) / self.native_rate, pixels)

    def close(self) -> None:
        """See `FrameSource.close`."""
        self._frames = self._frames[:0]


def open_array(path: Path) -> ArraySource:
    """The frames in a `.npy` or `.npz` file. Raises ClipError for what is not (T, H, W, 3) uint8."""
    content = _load(path, ("frames", "rate"))
    if "frames" not in content:
        raise ClipError(
            "the array file holds no frames",
            where=path,
            expected="(T, H, W, 3) uint8, in .npz under the name 'frames'",
            found=", ".join(sorted(_load(path))) or "nothing",
        )
    frames = content["frames"]
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        raise ClipError(
            "not a clip", where=path, expected="(T, H, W, 3) uint8", found=f"{frames.shape} {frames.dtype}"
        )
    notes: list[str] = []
    if "rate" in content:
        rate = _rate(path, content["rate"])
    else:
        rate = ARRAY_RATE
        notes.append(f"the array states no frame rate, {ARRAY_RATE} assumed")
    return ArraySource(frames, rate, notes)


def write_frames(path: Path, frames: Iterable[Pixels], rate: Fraction) -> None:
    """Write a clip's frames as a file that `open_array` reads; the file appears only when it is complete.

    - `path`: the .npz file.
    - `frames`: (H, W, 3) uint8 each; one is held in memory at a time.
    - `rate`: frames per second.

    Raises UsageError if the file cannot be written, and what `frames` raises.
    """
    try:
        # The number of frames comes first in the file, and is known last.
        with tempfile.TemporaryFile(dir=path.parent) as spool:
            shape: tuple[int, ...] = ()
            count = 0
            for frame in frames:
                spool.write(np.ascontiguousarray(frame).data)
                shape = frame.shape
                count += 1
            spool.seek(0)
            with (
                replacing(path, sync=False) as whole,
                zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive,
            ):
                with archive.open("frames.npy", "w", force_zip64=True) as file:
                    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
                    np.lib.format.write_array_header_1_0(file, header)
                    shutil.copyfileobj(spool, file, 1 << 20)
                with archive.open("rate.npy", "w") as file:
                    np.lib.format.write_array(file, np.array(str(rate)), allow_pickle=False)
    except OSError as error:
        raise UsageError("the array file cannot be written", where=path, found=error) from error


def _rate(path: Path, stored: npt.NDArray[Any]) -> Fraction:
    try:
        rate = parse_fraction(str(stored.item()))
    except ValueError:
        rate = Fraction(0)
    if not Fraction(1, MAX_GAP_S) <= rate <= MAX_RATE:
        raise ClipError(
            "rate is not a frame rate",
            where=path,
            expected=f'e.g. 25 or "30000/1001", from 1/{MAX_GAP_S} to {MAX_RATE}',
            found=str(stored)[:80],
        )
    return rate


def read_inputs(clip: Clip) -> dict[str, npt.NDArray[np.float32]] | None:
    """Preprocessed network input of the clip: stream name → (T, H, W, C) float32; None if it has frames.

    Raises ClipError for a file that holds something else, or arrays of the wrong shape or type.
    """
    path = clip.path
    if path.suffix.lower() not in ARRAY_SUFFIXES:
        return None
    pair = {stream: file for stream, file in input_pair(path).items() if file.is_file()}
    if pair:
        stored = {stream: _load(file)["frames"] for stream, file in pair.items()}
        if all(array.dtype == np.uint8 for array in stored.values()):
            return None
    elif path.suffix.lower() == ".npy":
        return None
    else:
        stored = dict(_load(path, CHANNELS))
    if not stored:
        return None
    return {stream: _network_input(path, stream, array) for stream, array in stored.items()}


def input_pair(path: Path) -> dict[str, Path]:
    """`X_rgb.npy` and `X_flow.npy` if the path is one of the two, else nothing. Either may not exist."""
    for stream in CHANNELS:
        if path.name.endswith(f"_{stream}.npy"):
            stem = path.name.removesuffix(f"_{stream}.npy")
            return {other: path.with_name(f"{stem}_{other}.npy") for other in CHANNELS}
    return {}


def _network_input(path: Path, stream: str, array: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    batchless = array[0] if array.ndim == 5 and len(array) == 1 else array
    channels = CHANNELS[stream]
    if array.dtype != np.float32 or batchless.ndim != 4 or batchless.shape[3] != channels or 0 in array.shape:
        raise ClipError(
            f"not network input for the {stream} stream",
            where=path,
            expected=f"(T, H, W, {channels}) or (1, T, H, W, {channels}) float32",
            found=f"{array.shape} {array.dtype}",
        )
    if not np.isfinite(batchless).all():
        raise ClipError(f"the {stream} input holds numbers that are not finite", where=path)
    return batchless


def _load(path: Path, wanted: Collection[str] | None = None) -> Mapping[str, npt.NDArray[Any]]:
    """Arrays of the file by name (a `.npy` is called "frames"), without running anything in it.

    `wanted`: the only ones that are read of an `.npz`; None for all.
    """
    require_file(path)
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return {"frames": content}
            _refuse_bomb(path, content.zip)
            return {name: content[name] for name in content.files if wanted is None or name in wanted}
    except Exception as error:  # of NumPy, zipfile, zlib and tokenize, which have no class in common
        raise ClipError("not a readable array file", where=path, found=error) from None


def _refuse_bomb(path: Path, archive: zipfile.ZipFile | None) -> None:
    """Raise ClipError for an archive that unpacks to far more than it has: it could fill the memory."""
    unpacked = 0 if archive is None else sum(entry.file_size for entry in archive.infolist())
    most = max(_UNPACKED_BYTES, _COMPRESSION * path.stat().st_size)
    if unpacked > most:
        raise ClipError(
            "unpacks to too much", where=path, expected=f"at most {most} bytes", found=f"{unpacked} bytes"
        )
