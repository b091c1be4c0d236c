"""Whether two backends compute the same: test inputs, the comparison, and the published example.

TensorFlow and torch never share a process; each writes its logits, and the arrays are compared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from .spec import FloatArray, InputArray, Model, Preprocessing, PublishedExample

TOLERANCE = 1e-3
"""Largest difference of two float32 logits that is rounding. TF against torch gives 3e-5 to 7e-5; the
smallest mistake known in a port, ResNeXt's batch norm with the wrong epsilon, gives 0.06."""

Shape = tuple[int, int, int, int]
"""Frames, height, width, batch."""

SHAPES: tuple[Shape, ...] = (
    (9, 224, 224, 1),
    (16, 224, 224, 1),
    (17, 224, 224, 1),
    (64, 224, 224, 1),
    (17, 199, 210, 2),
)
"""(frames, height, width, batch) on which backends are compared: even sizes hide mistakes in padding."""


def shapes_of(model: Model) -> tuple[Shape, ...]:
    """`SHAPES` with the sizes that `model` takes; a batch that it does not take is computed view by view."""
    side = int(model.details.get("min_side", 1))
    sizes = replace(model.sizes, batch=None)
    return tuple(
        dict.fromkeys(
            sizes.fitted((max(frames, model.views.min_frames), max(height, side), max(width, side), batch))
            for frames, height, width, batch in SHAPES
        )
    )


LIMIT = 3.0
"""Largest relative L2 distance of a half precision, as a multiple of its yardstick: of the distance that
rounding weights and input to the same mantissa causes in the float32 network. Correct networks were measured
at 0.7 to 1.6 times the yardstick, mistakes at 4 times and more (docs/backends.md)."""

_MANTISSA = {"bf16": 7, "fp16": 10, "tf32": 10}
"""Bits behind the point that a precision keeps of a float32's 23."""

AgreementVerdict = Literal["same", "drifts", "other"]
"""Equal to float32's rounding; different by no more than the precision explains; another network."""


@dataclass(frozen=True, slots=True)
class BackendAgreement:
    """Logits of two backends compared.

    - `max_abs`: largest absolute difference of two logits.
    - `relative_l2`: L2 norm of the difference over the L2 norm of the reference.
    - `top1`: share of inputs (0–1) with the same first class.
    """

    max_abs: float
    relative_l2: float
    top1: float

    def verdict(self, precision: str = "fp32", limit: float | None = None) -> AgreementVerdict:
        """The kind of difference.

        - `precision`: of the compared backend.
        - `limit`: largest relative L2 distance that the precision explains (`drift_limit`); None if unknown.

        "same" if no logit differs by more than `TOLERANCE`. Otherwise "other" in float32, or with a relative
        distance above `limit`; else "drifts".
        """
        if self.max_abs <= TOLERANCE:
            return "same"
        if precision == "fp32" or (limit is not None and self.relative_l2 > limit):
            return "other"
        return "drifts"


def drift_limit(rounding: float | None) -> float | None:
    """Largest relative L2 distance that a half precision explains; None without a yardstick.

    `rounding`: the yardstick, the distance that rounding weights and input gives.
    """
    return None if rounding is None else LIMIT * rounding


def mantissa(precision: str) -> int | None:
    """Bits behind the point that `precision` keeps; None where it is float32 or not a float at all."""
    return _MANTISSA.get(precision)


def rounded(inputs: Mapping[str, FloatArray], precision: str) -> dict[str, FloatArray] | None:
    """Inputs rounded to the mantissa of a precision, still float32; None if `mantissa` is None.

    - `inputs`: stream → float32 array of any shape.
    - `precision`: a key of `capabilities.PRECISIONS`.
    """
    bits = mantissa(precision)
    if bits is None:
        return None
    return {stream: with_mantissa(array, bits) for stream, array in inputs.items()}


def with_mantissa(array: FloatArray, bits: int) -> FloatArray:
    """`array` rounded to `bits` explicit mantissa bits (1 to 22), to nearest, ties to even; still float32."""
    drop = np.uint32(23 - bits)
    raw = np.ascontiguousarray(array).view(np.uint32)
    below_half = (np.uint32(1) << (drop - np.uint32(1))) - np.uint32(1)
    kept = (raw + below_half + ((raw >> drop) & np.uint32(1))) >> drop << drop
    return kept.view(np.float32)


