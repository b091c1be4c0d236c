"""3D-ResNeXt-101 (Hara, Kataoka and Satoh, CVPR 2018, arXiv:1711.09577), described once for every backend.

Names are the authors' (kenshohara/3D-ResNets-PyTorch, branch CVPR2018, models/resnext.py) without the
`module.` that DataParallel puts before them. Shortcuts are type B: a convolution where the shape changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .. import transforms
from ..spec import DemoWeights, Model, Views
from ..state import Shapes, State
from ..transforms import Convolution, Triple
from ..weights.descriptions import description

BLOCKS = (3, 4, 23, 3)
"""Bottlenecks in each of the four layers."""

CARDINALITY = 32
"""Groups of the 3×3×3 convolutions."""

BATCH_NORM_EPSILON = 1e-5
"""torch's default."""

STEM = 64
"""Channels of the first convolution: 7×7×7, stride (1, 2, 2), padding 3; then max pool 3, stride 2."""

FEATURES = 2048
"""Channels that the logits are computed from."""


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """1×1×1, grouped 3×3×3 with the stride, 1×1×1; each with batch norm; added to the shortcut.

    - `scope`: prefix of its tensors' names, e.g. "layer1.0".
    - `inputs`, `width`, `outputs`: channels of its input, of the 3×3×3 convolution, and of its output.
    - `stride`: along T, H and W.
    - `shortcut`: whether the shortcut is a strided 1×1×1 convolution with batch norm, else the identity.
    """

    scope: str
    inputs: int
    width: int
    outputs: int
    stride: int
    shortcut: bool


def bottlenecks() -> Iterator[Bottleneck]:
    """All 33 blocks in order."""
    inputs = STEM
    for layer, blocks in enumerate(BLOCKS):
        width = 128 * 2**layer
        for block in range(blocks):
            stride = 2 if layer > 0 and block == 0 else 1
            yield Bottleneck(f"layer{layer + 1}.{block}", inputs, width, 2 * width, stride, block == 0)
            inputs = 2 * width


def tensor_shapes(classes: int) -> Shapes:
    """Name → shape of every tensor, as in the authors' files without `module.`.

    Convolutions are (out, in, t, h, w).
    """
    shapes: Shapes = {"conv1.weight": (STEM, 3, 7, 7, 7), **_norm("bn1", STEM)}
    for block in bottlenecks():
        grouped = block.width // CARDINALITY
        shapes[f"{block.scope}.conv1.weight"] = (block.width, block.inputs, 1, 1, 1)
        shapes |= _norm(f"{block.scope}.bn1", block.width)
        shapes[f"{block.scope}.conv2.weight"] = (block.width, grouped, 3, 3, 3)
        shapes |= _norm(f"{block.scope}.bn2", block.width)
        shapes[f"{block.scope}.conv3.weight"] = (block.outputs, block.width, 1, 1, 1)
        shapes |= _norm(f"{block.scope}.bn3", block.outputs)
        if block.shortcut:
            shapes[f"{block.scope}.downsample.0.weight"] = (block.outputs, block.inputs, 1, 1, 1)
            shapes |= _norm(f"{block.scope}.downsample.1", block.outputs)
    shapes["fc.weight"] = (classes, FEATURES)
    shapes["fc.bias"] = (classes,)
    return shapes


def _norm(scope: str, channels: int) -> Shapes:
    return {f"{scope}.{tensor}": (channels,) for tensor in ("weight", "bias", "running_mean", "running_var")}


