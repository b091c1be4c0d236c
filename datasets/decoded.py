"""Clips decoded in advance: their frames as array files, which need no video library to be read."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ClipError
from .clip import Clip
from .decoder_pool import DecoderPool
from .sources.arrays import write_frames
from .sources.manifest import write_manifest
from .video.reader import read_frames

MANIFEST = "clips.csv"


@dataclass(frozen=True, slots=True)
class Written:
    """`frames`: how many are in the file."""

    frames: int


def write_decoded(clip: Clip, path: Path) -> Written:
    """Decode a clip in this process into an .npz file. Raises ClipError, or UsageError as `write_frames`."""
    with read_frames(clip) as reader:
        write_frames(path, reader, reader.rate)
        return Written(reader.frames)


def decode_all(
    clips: Sequence[Clip], folder: Path, *, timeout_s: float = 60, workers: int = 1
) -> Generator[Clip | ClipError, None, None]:
    """Each clip in their order as a clip of an array file, or the error that its decoding ended with.

    - `folder`: of the array files and of their manifest, which is written when the iteration ends, also by an
      interrupt: it lists all clips that are decoded by then.
    - `timeout_s`, `workers`: of the `DecoderPool`.

    Raises UsageError if a file cannot be written.
    """
    done: dict[int, Clip] = {}
    try:
        with DecoderPool(timeout_s=timeout_s, workers=workers) as pool:

            def attempt(number: int) -> Clip | ClipError:
                clip = clips[number]
                # Numbered, because ids and labels come from data and need not be valid file names.
                path = folder / f"{number:05}.npz"
                try:
                    pool.ask("write", clip, Written, path)
                except ClipError as error:
                    return error
                done[number] = replace(clip, path=path, start_s=None, end_s=None, sha256=None)
                return done[number]

            yield from pool.map(attempt, range(len(clips)))
    finally:
        if done:
            write_manifest(folder / MANIFEST, [done[number] for number in sorted(done)])
