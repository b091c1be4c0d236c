"""Zones of the picture, and which of them a person stands in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from ...parsing import parse_yaml
from ...plain_text import plain_line

EXPECTED = (
    "three or more points [x, y], shares of the picture's width and height (0 to 1), that enclose an area"
)

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in shares of the picture's width and height; may reach beyond it."""


class Zones:
    """Named parts of the picture.

    - `polygons`: name → its corners (n, 2) float32, in shares of the picture's width and height.
    """

    def __init__(self, polygons: Mapping[str, npt.NDArray[np.float32]]) -> None:
        self._polygons = dict(polygons)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they were given."""
        return tuple(self._polygons)

    def at(self, box: Box) -> str | None:
        """The zone in which a person stands: where the middle of the lower edge of the box lies, or None.

        That point is moved to the picture's border if it lies beyond. A zone's edge belongs to it. Where
        zones overlap, the first one counts.
        """
        x0, _, x1, y1 = box
        foot = (min(max((x0 + x1) / 2, 0.0), 1.0), min(max(y1, 0.0), 1.0))
        return next(
            (name for name, each in self._polygons.items() if cv2.pointPolygonTest(each, foot, False) >= 0),
            None,
        )


def read_zones(path: Path) -> Zones:
    """The zones of a YAML file: name → list of points [x, y]. Raises UsageError that names file and zone."""
    where = f"--zones {path}"
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=where) from error
    except ValueError as error:
        raise UsageError(f"is not YAML that can be read: {error}", where=where) from error
    if not isinstance(raw, Mapping) or not raw:
        raise UsageError("has no zones", where=where, expected=f"NAME: {EXPECTED}")
    return Zones({_name(name, where): _polygon(points, f"{where}: {name}") for name, points in raw.items()})


def _name(name: Any, where: str) -> str:
    if not isinstance(name, str) or not name or plain_line(name) != name:
        raise UsageError("a zone's name is not a line of text", where=where, found=repr(name))
    return name


def _polygon(points: Any, where: str) -> npt.NDArray[np.float32]:
    if isinstance(points, Sequence) and len(points) >= 3 and all(map(_is_point, points)):
        polygon = np.array(points, np.float32)
        if cv2.contourArea(polygon) > 0:
            return polygon
    raise UsageError(
        "is no polygon", where=plain_line(where), expected=EXPECTED, found=plain_line(repr(points)[:80])
    )


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(type(each) in (int, float) and math.isfinite(each) and 0 <= each <= 1 for each in point)
    )
