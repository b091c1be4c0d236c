"""What the outputs of detectors mean: from arrays to boxes with scores, for each form of output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ...errors import WeightsError
from .detector import FloatArray

Shape = tuple[int | None, ...]
"""Sizes of an output as the file states them; None where one is left open."""

Found = tuple[FloatArray, FloatArray]
"""Corners (n, 4) in pixels of the network's input, and scores (n,), of persons."""


@dataclass(frozen=True, slots=True)
class Description:
    """How a detector takes pictures, and which class is a person.

    - `person`: number of the class in its output.
    - `colour`: order of the channels.
    - `scale`, `mean`, `std`: pixels 0–255 become `(pixel * scale - mean) / std`, channel by channel.
    - `boxes`: corners are in "pixels" of the input, or "shares" of its sides (0–1).

    Raises ValueError for numbers that make no sense.
    """

    person: int
    colour: Literal["bgr", "rgb"]
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    boxes: Literal["pixels", "shares"] = "pixels"

    def __post_init__(self) -> None:
        if self.person < 0:
            raise ValueError(f"person: expected a number from 0 on, found {self.person}")
        if not all(math.isfinite(value) for value in (self.scale, *self.mean, *self.std)):
            raise ValueError("scale, mean and std must be finite numbers")
        if self.scale <= 0 or min(self.std) <= 0:
            raise ValueError("scale and std must be positive")

    def plain(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


class Form(Protocol):
    """A form of output.

    - `expected`: the outputs in words. `description`: what holds where the file beside the detector says
      nothing else.
    - `letterboxed`: the picture keeps its aspect in the input's upper left corner, on grey; otherwise it
      fills the input.
    """

    expected: str
    description: Description
    letterboxed: bool

    def outputs(self, shapes: Mapping[str, Shape]) -> tuple[str, ...] | None:
        """Names of the outputs in the order of `found`; None if they are not of this form."""

    def found(
        self, arrays: Sequence[npt.NDArray[Any]], size: tuple[int, int], description: Description
    ) -> Found:
        """Persons in a network's output. `size`: (height, width) of its input.

        Raises WeightsError for an output of another shape.
        """


class Yolox:
    """YOLOX: (1, cells, 5 + classes): centre and size of a box, whether something is there, classes.

    Cells are those of grids with strides of 8, 16 and 32 pixels, one after the other. As exported by default,
    centres are offsets in cells and sizes logarithms (`demo_postprocess` in YOLOX/yolox/utils/demo_utils.py);
    exported with `--decode_in_inference` they are pixels. The file does not say which. Each output shows it:
    offsets are those in which centres are nearer to their own cells.
    """

    expected = "YOLOX: (1, cells of strides 8, 16 and 32, 85)"
    description = Description(person=0, colour="bgr")
    letterboxed = True
    strides = (8, 16, 32)

    def outputs(self, shapes: Mapping[str, Shape]) -> tuple[str, ...] | None:
        """See `Form.outputs`."""
        if len(shapes) != 1:
            return None
        ((name, shape),) = shapes.items()
        several = len(shape) == 3 and shape[0] in (1, None) and (shape[2] or 0) > 5
        return (name,) if several else None

    def found(
        self, arrays: Sequence[npt.NDArray[Any]], size: tuple[int, int], description: Description
    ) -> Found:
        """See `Form.found`. The score is that of a thing times that of a person."""
        (output,) = arrays
        cells, strides = self._grid(size)
        if (
            output.ndim != 3
            or output.shape[:2] != (1, len(cells))
            or description.person + 5 >= output.shape[2]
        ):
            raise WeightsError(
                "its output has another shape than YOLOX's",
                expected=f"(1, {len(cells)}, more than {description.person + 5})",
                found=output.shape,
            )
        values = output[0].astype(np.float32)
        centres, sides = values[:, :2], values[:, 2:4]
        middles = cells + 0.5
        if np.abs(centres - 0.5).mean() < np.abs(centres / strides - middles).mean():
            centres = (centres + cells) * strides
            sides = np.exp(np.minimum(sides, 20)) * strides  # beyond it float32 overflows
        corners = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
        return corners, values[:, 4] * values[:, 5 + description.person]

    def _grid(self, size: tuple[int, int]) -> Found:
        """Column and row of each cell (n, 2), and its stride in pixels (n, 1)."""
        cells, strides = [], []
        for stride in self.strides:
            rows, columns = np.indices((size[0] // stride, size[1] // stride), np.float32)
            cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
            strides.append(np.full((columns.size, 1), stride, np.float32))
        return np.concatenate(cells), np.concatenate(strides)


class SsdLists:
    """SSD as torchvision and the ONNX model zoo export it: boxes (n, 4), labels (n,) and scores (n,).

    Each may have a first axis of length 1. torchvision's takes RGB 0–1 and gives pixels; its class 1 is
    COCO's "person", 0 the background. The zoo's `ssd-12` differs, which a description says.
    """

    expected = "SSD: boxes (n, 4), labels (n) and scores (n), named so"
    description = Description(person=1, colour="rgb", scale=1 / 255)
    letterboxed = False

    def outputs(self, shapes: Mapping[str, Shape]) -> tuple[str, ...] | None:
        """See `Form.outputs`."""
        names = []
        for word in ("box", "label", "score"):
            found = [name for name in shapes if word in name.lower()]
            if len(found) != 1:
                return None
            names.append(found[0])
        return tuple(names)

    def found(
        self, arrays: Sequence[npt.NDArray[Any]], size: tuple[int, int], description: Description
    ) -> Found:
        """See `Form.found`."""
        boxes, labels, scores = arrays[0], arrays[1].reshape(-1), arrays[2].reshape(-1)
        if boxes.shape[-1:] != (4,) or not boxes.size // 4 == len(labels) == len(scores):
            raise WeightsError(
                "its outputs have other shapes than SSD's",
                expected="(n, 4), (n) and (n)",
                found=", ".join(str(array.shape) for array in arrays),
            )
        persons = labels == description.person
        return _in_pixels(boxes.reshape(-1, 4)[persons], size, description), scores[persons].astype(
            np.float32
        )


class SsdDetections:
    """SSD with OpenVINO's or Caffe's layer DetectionOutput: (1, 1, n, 7).

    A row has the number of the picture (−1 ends the list), class, score, and corners as shares of the
    picture's sides (OpenVINO's operation DetectionOutput-8).
    """

    expected = "SSD: (1, 1, n, 7)"
    description = Description(person=1, colour="bgr", boxes="shares")
    letterboxed = False

    def outputs(self, shapes: Mapping[str, Shape]) -> tuple[str, ...] | None:
        """See `Form.outputs`."""
        if len(shapes) != 1:
            return None
        ((name, shape),) = shapes.items()
        return (name,) if len(shape) == 4 and shape[:2] == (1, 1) and shape[3] == 7 else None

    def found(
        self, arrays: Sequence[npt.NDArray[Any]], size: tuple[int, int], description: Description
    ) -> Found:
        """See `Form.found`."""
        (output,) = arrays
        if output.ndim != 4 or output.shape[:2] != (1, 1) or output.shape[3] != 7:
            raise WeightsError(
                "its output has another shape than SSD's", expected="(1, 1, n, 7)", found=output.shape
            )
        rows = output[0, 0].astype(np.float32)
        ended = np.flatnonzero(rows[:, 0] < 0)
        rows = rows[: ended[0]] if len(ended) else rows
        rows = rows[rows[:, 1] == description.person]
        return _in_pixels(rows[:, 3:], size, description), rows[:, 2]


def _in_pixels(corners: npt.NDArray[Any], size: tuple[int, int], description: Description) -> FloatArray:
    height, width = size
    sides = (width, height, width, height) if description.boxes == "shares" else (1, 1, 1, 1)
    pixels: FloatArray = corners.astype(np.float32) * np.array(sides, np.float32)
    return pixels


FORMS: tuple[Form, ...] = (Yolox(), SsdDetections(), SsdLists())
"""All forms; a file has at most one."""
