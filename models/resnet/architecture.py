"""3D ResNet-18 (Hara, Kataoka and Satoh, CVPR 2018, arXiv:1711.09577), for quick runs.

Names are the authors' (kenshohara/3D-ResNets-PyTorch, branch CVPR2018, models/resnet.py) without the
`module.` that DataParallel puts before them. The shortcuts of their ResNet-18 are type A: where the shape
changes, every second cell, and zeros for the channels that are missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .. import transforms
from ..spec import DemoWeights, Model, Views
from ..state import Shapes, State
from ..transforms import Convolution
from ..weights.descriptions import description

Triple = tuple[int, int, int]

BLOCKS = (2, 2, 2, 2)
"""Basic blocks in each of the four layers."""

BATCH_NORM_EPSILON = 1e-5
"""torch's default."""

STEM = 64
"""Channels of the first convolution: 7×7×7, stride (1, 2, 2), padding 3; then max pool 3, stride 2."""

FEATURES = 512
"""Channels that the logits are computed from."""


@dataclass(frozen=True, slots=True)
class Basic:
    """Two 3×3×3 convolutions with batch norm, the first with the stride; added to the shortcut."""

    scope: str
    inputs: int
    outputs: int
    stride: int


def blocks() -> Iterator[Basic]:
    """All 8 blocks in order."""
    inputs = STEM
    for layer, count in enumerate(BLOCKS):
        outputs = STEM * 2**layer
        for block in range(count):
            yield Basic(f"layer{layer + 1}.{block}", inputs, outputs, 2 if layer > 0 and block == 0 else 1)
            inputs = outputs


def tensor_shapes(classes: int) -> Shapes:
    """Name → shape of every tensor, as in the authors' files without `module.`."""
    shapes: Shapes = {"conv1.weight": (STEM, 3, 7, 7, 7), **_norm("bn1", STEM)}
    for block in blocks():
        shapes[f"{block.scope}.conv1.weight"] = (block.outputs, block.inputs, 3, 3, 3)
        shapes |= _norm(f"{block.scope}.bn1", block.outputs)
        shapes[f"{block.scope}.conv2.weight"] = (block.outputs, block.outputs, 3, 3, 3)
        shapes |= _norm(f"{block.scope}.bn2", block.outputs)
    shapes["fc.weight"] = (classes, FEATURES)
    shapes["fc.bias"] = (classes,)
    return shapes


def _norm(scope: str, channels: int) -> Shapes:
    return {f"{scope}.{tensor}": (channels,) for tensor in ("weight", "bias", "running_mean", "running_var")}


def folded(state: State) -> dict[str, Convolution]:
    """Name → convolution with its batch norm folded in: "conv1", "layer1.0.conv2", …; not the last layer."""
    norms = {"conv1": "bn1"}
    for block in blocks():
        norms |= {f"{block.scope}.conv{number}": f"{block.scope}.bn{number}" for number in (1, 2)}
    return {
        name: transforms.folded(
            state[f"{name}.weight"],
            mean=state[f"{norm}.running_mean"],
            variance=state[f"{norm}.running_var"],
            epsilon=BATCH_NORM_EPSILON,
            offset=state[f"{norm}.bias"],
            scale=state[f"{norm}.weight"],
        )
        for name, norm in norms.items()
    }


def parameters(classes: int) -> int:
    """Trainable parameters; the running statistics of batch norm are not counted."""
    shapes = tensor_shapes(classes)
    return sum(math.prod(shape) for name, shape in shapes.items() if ".running_" not in name)


def macs(streams: Mapping[str, Triple], classes: int) -> int:
    """Multiply–accumulates of one view of (T, H, W) = `streams["rgb"]`; taps on padding are counted."""
    frames, height, width = streams["rgb"]
    size = [frames, _halved(height), _halved(width)]
    total = math.prod(size) * 7**3 * 3 * STEM
    size = [_halved(cells) for cells in size]
    for block in blocks():
        size = [_halved(cells) if block.stride == 2 else cells for cells in size]
        total += math.prod(size) * 27 * block.outputs * (block.inputs + block.outputs)
    return total + FEATURES * classes


def _halved(cells: int) -> int:
    return (cells + 1) // 2


def random_gains() -> dict[str, float]:
    """Factors on random tensors: the first convolution takes pixels of about ±64."""
    return {"conv1.weight": 1 / 64, **{f"{block.scope}.bn2.weight": 0.3 for block in blocks()}}


_VIEWS = Views(window=16, stride=16, tail="loop", average="softmax", min_frames=1)
"""The authors' test on branch CVPR2018: windows side by side, the last one looped, softmax averaged."""


def resnet18() -> Model:
    """Views of 16 frames, prepared as those of the authors' other networks."""
    return Model(
        name="resnet18",
        title="3D-ResNet-18, 16 frames",
        streams={"rgb": description("hara-resnet-18")},
        views=_VIEWS,
        window_frames=16,
        backends={
            "torch": "actionbench.models.resnet.torch_modules:load",
            "onnx": "actionbench.models.backends.onnx_network:load",
            "openvino": "actionbench.models.backends.openvino_network:load",
        },
        paper="Hara, Kataoka and Satoh, CVPR 2018, arXiv:1711.09577",
        macs=macs,
        # It is there to be trained quickly: nobody has tuned it for half precisions.
        precisions={"torch": ("fp32", "tf32"), "openvino": ("fp32",)},
        parameters=lambda _stream, classes: parameters(classes),
        onnx="actionbench.models.resnet.onnx_graph:stream_graph",
        demo={
            "rgb": DemoWeights(
                "resnet18", "resnet-18-kinetics.pth", "actionbench.models.resnet.demo_network:random_network"
            )
        },
        trainable="actionbench.models.resnet.torch_modules:network",
    )
