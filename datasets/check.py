"""Decoding every clip of a set once, to say which can be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, Self

from ..errors import ClipError
from .clip import Clip, ClipSet, require_file
from .decoder_pool import DecoderPool
from .sources.arrays import read_inputs
from .sources.manifest import file_digest, verify
from .video.reader import read_frames

State = Literal["ok", "broken", "missing", "too short", "duplicate"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What decoding a clip showed.

    - `frames`, `size` (width, height), `duration_s`: as decoded; `rate`: native, frames a second. The last
      two are None for network input that was preprocessed before.
    - `sha256`: of the file.
    - `reason`: why it cannot be used, None if it can.
    - `notes`: oddities that did no harm.
    """

    frames: int = 0
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    duration_s: float | None = None
    sha256: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClipStatus:
    """Whether a clip can be used. `reason`: why the state is not "ok". The rest: see `Findings`."""

    clip: Clip
    state: State
    frames: int = 0
    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    duration_s: float | None = None
    sha256: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


def check_clips(
    clips: ClipSet, *, min_frames: int = 1, timeout_s: float = 60, workers: int = 1
) -> Iterator[ClipStatus]:
    """The status of each clip, then of each missing one, in the set's order.

    - `min_frames`: with fewer, at the native rate, a clip is "too short".
    - "duplicate": the same segment of the same bytes as an earlier clip; `reason` names that.
    - `timeout_s`: for one clip. `workers`: child processes.
    """
    first: dict[tuple[str | None, float | None, float | None], str] = {}
    with Checker(min_frames=min_frames, timeout_s=timeout_s, workers=workers) as checker:
        for status in checker.map([*clips.clips, *clips.missing]):
            clip = status.clip
            original = first.setdefault((status.sha256, clip.start_s, clip.end_s), clip.id)
            if status.state in ("ok", "too short") and original != clip.id:
                yield replace(status, state="duplicate", reason=f"same content as {original}")
            else:
                yield status


class Checker:
    """The check of single clips by a `DecoderPool`. A context manager.

    - `min_frames`: as for `check_clips`. `timeout_s`, `workers`: of the pool.
    """

    def __init__(self, *, min_frames: int = 1, timeout_s: float = 60, workers: int = 1) -> None:
        self._min_frames = min_frames
        self._pool = DecoderPool(timeout_s=timeout_s, workers=workers)

    def check(self, clip: Clip) -> ClipStatus:
        """Decode one clip. It is not compared with others."""
        try:
            require_file(clip.path)
        except ClipError as error:
            return ClipStatus(clip, "broken" if clip.path.exists() else "missing", reason=str(error))
        try:
            found = self._pool.ask("check", clip, Findings)
        except ClipError as error:
            found = Findings(reason=str(error))
        status = ClipStatus(
            clip,
            "broken" if found.reason else "ok",
            found.frames,
            found.size,
            found.rate,
            found.duration_s,
            found.sha256,
            found.reason,
            found.notes,
        )
        if status.state == "ok" and status.frames < self._min_frames:
            return replace(
                status,
                state="too short",
                reason=f"{status.frames} frames, at least {self._min_frames} needed",
            )
        return status

    def map(self, clips: list[Clip]) -> Iterator[ClipStatus]:
        """The clips' status, in their order, as they are done."""
        return self._pool.map(self.check, clips)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()


def examine(clip: Clip) -> Findings:
    """Decode the clip in this process; what was found as far as it got."""
    findings = Findings()
    try:
        findings = replace(findings, sha256=file_digest(clip.path))
        verify(clip)
        inputs = read_inputs(clip)
        if inputs is not None:
            array = next(iter(inputs.values()))
            return replace(findings, frames=len(array), size=(array.shape[2], array.shape[1]))
        with closing(read_frames(clip)) as reader:
            findings = replace(findings, rate=reader.native_rate)
            size = None
            for frame in reader:
                size = (frame.shape[1], frame.shape[0])
        return replace(
            findings, size=size, frames=reader.frames, duration_s=reader.video_s, notes=tuple(reader.notes)
        )
    except ClipError as error:
        return replace(findings, reason=str(error))
