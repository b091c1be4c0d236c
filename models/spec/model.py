"""A network that the command line can name, with all that it declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .network import LoadOptions, Network
from .views import Views
from .weights import Weights, WeightsDescription

if TYPE_CHECKING:
    from ..demo import RandomNetwork
    from ..finetuning.trainable import TrainableNetwork

Loader = Callable[["Model", Mapping[str, Weights], LoadOptions], Network]

OnnxGraph = Callable[[Weights, bool], bytes]
"""From the weights of a stream, and `wide`, to its ONNX graph (`Model.onnx`)."""

Trainable = Callable[["Weights | None", int, int], "TrainableNetwork"]
"""From weights (None: from scratch), number of classes and seed to the network in torch that is trained.

Its head is a new one, seeded, where the number of classes is not that of the weights."""


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
