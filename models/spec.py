"""How a network is described: its inputs, its weights, how it scores a video, and what a backend provides.

Descriptions only: nothing here imports a framework. A backend turns a `Model` and its weights into a
`Network` that computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..operating_point import OperatingPoint

if TYPE_CHECKING:
    from .demo import RandomNetwork
    from .detectors.registry import ChosenDetector
    from .finetuning.trainable import TrainableNetwork

FloatArray = npt.NDArray[np.float32]

Channels = tuple[float, float, float]

Modality = Literal["rgb", "flow"]
Filter = Literal["opencv-bilinear", "pillow-bilinear", "pillow-bicubic", "torch-bilinear"]
Rounding = Literal["round", "floor"]
Offset = Literal["floor", "half-even"]
Colour = Literal["rgb", "bgr"]
Tail = Literal["loop", "hold", "drop"]
Average = Literal["softmax", "logits"]
Crops = Literal[1, 3]

MOST_FRAMES_PER_S = 1000
"""Greatest frame rate that frames are resampled to."""

MOST_CLIPS = 1000
"""Greatest number of clips that a video is cut into; published protocols have 10 or fewer."""

InputArray = npt.NDArray[np.float32 | np.uint8]
"""A stream's input: (N, T, H, W, C) float32 as the network wants it, or uint8 pixels (`Network`)."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How the pixels were prepared that a set of weights was trained on. It follows the weights.

    - `modality`: "rgb", or "flow" (optical flow of the grey frames, 2 channels, x before y).
    - `rate`: frames per second the video is resampled to; None keeps the video's own frames.
    - `short_side`: the shorter side is resized to this many pixels, the aspect kept; None with `stretch`.
    - `resize`: the filter. "opencv-bilinear" samples 2×2 neighbours (cv2.INTER_LINEAR);
      "pillow-bilinear" widens its triangle when it shrinks (PIL.Image.BILINEAR), as does "pillow-bicubic"
      (PIL.Image.BICUBIC); "torch-bilinear" samples 2×2 neighbours in float32 and rounds half to even (torch's
      interpolation without antialiasing).
    - `long_side`: how the longer side's fraction of a pixel is dropped, "round" or "floor".
    - `crop`: side of the centre crop, pixels.
    - `crop_offset`: "floor" of half the margin, or "half-even" (Python's `round`). It does not apply to three
      `Views.crops`, whose margins are rounded up.
    - `scale`, `mean`, `std`: RGB pixels 0–255 become `(pixel * scale - mean) / std`, channel by channel. Mean
      and standard deviation are those of red, green and blue, whatever `colour` is.
    - `flow_bound`: flow is clipped to ±bound pixels a frame and divided by it. None for RGB.
    - `stretch`: (height, width) in pixels that frames are resized to, the aspect not kept.
    - `every`: of the frames at `rate` only every so many-th is used, from the first one on: 4 for "16×4" of
      networks whose papers count in the videos' own frames.
    - `colour`: order of the network's input channels.

    Raises UsageError for values that make no sense, alone or together.
    """

    modality: Modality
    rate: Fraction | None
    short_side: int | None
    resize: Filter
    long_side: Rounding
    crop: int
    crop_offset: Offset
    scale: float = 1.0
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    flow_bound: float | None = None
    stretch: tuple[int, int] | None = None
    every: int = 1
    colour: Colour = "rgb"

    def __post_init__(self) -> None:
        for name, known in (
            ("modality", Modality),
            ("resize", Filter),
            ("long_side", Rounding),
            ("crop_offset", Offset),
            ("colour", Colour),
        ):
            _require_one_of("preprocessing", name, getattr(self, name), get_args(known))
        if (self.short_side is None) == (self.stretch is None):
            raise UsageError(
                "frames have one size",
                where="preprocessing",
                expected="`short_side` or `stretch`",
                found="neither" if self.stretch is None else "both",
            )
        sides = (self.short_side,) if self.stretch is None else self.stretch
        sizes = {"short_side" if self.stretch is None else "stretch": sides, "crop": (self.crop,)}
        for name, values in (*sizes.items(), ("every", (self.every,))):
            _require_whole("preprocessing", name, *values)
        if self.stretch is not None and len(self.stretch) != 2:
            raise UsageError("is no size", where="`stretch`", expected="height, width", found=self.stretch)
        if self.crop > min(side for side in sides if side is not None):
            raise UsageError(
                "the crop is larger than the resized frames",
                where="preprocessing",
                expected=f"`crop` of {min(side for side in sides if side is not None)} at most",
                found=self.crop,
            )
        if self.rate is not None and not 0 < self.rate <= MOST_FRAMES_PER_S:
            raise UsageError(
                "no such frame rate",
                where="preprocessing",
                expected=f"`rate` above 0, {MOST_FRAMES_PER_S} frames a second at most",
                found=self.rate,
            )
        bound = 1.0 if self.flow_bound is None else self.flow_bound
        numbers = (*self.mean, *self.std, self.scale, bound)
        if len(self.mean) != 3 or len(self.std) != 3 or not all(map(math.isfinite, numbers)):
            raise UsageError("three finite numbers each are expected", where="`mean` and `std`")
        if min(*self.std, self.scale, bound) <= 0:
            raise UsageError("must be positive", where="`scale`, `std` and `flow_bound`")

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames a second that the network sees; None where that depends on the video."""
        return None if self.rate is None else self.rate / self.every

    @property
    def channel_mean(self) -> Channels:
        """`mean` in the order of the network's input channels."""
        return self.mean if self.colour == "rgb" else self.mean[::-1]

    @property
    def channel_std(self) -> Channels:
        """`std` in the order of the network's input channels."""
        return self.std if self.colour == "rgb" else self.std[::-1]

    @property
    def channels(self) -> int:
        """Channels of the network's input: 3 for RGB, 2 for flow."""
        return 3 if self.modality == "rgb" else 2


@dataclass(frozen=True, slots=True)
class Views:
    """How a video is cut into views for the network, and how their scores become one prediction.

    - `window`: frames per view; None is the whole video in one pass.
    - `stride`: frames between the starts of two views; unused without a window, and with `clips`.
    - `tail`: a last window with too few frames is filled by looping the frames it has ("loop", as
      Hara's LoopPadding does), by repeating its last frame ("hold") or left out ("drop"). A video shorter
      than one window is filled in the same way; with "drop" it is looped.
    - `average`: scores of the views are averaged as "softmax" or as "logits".
    - `min_frames`: fewest frames of a view that the network can take, after looping.
    - `single`: frames of a single view from the middle of the video (`--views single`); None: `window`.
    - `clips`: number of windows of a video, `MOST_CLIPS` at most, whose starts are evenly spaced from its
      first frame to the last possible one; None: as many as `stride` gives.
    - `crops`: squares that are cut out of each window's frames: 1, the central one, or 3, along the longer
      side: both ends and the middle.

    Raises UsageError for values that make no sense, alone or together.
    """

    window: int | None
    stride: int | None
    tail: Tail
    average: Average
    min_frames: int
    single: int | None = None
    clips: int | None = None
    crops: Crops = 1

    def __post_init__(self) -> None:
        for name, known in (("tail", Tail), ("average", Average), ("crops", Crops)):
            _require_one_of("views", name, getattr(self, name), get_args(known))
        for name in ("window", "stride", "min_frames", "single", "clips"):
            if getattr(self, name) is not None:
                _require_whole("views", name, getattr(self, name))
        if self.clips is not None and self.clips > MOST_CLIPS:
            raise UsageError(
                "are too many", where="`clips` of a video", expected=f"{MOST_CLIPS} at most", found=self.clips
            )
        if self.clips is not None and self.window is None:
            raise UsageError("clips of a video have a length", where="views", expected="`window`")
        for name in ("window", "single"):
            frames = getattr(self, name)
            if frames is not None and frames < self.min_frames:
                raise UsageError(
                    "is too short for the network",
                    where=f"`{name}`",
                    expected=f"at least {self.min_frames} frames",
                    found=frames,
                )

    @property
    def single_frames(self) -> int:
        """Frames of a single view."""
        frames = self.single or self.window
        assert frames is not None, "the description of weights was checked when it was made"
        return frames

    def with_window(self, frames: int) -> Views:
        """The same with windows of so many frames, side by side where no number of clips is said."""
        return replace(self, window=frames, stride=frames, single=None)

    def with_clips(self, clips: int) -> Views:
        """So many windows, evenly spaced, with one crop each, whatever else is published."""
        return replace(self, window=self.single_frames, stride=None, clips=clips, crops=1)


def _require_one_of(where: str, field: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"`{field}` is unknown", where=where, expected=" or ".join(map(str, known)), found=value
        )


def _require_whole(where: str, field: str, *values: object) -> None:
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(
                f"`{field}` makes no sense", where=where, expected="a whole number from 1 on", found=value
            )


@dataclass(frozen=True, slots=True)
class InputSizes:
    """Sizes of its input that a network takes and no others; None for one that it leaves open.

    - `frames`: of a view. `side`: height and width, pixels.
    - `batch`: views in one call of its graph; our backends compute a larger batch call by call.
    """

    frames: int | None = None
    side: int | None = None
    batch: int | None = None

    def fitted(self, shape: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """(frames, height, width, batch) with the sizes of the network in place of others."""
        frames, height, width, batch = shape
        return (self.frames or frames, self.side or height, self.side or width, self.batch or batch)


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


class Network(Protocol):
    """A network with its weights on a device, ready to compute. What every backend must provide.

    What else a network may declare: `PixelNetwork`, `ConcurrentNetwork`, `TorchDeviceNetwork`.
    """

    def upload(self, inputs: Mapping[str, InputArray]) -> Any:
        """A batch on the device, in whatever type `forward` takes.

        - `inputs`: stream name → (N, T, H, W, C) float32, preprocessed.
        """

    def forward(self, inputs: Any) -> Any:
        """Logits on the device, for what `upload` returned. May return before they are computed."""

    def download(self, logits: Any) -> FloatArray:
        """Logits (N, classes) float32 on the host; waits for them."""

    def synchronize(self) -> None:
        """Return when everything that was started on the device has been computed."""

    def describe(self) -> dict[str, Any]:
        """Facts for the record, as plain values.

        Keys that reports know: "backend" (with version), "device" (its name), "precision" (that is computed
        in: "float32", "TF32", "bfloat16", "float16", "int8"), "threads", "parameters" (trainable),
        "compile_s" (seconds that a compilation took so far), and on a device with a clock and a memory of
        its own "device_forward_s" (of the last forward, by device events) and "peak_device_bytes".
        """


@runtime_checkable
class PixelNetwork(Protocol):
    """A network that normalises pixels itself.

    - `uint8_streams`: RGB streams that it takes as pixels 0–255 too, uint8 and cropped, and normalises as the
      `Preprocessing` of their weights says. Float input is still taken.
    """

    @property
    def uint8_streams(self) -> frozenset[str]:
        """See the class."""
        ...


@runtime_checkable
class ConcurrentNetwork(Protocol):
    """A network that says whether it may compute several inputs at once.

    - `concurrent`: True if several threads may be in its methods at the same time. A network without this
      attribute is called by one thread at a time.
    """

    @property
    def concurrent(self) -> bool:
        """See the class."""
        ...


@runtime_checkable
class TorchDeviceNetwork(Protocol):
    """A network whose `upload` also takes float32 torch tensors that are already on its device.

    - `device`: that torch.device.
    """

    @property
    def device(self) -> Any:
        """See the class."""
        ...


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The device that a network is loaded on, and how it computes there.

    - `device`: "cpu" or "cuda:N".
    - `threads`: CPU threads of one forward call.
    - `tf32`: let CUDA round the operands of float32 products to 10-bit mantissas, as precision "tf32" does.
    - `precision`: a key of `capabilities.PRECISIONS`.
    - `variant`: a key of `capabilities.VARIANTS`.
    - `at_once`: number of forward calls on the CPU that may overlap, each with `threads` threads.
    - `quantised`: stream → the file of its network in int8, where that is the precision.
    """

    device: str = "cpu"
    threads: int = 1
    tf32: bool = False
    precision: str = "fp32"
    variant: str = "tuned"
    at_once: int = 1
    quantised: Mapping[str, Path] = field(default_factory=dict)


Loader = Callable[["Model", Mapping[str, Weights], LoadOptions], Network]

OnnxGraph = Callable[[Weights, bool], bytes]
"""From the weights of a stream, and `wide`, to its ONNX graph (`Model.onnx`)."""


Trainable = Callable[["Weights | None", int, int], "TrainableNetwork"]
"""From weights (None: from scratch), number of classes and seed to the network in torch that is trained.

Its head is a new one, seeded, where the number of classes is not that of the weights."""


@dataclass(frozen=True, slots=True)
class DemoWeights:
    """How demo weights are made for one stream: a random network whose last layer is fitted to demo clips.

    - `name`: of the folder that they are kept in, made once: it has to change when the network or its labels
      change. Models that share these weights give the same name.
    - `file`: name of the file in it.
    - `network`: "module:attribute" of the function that gives the random network from the weights'
      description, the number of classes and the seed; or the function itself.
    - `views`: how the demo clips are cut; None for the views of the weights' description.
    """

    name: str
    file: str
    network: str | Callable[[WeightsDescription, int, int], RandomNetwork]
    views: Views | None = None


@dataclass(frozen=True, slots=True)
class PublishedExample:
    """What the authors' network gives for a sample of theirs; `bench parity --published` reproduces it.

    - `samples`: the source of the catalogue that has the sample's arrays, or the path of their folder.
    - `files`: stream → the array's file in it, (1, T, H, W, C) and already preprocessed.
    - `weights`: stream → name of the published weights, or the path of a file.
    - `frames`: T of the sample.
    - `norm`: L2 norm of the logits, those of all streams added.
    - `top`: the best classes, each with its logit.
    """

    samples: str
    files: Mapping[str, str]
    weights: Mapping[str, str]
    frames: int
    norm: float
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A network that can be named on the command line.

    - `name`, `title`: e.g. "i3d" and "two-stream I3D".
    - `streams`: stream name → the weights description that is assumed where the user's file says nothing
      else. Logits of the streams are added; their views are the same.
    - `alternatives`: stream name → other published weights, which are used where those of `streams` are not
      stored, the first one first.
    - `backends`: backend name → "module:attribute" of a `Loader`, or the loader itself. The first is the
      default.
    - `precisions`: backend → the precisions that its loader supports (`LoadOptions.precision`), where these
      differ from `capabilities.BACKENDS` for our backends, or from fp32 alone for others.
    - `paper`: citation of the paper; empty if none.
    - `details`: "min_side", the least height and width in pixels; 1 if absent.
    - `macs`: multiply–accumulates of one view, from (stream → (T, H, W)) and the number of classes; None, or
      a function that gives None, if unknown.
    - `parameters`: trainable parameters of a stream, from its name and the number of classes; None if
      unknown.
    - `onnx`: "module:attribute" of an `OnnxGraph`, or the function itself; None if there is none. Our
      backends `onnx` and `openvino` compute it, and int8 networks are made of it.
      It gives a stream's graph, (N, T, H, W, C) float32 with every size but C left open to logits
      (N, classes); T, H and W are fixed where the network takes one size. `wide`: with more channels where
      there are few, as kernels for bfloat16 want it and those for float32 do not.
    - `demo`: stream → how demo weights are made for it (`--weights demo`).
    - `published`: the authors' example with the values that they publish for it; None if there is none.
    - `trainable`: "module:attribute" of a `Trainable`, or the function itself; None if it cannot be trained.
    - `own_weights`: stream → the file that belongs to the model, where it came with one (`finetuned`); used
      where the user names no other weights.
    - `fixed_weights`: stream → the weights, where one file holds the network and them: no others can be
      named, and there are no random ones. Empty for all other networks.
    - `sizes`: of the input, where it takes no others.
    - `packages`: top-level module → how it is installed, as a clause: those that the model needs beside those
      of its backends, with each of them. Whether they are there is checked before anything is loaded.
    """

    name: str
    title: str
    streams: Mapping[str, WeightsDescription]
    backends: Mapping[str, str | Loader]
    paper: str = ""
    macs: Callable[[Mapping[str, tuple[int, int, int]], int], int | None] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    alternatives: Mapping[str, tuple[WeightsDescription, ...]] = field(default_factory=dict)
    precisions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Callable[[str, int], int] | None = None
    onnx: str | OnnxGraph | None = None
    demo: Mapping[str, DemoWeights] = field(default_factory=dict)
    published: PublishedExample | None = None
    trainable: str | Trainable | None = None
    own_weights: Mapping[str, Path] = field(default_factory=dict)
    fixed_weights: Mapping[str, Weights] = field(default_factory=dict)
    sizes: InputSizes = InputSizes()
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def views(self) -> Views:
        """How a whole video is cut into views, where the weights in use say nothing else."""
        return next(iter(self.streams.values())).views