def compare_logits(reference: FloatArray, other: FloatArray) -> BackendAgreement:
    """Agreement of `other` with `reference`, both (N, classes) and finite. Raises ValueError otherwise."""
    if reference.shape != other.shape or reference.ndim != 2:
        raise ValueError(f"logits of shapes {reference.shape} and {other.shape} cannot be compared")
    if not (np.isfinite(reference).all() and np.isfinite(other).all()):
        raise ValueError("logits are not finite")
    a, b = reference.astype(np.float64), other.astype(np.float64)
    return BackendAgreement(
        max_abs=float(np.abs(a - b).max()),
        relative_l2=float(np.linalg.norm(a - b) / np.linalg.norm(a)),
        top1=float((a.argmax(1) == b.argmax(1)).mean()),
    )


def parity_inputs(
    model: Model, frames: int, height: int, width: int, batch: int, seed: int = 0
) -> dict[str, FloatArray]:
    """Random input like preprocessed video, smooth with noise: stream → (N, T, H, W, C) float32.

    - `model`: its weights' preprocessing gives channels and value range of each stream.
    - `frames`, `height`, `width`, `batch`: T, H, W and N.
    - `seed`: of the random numbers.
    """
    pixels = parity_pixels(model, frames, height, width, batch, seed)
    return {stream: _prepared(pixels[stream], each.preprocessing) for stream, each in model.streams.items()}


def parity_pixels(
    model: Model, frames: int, height: int, width: int, batch: int, seed: int = 0
) -> dict[str, InputArray]:
    """What `parity_inputs` with the same parameters are made of: stream → (N, T, H, W, C).

    Pixels are uint8; flow is float32, as the network takes it.
    """
    unit = {
        stream: _video((batch, frames, height, width, each.preprocessing.channels), seed + index)
        for index, (stream, each) in enumerate(model.streams.items())
    }
    return {
        stream: (2 * video - 1).astype(np.float32)
        if model.streams[stream].preprocessing.modality == "flow"
        else np.round(255 * video).astype(np.uint8)
        for stream, video in unit.items()
    }


def _video(shape: tuple[int, int, int, int, int], seed: int) -> npt.NDArray[np.float64]:
    """Random values on a coarse grid, interpolated in time and space, with noise, in [0, 1]."""
    rng = np.random.default_rng(seed)
    batch, frames, height, width, channels = shape
    values = rng.normal(size=(batch, frames // 8 + 2, height // 16 + 2, width // 16 + 2, channels))
    for axis, size in ((1, frames), (2, height), (3, width)):
        at = np.linspace(0, values.shape[axis] - 1, size)
        below = np.minimum(at.astype(int), values.shape[axis] - 2)
        share = np.expand_dims(at - below, tuple(range(1, values.ndim - axis)))
        values = np.take(values, below, axis) * (1 - share) + np.take(values, below + 1, axis) * share
    values += 0.1 * rng.normal(size=shape)
    return np.clip(0.5 + 0.25 * values, 0, 1)


def _prepared(pixels: InputArray, how: Preprocessing) -> FloatArray:
    if how.modality == "flow":
        return pixels.astype(np.float32, copy=False)
    scaled = pixels.astype(np.float64) * how.scale
    prepared: FloatArray = ((scaled - np.array(how.channel_mean)) / np.array(how.channel_std)).astype(
        np.float32
    )
    return prepared


def published_differences(
    example: PublishedExample, logits: FloatArray, labels: tuple[str, ...]
) -> dict[str, float]:
    """Computed minus published value: of "norm", and of the logit of each class in `example.top`.

    - `example`: the published values.
    - `logits`: (1, classes) or (classes,), those of all streams added.
    - `labels`: the classes in the order of the logits.
    """
    flat = logits.astype(np.float64).ravel()
    found = {"norm": float(np.linalg.norm(flat)) - example.norm}
    return found | {name: float(flat[labels.index(name)]) - value for name, value in example.top}
