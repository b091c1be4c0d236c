"""I3D (Carreira and Zisserman, CVPR 2017, arXiv:1705.07750), described once for every backend.

Names are the variable scopes of the published checkpoints (google-deepmind/kinetics-i3d), the authors'
slip in `Mixed_5b` included; shapes and arithmetic are TensorFlow's ("SAME" padding).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .. import transforms
from ..spec import DemoWeights, FloatArray, Model, PublishedExample, WeightsDescription
from ..state import Shapes, State
from ..transforms import Convolution, Triple
from ..weights.descriptions import I3D_VIEWS, description
from .published import EXAMPLE

BATCH_NORM_EPSILON = 1e-3
"""Sonnet 1's default, which the weights were trained with; Sonnet 2 and torch default to 1e-5."""

CHANNELS = {"rgb": 3, "flow": 2}
"""Input channels of each stream."""

MIN_FRAMES = I3D_VIEWS.min_frames
"""Fewest frames that leave two time steps for the average pool."""

MIN_SIDE = 193
"""Fewest pixels of height and width that leave a 7×7 map for the average pool."""

FINAL_POOL: Triple = (2, 7, 7)
"""Window of the average pool before the logits: stride 1, no padding."""

FEATURES = 1024
"""Channels that the logits are computed from."""

HEAD = "Logits/Conv3d_0c_1x1"
"""Scope of the 1×1×1 convolution that gives the logits: with a bias, without batch norm or ReLU."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A convolution without bias, batch norm without scale, ReLU; padded "SAME".

    - `scope`: prefix of its tensors' names.
    - `inputs`, `outputs`: channels.
    - `kernel`, `stride`: (t, h, w).
    """

    scope: str
    inputs: int
    outputs: int
    kernel: Triple = (1, 1, 1)
    stride: Triple = (1, 1, 1)


@dataclass(frozen=True, slots=True)
class MaxPool:
    """A max pool, padded "SAME"; `kernel` and `stride` are (t, h, w)."""

    kernel: Triple
    stride: Triple = (1, 1, 1)


@dataclass(frozen=True, slots=True)
class Mixed:
    """An inception block: the branches' outputs are concatenated along the channels."""

    branches: tuple[tuple[Unit | MaxPool, ...], ...]


Layer = Unit | MaxPool | Mixed

# Channels of the branches: 1×1×1; 1×1×1 and 3×3×3; 1×1×1 and 3×3×3; 1×1×1 after the pool.
_MIXED = {
    "Mixed_3b": (64, (96, 128), (16, 32), 32),
    "Mixed_3c": (128, (128, 192), (32, 96), 64),
    "Mixed_4b": (192, (96, 208), (16, 48), 64),
    "Mixed_4c": (160, (112, 224), (24, 64), 64),
    "Mixed_4d": (128, (128, 256), (24, 64), 64),
    "Mixed_4e": (112, (144, 288), (32, 64), 64),
    "Mixed_4f": (256, (160, 320), (32, 128), 128),
    "Mixed_5b": (256, (160, 320), (32, 128), 128),
    "Mixed_5c": (384, (192, 384), (48, 128), 128),
}


def _mixed(name: str, inputs: int) -> Mixed:
    cube = (3, 3, 3)
    outputs_0, (reduced_1, outputs_1), (reduced_2, outputs_2), outputs_3 = _MIXED[name]
    # The authors named this one convolution 0a where every other block says 0b.
    second = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"
    return Mixed(
        (
            (Unit(f"{name}/Branch_0/Conv3d_0a_1x1", inputs, outputs_0),),
            (
                Unit(f"{name}/Branch_1/Conv3d_0a_1x1", inputs, reduced_1),
                Unit(f"{name}/Branch_1/Conv3d_0b_3x3", reduced_1, outputs_1, cube),
            ),
            (
                Unit(f"{name}/Branch_2/Conv3d_0a_1x1", inputs, reduced_2),
                Unit(f"{name}/Branch_2/{second}", reduced_2, outputs_2, cube),
            ),
            (MaxPool(cube), Unit(f"{name}/Branch_3/Conv3d_0b_1x1", inputs, outputs_3)),
        )
    )


def layers(channels: int) -> tuple[Layer, ...]:
    """The network from the pixels to the features, for `channels` input channels."""
    return (
        Unit("Conv3d_1a_7x7", channels, 64, (7, 7, 7), (2, 2, 2)),
        MaxPool((1, 3, 3), (1, 2, 2)),
        Unit("Conv3d_2b_1x1", 64, 64),
        Unit("Conv3d_2c_3x3", 64, 192, (3, 3, 3)),
        MaxPool((1, 3, 3), (1, 2, 2)),
        _mixed("Mixed_3b", 192),
        _mixed("Mixed_3c", 256),
        MaxPool((3, 3, 3), (2, 2, 2)),
        _mixed("Mixed_4b", 480),
        _mixed("Mixed_4c", 512),
        _mixed("Mixed_4d", 512),
        _mixed("Mixed_4e", 512),
        _mixed("Mixed_4f", 528),
        MaxPool((2, 2, 2), (2, 2, 2)),
        _mixed("Mixed_5b", 832),
        _mixed("Mixed_5c", 832),
    )


def units(channels: int) -> Iterator[Unit]:
    """The convolutions with batch norm, in the order of the computation."""
    for layer in layers(channels):
        if isinstance(layer, Unit):
            yield layer
        elif isinstance(layer, Mixed):
            for branch in layer.branches:
                yield from (step for step in branch if isinstance(step, Unit))


