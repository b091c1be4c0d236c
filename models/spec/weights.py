"""Weights: what is published of them, and which a run uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...errors import UsageError
from ...operating_point import OperatingPoint
from .pixels import Preprocessing
from .views import Views

if TYPE_CHECKING:
    from ..detectors.registry import ChosenDetector


@dataclass(frozen=True, slots=True)
class PublishedFigures:
    """What the publisher of weights says that they reach, under the views of their description.

    - `top1`, `top5`: accuracy in percent.
    - `data`: videos that it was measured on, e.g. "Kinetics-400 validation set".
    - `source`: where that stands.
    - `gmacs`: multiply–accumulates as published, in units of 10⁹; None if not published. Publishers mostly
      call them GFLOPs. Not comparable without `gmacs_of`.
    - `gmacs_of`: what they are counted on, e.g. "one view of 16 frames, 112×112".
    - `parameters`: number of parameters as published; None if not published.
    """

    top1: float
    top5: float | None
    data: str
    source: str
    gmacs: float | None = None
    gmacs_of: str = ""
    parameters: int | None = None

    @property
    def accuracy(self) -> str:
        """The accuracy as text: "67.5 top-1, 86.2 top-5 on the Kinetics-400 validation set"."""
        top5 = "" if self.top5 is None else f", {self.top5:.1f} top-5"
        return f"{self.top1:.1f} top-1{top5} on the {self.data}"


@dataclass(frozen=True, slots=True)
class WeightsDescription:
    """One published (or made) set of weights for one stream of a network.

    - `name`: e.g. "deepmind-rgb-imagenet".
    - `stream`: the stream that they are for, "rgb" or "flow".
    - `format`: of the file: one of `weights.formats.readers.FORMATS`, or a user's own.
    - `preprocessing`: how the pixels were prepared that they were trained on.
    - `views`: how a whole video is cut into views, as their publisher tests them. Raises UsageError for views
      of whole videos (`window` None) without `single`.
    - `labels`: name of the label list, "kinetics-400" or "kinetics-600", the path of a text file, or the
      names themselves.
    - `licence`: of the weights, e.g. "Apache-2.0".
    - `source`: address of the publisher's project.
    - `paper`: citation of the paper; empty if none.
    - `accuracy`: what is reported of the accuracy where `figures` cannot say it: by a user, or in other terms
      than top-1; as text, empty if nothing is. To be read by `reported_accuracy`.
    - `figures`: the accuracy that the publisher reports, and other figures; None where no top-1 is published.
    """

    name: str
    stream: str
    format: str
    preprocessing: Preprocessing
    views: Views
    labels: str | tuple[str, ...]
    licence: str
    source: str
    paper: str = ""
    accuracy: str = ""
    figures: PublishedFigures | None = None

    def __post_init__(self) -> None:
        if self.views.window is None and self.views.single is None:
            raise UsageError(
                "views of whole videos must say how long a single view is",
                where=f"the weights {self.name}",
                expected="`single`, a number of frames",
            )

    @property
    def reported_accuracy(self) -> str:
        """The accuracy that is reported and on which data, as text; empty if none."""
        return self.accuracy if self.figures is None else self.figures.accuracy


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights as a run uses them for one stream.

    - `kind`: "published" or "user" (read from `path`), "demo" (fitted by ActionBench to the demo clips)
      or "random" (`path` is None; seeded).
    - `description`: what they are, and how pixels are prepared for them.
    - `path`: a file, a folder, or the prefix of a TensorFlow checkpoint.
    - `sha256`: digest of the file's bytes (of all files in name order where there are several).
    - `seed`: of weights of the kinds "demo" and "random".
    - `checked`: whether they agree with a checksum of their publisher; False for files without a published
      checksum, and for weights that are not published.
    - `mantissa`: round all tensors to so many mantissa bits when they are read; None: no rounding. For the
      float32 network that a half precision is compared with (`parity`). A user's own loader may ignore it.
    - `operating_point`: of a network that was trained here, where one was chosen.
    - `people`: detector by which the main person was found in the clips that it was trained on; None: it was
      trained on whole frames.
    """

    kind: Literal["published", "user", "demo", "random"]
    description: WeightsDescription
    path: Path | None = None
    sha256: str | None = None
    seed: int = 0
    checked: bool = False
    mantissa: int | None = None
    operating_point: OperatingPoint | None = None
    people: ChosenDetector | None = None