def folded(state: State) -> dict[str, Convolution]:
    """Name → convolution with its batch norm folded in: "conv1", "layer1.0.conv2", …; not the last layer."""

    def fold(conv: str, norm: str, groups: int = 1) -> Convolution:
        return transforms.folded(
            state[f"{conv}.weight"],
            mean=state[f"{norm}.running_mean"],
            variance=state[f"{norm}.running_var"],
            epsilon=BATCH_NORM_EPSILON,
            offset=state[f"{norm}.bias"],
            scale=state[f"{norm}.weight"],
            groups=groups,
        )

    convolutions = {"conv1": fold("conv1", "bn1")}
    for block in bottlenecks():
        for number in (1, 2, 3):
            name = f"{block.scope}.conv{number}"
            groups = CARDINALITY if number == 2 else 1
            convolutions[name] = fold(name, f"{block.scope}.bn{number}", groups)
        if block.shortcut:
            name = f"{block.scope}.downsample.0"
            convolutions[name] = fold(name, f"{block.scope}.downsample.1")
    return convolutions


def parameters(classes: int) -> int:
    """Trainable parameters; the running statistics of batch norm are not counted."""
    shapes = tensor_shapes(classes)
    return sum(math.prod(shape) for name, shape in shapes.items() if ".running_" not in name)


def macs(streams: Mapping[str, Triple], classes: int) -> int:
    """Multiply–accumulates of one view; taps on padding are counted.

    - `streams`: "rgb" → (T, H, W) of its input.
    - `classes`: number of classes.
    """
    frames, height, width = streams["rgb"]
    size = [frames, _halved(height), _halved(width)]
    total = math.prod(size) * 7**3 * 3 * STEM
    size = [_halved(cells) for cells in size]
    for block in bottlenecks():
        cells_in = math.prod(size)
        size = [_halved(cells) if block.stride == 2 else cells for cells in size]
        cells_out = math.prod(size)
        total += cells_in * block.inputs * block.width
        total += cells_out * 27 * block.width * (block.width // CARDINALITY)
        total += cells_out * block.width * block.outputs
        if block.shortcut:
            total += cells_out * block.inputs * block.outputs
    return total + FEATURES * classes


def _halved(cells: int) -> int:
    """Cells after a stride of 2, for every kernel of this network (k cells wide, padded by k // 2)."""
    return (cells + 1) // 2


def random_gains() -> dict[str, float]:
    """Factors on random tensors that keep activations in a normal range.

    The first convolution takes pixels of about ±64. Undamped, 33 random residual branches amplify a
    rounding of the input 55 times; with their last batch norm scaled by 0.15, 3 times.
    """
    damped = {f"{block.scope}.bn3.weight": 0.15 for block in bottlenecks()}
    return {"conv1.weight": 1 / 64, **damped}


def _views(frames: int) -> Views:
    """The authors' test on branch CVPR2018: windows side by side, the last one looped, softmax averaged."""
    return Views(window=frames, stride=frames, tail="loop", average="softmax", min_frames=1)


_DEMO = DemoWeights(
    "resnext",
    "resnext-101-kinetics.pth",
    "actionbench.models.resnext.demo_network:random_network",
    _views(16),
)
"""Those of 16 frames serve for 64 frames too."""


def _model(name: str, title: str, frames: int) -> Model:
    return Model(
        name=name,
        title=title,
        streams={"rgb": description(f"hara-resnext-101-{frames}f")},
        views=_views(frames),
        window_frames=frames,
        backends={
            "torch": "actionbench.models.resnext.torch_modules:load",
            "onnx": "actionbench.models.backends.onnx_network:load",
            "openvino": "actionbench.models.backends.openvino_network:load",
        },
        paper="Hara, Kataoka and Satoh, CVPR 2018, arXiv:1711.09577",
        macs=macs,
        # In int8 its grouped convolutions are slower than in bfloat16.
        precisions={"openvino": ("fp32", "bf16")},
        parameters=lambda _stream, classes: parameters(classes),
        onnx="actionbench.models.resnext.onnx_graph:stream_graph",
        demo={"rgb": _DEMO},
        trainable="actionbench.models.resnext.trainable_network:network",
    )


def resnext() -> Model:
    """Views of 16 frames."""
    return _model("resnext", "3D-ResNeXt-101, 16 frames", 16)


def resnext_64f() -> Model:
    """Views of 64 frames; the same architecture with weights of its own."""
    return _model("resnext-64f", "3D-ResNeXt-101, 64 frames", 64)
