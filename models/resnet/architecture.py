"""3D ResNet-18, for quick runs: one of Hara's 3D residual networks (models/resnet.py of the authors).

Its shortcuts are type A: where the shape changes, every second cell, and zeros for the channels that are
missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..residual import architecture as residual
from ..spec import DemoWeights, Model
from ..state import Shapes, State
from ..transforms import Convolution, Triple
from ..weights.descriptions import description

BLOCKS = (2, 2, 2, 2)
"""Basic blocks in each of the four layers."""

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
    inputs = residual.STEM
    for layer, count in enumerate(BLOCKS):
        outputs = residual.STEM * 2**layer
        for block in range(count):
            yield Basic(f"layer{layer + 1}.{block}", inputs, outputs, 2 if layer > 0 and block == 0 else 1)
            inputs = outputs


def tensor_shapes(classes: int) -> Shapes:
    """Name → shape of every tensor (`residual.tensor_shapes`)."""
    shapes: Shapes = {}
    for block in blocks():
        for number, inputs in ((1, block.inputs), (2, block.outputs)):
            names = f"{block.scope}.conv{number}", f"{block.scope}.bn{number}"
            shapes |= residual.unit_shapes(*names, (block.outputs, inputs, 3, 3, 3))
    return residual.tensor_shapes(shapes, FEATURES, classes)


def folded(state: State) -> dict[str, Convolution]:
    """Name → convolution with its batch norm folded in: "conv1", "layer1.0.conv2", …; not the last layer."""
    norms = {"conv1": "bn1"}
    for block in blocks():
        norms |= {f"{block.scope}.conv{number}": f"{block.scope}.bn{number}" for number in (1, 2)}
    return {name: residual.folded(state, name, norm) for name, norm in norms.items()}


def parameters(classes: int) -> int:
    """Trainable parameters; the running statistics of batch norm are not counted."""
    return residual.parameters(tensor_shapes(classes))


def macs(streams: Mapping[str, Triple], classes: int) -> int:
    """Multiply–accumulates of one view of (T, H, W) = `streams["rgb"]`; taps on padding are counted."""
    total, size = residual.stem_macs(streams)
    for block in blocks():
        size = [residual.halved(cells) if block.stride == 2 else cells for cells in size]
        total += math.prod(size) * 27 * block.outputs * (block.inputs + block.outputs)
    return total + FEATURES * classes


def random_gains() -> dict[str, float]:
    """Factors on random tensors: the first convolution takes pixels of about ±64."""
    return {"conv1.weight": 1 / 64, **{f"{block.scope}.bn2.weight": 0.3 for block in blocks()}}


def resnet18() -> Model:
    """Views of 16 frames, prepared as those of the authors' other networks."""
    return Model(
        name="resnet18",
        title="3D-ResNet-18, 16 frames",
        streams={"rgb": description("hara-resnet-18")},
        backends={
            "torch": "actionbench.models.resnet.torch_modules:load",
            "onnx": "actionbench.models.backends.onnx_network:load",
            "openvino": "actionbench.models.backends.openvino_network:load",
        },
        paper=residual.PAPER,
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
