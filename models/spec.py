"""How a network is described: its inputs, its weights, how it scores a video, and what a backend provides.

Descriptions only: nothing here imports a framework. A backend turns a `Model` and its weights into a
`Network` that computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..operating_point import OperatingPoint

if TYPE_CHECKING:
    from .demo import RandomNetwork
    from .detectors.registry import ChosenDetector
    from .finetuning.trainable import TrainableNetwork

FloatArray = npt.NDArray[np.float32]

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
    - `crop_offset`: "floor" of half the margin, or "half-even" (Python's `round`).
    - `scale`, `mean`, `std`: RGB pixels 0–255 become `(pixel * scale - mean) / std`, channel by channel.
    - `flow_bound`: flow is clipped to ±bound pixels a frame and divided by it. None for RGB.
    - `stretch`: (height, width) in pixels that frames are resized to, the aspect not kept.
    - `every`: of the frames at `rate` only every so many-th is used: 4 for "16×4" of networks whose papers
      count in the videos' own frames.
    - `colour`: order of the network's input channels.
    """

    modality: Literal["rgb", "flow"]
    rate: Fraction | None
    short_side: int | None
    resize: Literal["opencv-bilinear", "pillow-bilinear", "pillow-bicubic", "torch-bilinear"]
    long_side: Literal["round", "floor"]
    crop: int
    crop_offset: Literal["floor", "half-even"]
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    flow_bound: float | None = None
    stretch: tuple[int, int] | None = None
    every: int = 1
    colour: Literal["rgb", "bgr"] = "rgb"

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
      Hara's LoopPadding does) or left out ("drop"); a video shorter than one window is always looped.
    - `average`: scores of the views are averaged as "softmax" or as "logits".
    - `min_frames`: fewest frames of a view that the network can take, after looping.
    - `single`: frames of a single view from the middle of the video (`--views single`); None: `window`.
    - `clips`: number of windows of a video, whose starts are evenly spaced from its first frame to the last
      possible one; None: as many as `stride` gives.
    - `crops`: squares that are cut out of each window's frames: 1, the central one, or 3, along the longer
      side: both ends and the middle.
    """

    window: int | None
    stride: int | None
    tail: Literal["loop", "drop"]
    average: Literal["softmax", "logits"]
    min_frames: int
    single: int | None = None
    clips: int | None = None
    crops: Literal[1, 3] = 1

    @property
    def single_frames(self) -> int:
        """Frames of a single view."""
        frames = self.single or self.window
        assert frames is not None, "views of whole videos say how long a single one is"
        return frames


@dataclass(frozen=True, slots=True)
class PublishedFigures:
    """What the publisher of weights says that they reach, under the views of their description.

    - `top1`, `top5`: accuracy in percent.
    - `data`: videos that it was measured on, e.g. "Kinetics-400 validation set".
    - `source`: where that stands.
    - `gflops`: as published, in units of 10⁹; None if not published. Not comparable without `gflops_of`.
    - `gflops_of`: what they are counted on, e.g. "one view of 16 frames, 112×112".
    - `parameters`: number of parameters as published; None if not published.
    """

    top1: float
    top5: float | None
    data: str
    source: str
    gflops: float | None = None
    gflops_of: str = ""
    parameters: int | None = None


@dataclass(frozen=True, slots=True)
class WeightsDescription:
    """One published (or made) set of weights for one stream of a network.

    - `name`: e.g. "deepmind-rgb-imagenet".
    - `stream`: the stream that they are for, "rgb" or "flow".
    - `format`: of the file: one of `weights.formats.readers.FORMATS`, or a user's own.
    - `preprocessing`: how the pixels were prepared that they were trained on.
    - `views`: how a whole video is cut into views, as their publisher tests them.
    - `labels`: name of the label list, "kinetics-400" or "kinetics-600", the path of a text file, or the
      names themselves.
    - `licence`: of the weights, e.g. "Apache-2.0".
    - `source`: address of the publisher's project.
    - `paper`: citation of the paper; empty if none.
    - `accuracy`: the accuracy that the authors report and on which data, as text; empty if none.
    - `figures`: the same and more as numbers, where they are known.
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
    - `views`: how the demo clips are cut; None for the model's own views.
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
    - `macs`: multiply–accumulates of one view, from (stream → (T, H, W)) and the number of classes; None if
      unknown.
    - `parameters`: trainable parameters of a stream, from its name and the number of classes; None if
      unknown.
    - `onnx`: "module:attribute" of an `OnnxGraph`, or the function itself; None if there is none. Our
      backends `onnx` and `openvino` compute it, and int8 networks are made of it.
      It gives a stream's graph, (N, T, H, W, C) float32 with every size but C left open to logits
      (N, classes). `wide`: with more channels where there are few, as kernels for bfloat16 want it and those
      for float32 do not.
    - `demo`: stream → how demo weights are made for it (`--weights demo`).
    - `published`: the authors' example with the values that they publish for it; None if there is none.
    - `trainable`: "module:attribute" of a `Trainable`, or the function itself; None if it cannot be trained.
    - `own_weights`: stream → the file that belongs to the model, where it came with one (`finetuned`); used
      where the user names no other weights.
    """

    name: str
    title: str
    streams: Mapping[str, WeightsDescription]
    backends: Mapping[str, str | Loader]
    paper: str = ""
    macs: Callable[[Mapping[str, tuple[int, int, int]], int], int] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    alternatives: Mapping[str, tuple[WeightsDescription, ...]] = field(default_factory=dict)
    precisions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parameters: Callable[[str, int], int] | None = None
    onnx: str | OnnxGraph | None = None
    demo: Mapping[str, DemoWeights] = field(default_factory=dict)
    published: PublishedExample | None = None
    trainable: str | Trainable | None = None
    own_weights: Mapping[str, Path] = field(default_factory=dict)

    @property
    def views(self) -> Views:
        """How a whole video is cut into views, where the weights in use say nothing else."""
        return next(iter(self.streams.values())).views