def tensor_shapes(channels: int, classes: int) -> Shapes:
    """Name → shape of every tensor of one stream, as in the published checkpoints without their prefix.

    Convolutions are (t, h, w, in, out). There is no batch-norm scale.
    """
    shapes: Shapes = {}
    for unit in units(channels):
        shapes[f"{unit.scope}/conv_3d/w"] = (*unit.kernel, unit.inputs, unit.outputs)
        for tensor in ("beta", "moving_mean", "moving_variance"):
            shapes[f"{unit.scope}/batch_norm/{tensor}"] = (unit.outputs,)
    shapes[f"{HEAD}/conv_3d/w"] = (1, 1, 1, FEATURES, classes)
    shapes[f"{HEAD}/conv_3d/b"] = (classes,)
    return shapes


def parameters(channels: int, classes: int) -> int:
    """Trainable parameters of one stream; the moving statistics of batch norm are not counted."""
    shapes = tensor_shapes(channels, classes)
    return sum(math.prod(shape) for name, shape in shapes.items() if "/moving_" not in name)


def folded(state: State) -> dict[str, Convolution]:
    """Scope → its convolution with its batch norm folded in, of one stream; `HEAD` as it is."""
    convolutions = {
        unit.scope: transforms.folded(
            _outputs_first(state[f"{unit.scope}/conv_3d/w"]),
            mean=state[f"{unit.scope}/batch_norm/moving_mean"],
            variance=state[f"{unit.scope}/batch_norm/moving_variance"],
            epsilon=BATCH_NORM_EPSILON,
            offset=state[f"{unit.scope}/batch_norm/beta"],
        )
        for unit in units(state["Conv3d_1a_7x7/conv_3d/w"].shape[3])
    }
    head = Convolution(_outputs_first(state[f"{HEAD}/conv_3d/w"]), state[f"{HEAD}/conv_3d/b"])
    return convolutions | {HEAD: head}


def _outputs_first(weight: FloatArray) -> FloatArray:
    """(t, h, w, in, out) to (out, in, t, h, w)."""
    return weight.transpose(4, 3, 0, 1, 2)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Cells that TensorFlow's "SAME" adds before and behind an axis.

    - `size`: cells of the axis.
    - `kernel`, `stride`: along the axis.

    The odd cell goes behind, so padding depends on the size and is not symmetric.
    """
    total = max((same_size(size, stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def same_size(size: int, stride: int) -> int:
    """Cells that a "SAME" convolution or pool leaves of `size`."""
    return -(-size // stride)


def macs(streams: Mapping[str, Triple], classes: int) -> int:
    """Multiply–accumulates of one view, summed over its streams; taps on padding are counted.

    - `streams`: stream → (T, H, W) of its input.
    - `classes`: number of classes.
    """
    return sum(_stream_macs(CHANNELS[stream], shape, classes) for stream, shape in streams.items())


def _stream_macs(channels: int, shape: Triple, classes: int) -> int:
    total = 0
    size = list(shape)
    for layer in layers(channels):
        if isinstance(layer, Mixed):
            steps = [step for branch in layer.branches for step in branch]
        else:
            steps = [layer]
            size = [same_size(cells, by) for cells, by in zip(size, layer.stride, strict=True)]
        for step in steps:
            if isinstance(step, Unit):
                total += math.prod(size) * math.prod(step.kernel) * step.inputs * step.outputs
    windows = [cells - window + 1 for cells, window in zip(size, FINAL_POOL, strict=True)]
    return total + math.prod(windows) * FEATURES * classes


def _model(
    name: str,
    title: str,
    *streams: str,
    backends: Mapping[str, str],
    alternatives: Mapping[str, tuple[WeightsDescription, ...]] = MappingProxyType({}),
    published: PublishedExample | None = None,
    trainable: str | None = None,
) -> Model:
    return Model(
        name=name,
        title=title,
        streams={stream: description(f"deepmind-{stream}-imagenet") for stream in streams},
        backends=backends,
        paper="Carreira and Zisserman, CVPR 2017, arXiv:1705.07750",
        macs=macs,
        details={"min_side": MIN_SIDE},
        alternatives=alternatives,
        parameters=lambda stream, classes: parameters(CHANNELS[stream], classes),
        onnx="actionbench.models.i3d.onnx_graph:stream_graph",
        demo={
            stream: DemoWeights(
                f"i3d-{stream}", "model.ckpt", "actionbench.models.i3d.demo_network:random_network"
            )
            for stream in streams
        },
        published=published,
        trainable=trainable,
    )


_BACKENDS = {
    "tensorflow": "actionbench.models.i3d.tensorflow_loading:load_i3d",
    "torch": "actionbench.models.i3d.torch_modules:load",
    "onnx": "actionbench.models.backends.onnx_network:load",
    "openvino": "actionbench.models.backends.openvino_network:load",
}


def two_stream() -> Model:
    """RGB and flow; the streams' logits are added with equal weight (the authors' evaluate_sample.py)."""
    return _model("i3d", "two-stream I3D", "rgb", "flow", backends=_BACKENDS, published=EXAMPLE)


def rgb() -> Model:
    """The RGB stream alone.

    It may have TF-Hub's weights, of which there is no flow stream: two streams are of one publisher or none.
    """
    return _model(
        "i3d-rgb",
        "I3D, RGB stream",
        "rgb",
        backends={**_BACKENDS, "tfhub": "actionbench.models.i3d.tfhub:load"},
        alternatives={
            "rgb": (description("tfhub-i3d-kinetics-400"), description("tfhub-module-i3d-kinetics-400"))
        },
        trainable="actionbench.models.i3d.trainable_network:rgb_network",
    )


def flow() -> Model:
    """The optical-flow stream alone."""
    return _model("i3d-flow", "I3D, flow stream", "flow", backends=_BACKENDS)
