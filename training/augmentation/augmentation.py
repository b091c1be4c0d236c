"""Online augmentation of a training clip: filters, their order and their strengths are drawn each time.

The seven filters and the three modes are those of the thesis that this reproduces. Its strengths are not
published: the defaults here are our own, each with its reason. "imgaug" is the library aleju/imgaug, version
0.4.0, which has all seven filters and the modes (`OneOf`, `SomeOf`, `Sequential`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ...errors import ClipError, UsageError, unknown_name
from ...settings import NAMES, NUMBER, TEXT, setting

if TYPE_CHECKING:
    import torch

    from .draws import Drawn

Mode = Literal["none", "one", "some", "all"]
Temporal = Literal["coherent", "fresh"]
MODES: tuple[Mode, ...] = get_args(Mode)
TEMPORAL: tuple[Temporal, ...] = get_args(Temporal)

ADD = 40.0
"""Grey levels: imgaug's documented example, Add((-40, 40)). Dark clips are darkened less (`filters.add`)."""

MULTIPLY = 0.5
"""Factors from 0.5 to 1.5: imgaug's documented example, Multiply((0.5, 1.5))."""

SALT = PEPPER = 0.03
"""Share of the pixels at most: imgaug's default for SaltAndPepper, (0.0, 0.03). A sensor in poor light."""

ELASTIC_SIGMA = 20.0
ELASTIC_ALPHA = 600.0
"""Pixels, at a shorter side of 256. σ is about the width of a limb, so that limbs bend and keep their width.
The displacement's standard deviation is α / (2σ√(3π)) = 4.9 px at most, 2 % of the side. Simard et al. move
digits of 29 pixels by 5 % (σ = 4, α = 34); a person fills only a part of the picture."""

BLUR = 3.0
"""Standard deviation at most, pixels, at a shorter side of 256: imgaug's default, (0.0, 3.0)."""

FLIP = 0.5
"""Probability, as the authors of 3D-ResNeXt flip: a filter that always flipped would mirror the whole set."""

REFERENCE_SIDE = 256
"""Shorter side that `blur`, `elastic_sigma` and `elastic_alpha` are meant for: that of I3D's frames. At other
sizes they are scaled in proportion, so that the picture looks the same."""

FILTERS = ("add", "multiply", "salt", "pepper", "elastic", "blur", "flip")

_RANGES = {
    "add": (0, 255),
    "multiply": (0, 1),
    "salt": (0, 1),
    "pepper": (0, 1),
    "elastic_alpha": (0, 1e5),
    "elastic_sigma": (1, 100),
    "blur": (0, 100),
    "flip": (0, 1),
}
"""Setting → its least and its greatest value."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Which filters a clip goes through, and how strong they are.

    Raises UsageError for unknown words and strengths out of range.
    """

    mode: Mode = setting(  # noqa: RUF009  # a field, whatever its type is called
        TEXT, "filters drawn for a clip: `none`, `one`, `some` (one to all, in random order) or `all`", "none"
    )
    temporal: Temporal = setting(  # noqa: RUF009
        TEXT,
        "salt and pepper at the same pixels in all frames (`coherent`), or at new ones in each (`fresh`)",
        "coherent",
    )
    filters: tuple[str, ...] = setting(NAMES, "filters to draw from", FILTERS)
    add: float = setting(
        NUMBER,
        "largest change of the grey level; at most half of the clip's mean is subtracted",
        ADD,
    )
    multiply: float = setting(NUMBER, "largest distance of the factor from 1", MULTIPLY)
    salt: float = setting(NUMBER, "largest share of white pixels", SALT)
    pepper: float = setting(NUMBER, "largest share of black pixels", PEPPER)
    elastic_alpha: float = setting(
        NUMBER,
        f"largest α of the elastic deformation, pixels at a shorter side of {REFERENCE_SIDE}",
        ELASTIC_ALPHA,
    )
    elastic_sigma: float = setting(
        NUMBER, f"σ of the elastic deformation, pixels at a shorter side of {REFERENCE_SIDE}", ELASTIC_SIGMA
    )
    blur: float = setting(
        NUMBER, f"largest σ of the Gaussian blur, pixels at a shorter side of {REFERENCE_SIDE}", BLUR
    )
    flip: float = setting(NUMBER, "probability that left and right are exchanged", FLIP)

    def __post_init__(self) -> None:
        for kind, word, known in (
            ("augmentation mode", self.mode, MODES),
            ("augmentation in time", self.temporal, TEMPORAL),
            *(("filter", name, FILTERS) for name in self.filters),
        ):
            if word not in known:
                raise unknown_name(kind, word, known)
        if not self.filters or len(set(self.filters)) < len(self.filters):
            raise UsageError(
                "must name filters, each once", where="filters", found=", ".join(self.filters) or "none"
            )
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(
                    "is out of range",
                    where=name,
                    expected=f"{low:g} to {high:g}",
                    found=f"{getattr(self, name):g}",
                )

    def __call__(self, frames: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The clip as the next epoch sees it: same shape and dtype; `frames` itself where nothing is drawn.

        - `frames`: (T, H, W, 3) uint8 RGB on the CPU, not changed.
        - `generator`: the only source of randomness, on the CPU; same state, same result. Nothing else is
          kept or changed, so that threads can share an augmentation, each with a generator of its own.

        Raises ClipError for frames of another kind.
        """
        import torch

        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != torch.uint8 or not frames.numel():
            found = f"{tuple(frames.shape)} {frames.dtype}"
            raise ClipError("RGB frames are augmented", expected="(T, H, W, 3) uint8", found=found)
        for drawn in self.draw(tuple(frames.shape), generator):
            frames = drawn.apply(frames)
        return frames

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> tuple[Drawn, ...]:
        """The filters of one clip of this shape, (T, H, W, 3), in the order they are applied in."""
        from .drawing import sample, whole
        from .draws import DRAWS

        counts = {"none": 0, "one": 1, "all": len(self.filters)}
        count = whole(1, len(self.filters), generator) if self.mode == "some" else counts[self.mode]
        return tuple(DRAWS[name](self, shape, generator) for name in sample(self.filters, count, generator))
