"""A filter's values for one clip: drawn once, and then the same for all frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from . import filters
from .augmentation import REFERENCE_SIDE
from .drawing import uniform

if TYPE_CHECKING:
    from .augmentation import Augmentation

Frames = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A filter with the values that were drawn for a clip.

    - `name`: of the filter. `words`: the values, for people.
    - `apply`: (T, H, W, 3) uint8 → the same shape and dtype; the same result for the same frames.
    """

    name: str
    words: str
    apply: Frames


def _add(augmentation: Augmentation, _: tuple[int, ...], generator: torch.Generator) -> Drawn:
    value = round(uniform(-augmentation.add, augmentation.add, generator))
    bound = ", at most half of the mean" if value < 0 else ""
    return Drawn("add", f"{value:+d} grey levels{bound}", partial(filters.add, value=value))


def _multiply(augmentation: Augmentation, _: tuple[int, ...], generator: torch.Generator) -> Drawn:
    factor = uniform(1 - augmentation.multiply, 1 + augmentation.multiply, generator)
    return Drawn("multiply", f"factor {factor:.2f}", partial(filters.multiply, factor=factor))


def _salt(augmentation: Augmentation, shape: tuple[int, ...], generator: torch.Generator) -> Drawn:
    return _cover("salt", augmentation.salt, 255, augmentation, shape, generator)


def _pepper(augmentation: Augmentation, shape: tuple[int, ...], generator: torch.Generator) -> Drawn:
    return _cover("pepper", augmentation.pepper, 0, augmentation, shape, generator)


def _cover(
    name: str,
    most: float,
    value: int,
    augmentation: Augmentation,
    shape: tuple[int, ...],
    generator: torch.Generator,
) -> Drawn:
    share = uniform(0, most, generator)
    frames, height, width = shape[:3]
    layers = 1 if augmentation.temporal == "coherent" else frames
    mask = torch.rand((layers, height, width), generator=generator) < share
    return Drawn(name, f"{share:.1%} of the pixels", partial(filters.cover, mask=mask, value=value))


def _elastic(augmentation: Augmentation, shape: tuple[int, ...], generator: torch.Generator) -> Drawn:
    scale = min(shape[1:3]) / REFERENCE_SIDE
    alpha = uniform(0, augmentation.elastic_alpha, generator)
    noise = 2 * torch.rand((2, *shape[1:3]), generator=generator) - 1
    # Smoothing over σ pixels divides the noise by σ: with α by the square, all lengths are in proportion.
    apply = partial(
        filters.elastic, noise=noise, alpha=alpha * scale**2, sigma=augmentation.elastic_sigma * scale
    )
    return Drawn("elastic", f"alpha {alpha:.0f}, sigma {augmentation.elastic_sigma:g}", apply)


def _blur(augmentation: Augmentation, shape: tuple[int, ...], generator: torch.Generator) -> Drawn:
    sigma = uniform(0, augmentation.blur, generator)
    scale = min(shape[1:3]) / REFERENCE_SIDE
    return Drawn("blur", f"sigma {sigma:.1f}", partial(filters.blur, sigma=sigma * scale))


def _flip(augmentation: Augmentation, _: tuple[int, ...], generator: torch.Generator) -> Drawn:
    flipped = uniform(0, 1, generator) < augmentation.flip
    return Drawn("flip", "flipped" if flipped else "as it is", filters.flip if flipped else torch.clone)


DRAWS: Mapping[str, Callable[[Augmentation, tuple[int, ...], torch.Generator], Drawn]] = {
    "add": _add,
    "multiply": _multiply,
    "salt": _salt,
    "pepper": _pepper,
    "elastic": _elastic,
    "blur": _blur,
    "flip": _flip,
}
"""Name of a filter → what draws its values for frames of a shape (T, H, W, 3)."""
