"""The accuracy pass of one model as columns, for what reads all of it.

A million `ClipRecord`s are 2 GB of Python objects; as columns they are about 200 bytes each, of which half
are the clip's id. What only a few records have (an error, notes) is kept by row.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..run import ClipRecord

MOST = 5
"""Predictions that are kept of each clip (`ClipRecord.top5`)."""

_ROW = struct.Struct("<i?5i5ddqqqd?")
_TYPE = np.dtype(
    [
        ("label", "<i4"),
        ("scored", "?"),
        ("top5", "<i4", MOST),
        ("probability", "<f8", MOST),
        ("target_score", "<f8"),
        ("offset", "<i8"),
        ("views", "<i8"),
        ("frames", "<i8"),
        ("video_s", "<f8"),
        ("flow_cached", "?"),
    ]
)
_NONE, _NAN = -1, float("nan")


@dataclass(frozen=True, eq=False)
class ClipColumns:
    """The `ClipRecord`s of one model, a row for each clip, without the stages' times.

    - `clips`: the clips' ids, in the order of their first records.
    - `names`: the class names that "label" and "top5" number: the models' labels and, of videos, others. All
      models of a run share them.
    - `values`: structured array (n,) of the other fields, see `column`.
    - `errors`, `notes`: row → the field, where there is one.
    - `nodes`: names of the nodes of a cluster that predicted clips.
    """

    clips: tuple[str, ...]
    names: tuple[str, ...]
    values: npt.NDArray[np.void]
    errors: Mapping[int, str]
    notes: Mapping[int, tuple[str, ...]]
    nodes: frozenset[str]

    def __len__(self) -> int:
        return len(self.clips)

    def column(self, field: str) -> npt.NDArray[Any]:
        """A field of all rows: (n,), for "top5" and "probability" (n, 5).

        - "label", "top5": int32, numbers in `names`; -1 for none. "probability": those of "top5", float64.
        - "scored", "flow_cached": bool. "target_score", "video_s": float64, NaN for None.
        - "views", "frames", "offset": int64; "offset" is -1 for None.
        """
        return self.values[field]

    @cached_property
    def answered(self) -> npt.NDArray[np.bool_]:
        """(n,): rows without an error."""
        mask = np.ones(len(self), bool)
        mask[list(self.errors)] = False
        return mask

    @cached_property
    def counted(self) -> npt.NDArray[np.bool_]:
        """(n,): rows that count for accuracy: scored, without an error."""
        mask: npt.NDArray[np.bool_] = self.answered & self.column("scored")
        return mask

    @property
    def top1(self) -> npt.NDArray[np.int32]:
        """(n,): numbers of the most probable classes; -1 for a row with an error."""
        return self.column("top5")[:, 0]

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """(n,): rows that count and whose most probable class is the label."""
        mask: npt.NDArray[np.bool_] = self.counted & (self.top1 == self.column("label"))
        return mask

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Clip id → row."""
        return {clip: row for row, clip in enumerate(self.clips)}

    def shared(self, other: ClipColumns) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The rows here, and in `other`, of the clips that both have, in the order of these rows."""
        others = np.fromiter((other.rows.get(clip, -1) for clip in self.clips), np.intp, len(self))
        rows = np.flatnonzero(others >= 0)
        return rows, others[rows]

    def number(self, name: str) -> int:
        """The number of a class name in `names`; -2, which no row has, for another name."""
        return self.names.index(name) if name in self.names else -2

    def named(self, numbers: npt.NDArray[np.int32]) -> list[str | None]:
        """The class names of numbers; None for -1."""
        return [None if number == _NONE else self.names[number] for number in numbers.tolist()]


class ClipColumnsBuilder:
    """Makes the columns of all models of a run from its records, one after the other."""

    def __init__(self, models: Mapping[str, Iterable[str]]) -> None:
        """`models`: model → its labels; each has columns, also if there is no record of it."""
        self._numbers: defaultdict[str, int] = defaultdict(lambda: len(self._numbers))
        for labels in models.values():
            for label in labels:
                self._numbers[label]  # which numbers it
        # One text for the clip in all models: ids are half of the memory.
        self._ids: dict[str, str] = {}
        self._models = {model: _Growing() for model in models}

    def add(self, record: ClipRecord) -> None:
        """Add a record; it takes the place of an earlier one of its model and clip.

        Raises ValueError for a number that no clip has.
        """
        growing = self._models.setdefault(record.model, _Growing())
        clip = self._ids.setdefault(record.clip, record.clip)
        row = growing.rows.setdefault(clip, len(growing.rows))
        top5 = record.top5[:MOST]
        lacking = MOST - len(top5)
        numbers = self._numbers
        try:
            packed = _ROW.pack(
                _NONE if record.label is None else numbers[record.label],
                record.scored,
                *[numbers[label] for label, _ in top5],
                *(_NONE,) * lacking,
                *[probability for _, probability in top5],
                *(_NAN,) * lacking,
                _NAN if record.target_score is None else record.target_score,
                _NONE if record.offset is None else record.offset,
                record.views,
                record.frames,
                record.video_s,
                record.flow_cached,
            )
        except (struct.error, OverflowError) as error:
            raise ValueError(f"the record of {record.clip} by {record.model}: {error}") from error
        growing.values[row * _ROW.size : (row + 1) * _ROW.size] = packed
        growing.errors.pop(row, None)
        growing.notes.pop(row, None)
        if record.error is not None:
            growing.errors[row] = record.error
        if record.notes:
            growing.notes[row] = record.notes
        if record.node is not None:
            growing.nodes.add(record.node)

    def columns(self) -> dict[str, ClipColumns]:
        """Model → its columns."""
        names = tuple(self._numbers)
        return {
            model: ClipColumns(
                tuple(each.rows),
                names,
                np.frombuffer(each.values, _TYPE),
                each.errors,
                each.notes,
                frozenset(each.nodes),
            )
            for model, each in self._models.items()
        }


class _Growing:
    """The rows of one model so far."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.values = bytearray()
        self.errors: dict[int, str] = {}
        self.notes: dict[int, tuple[str, ...]] = {}
        self.nodes: set[str] = set()
