"""3D-ResNeXt-101, one of Hara's 3D residual networks (models/resnext.py of the authors), for every backend.

Its shortcuts are type B: a convolution where the shape changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..residual import architecture as residual
from ..spec import DemoWeights, Model
from ..state import Shapes, State
from ..transforms import Convolution, Triple
from ..weights.descriptions import description, hara_views

BLOCKS = (3, 4, 23, 3)
"""Bottlenecks in each of the four layers."""

CARDINALITY = 32
"""Groups of the 3×3×3 convolutions."""

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
    inputs = residual.STEM
    for layer, blocks in enumerate(BLOCKS):
        width = 128 * 2**layer
        for block in range(blocks):
            stride = 2 if layer > 0 and block == 0 else 1
            yield Bottleneck(f"layer{layer + 1}.{block}", inputs, width, 2 * width, stride, block == 0)
            inputs = 2 * width


def tensor_shapes(classes: int) -> Shapes:
    """Name → shape of every tensor (`residual.tensor_shapes`)."""
    shapes: Shapes = {}
    for block in bottlenecks():
        units = {
            ("conv1", "bn1"): (block.width, block.inputs, 1, 1, 1),
            ("conv2", "bn2"): (block.width, block.width // CARDINALITY, 3, 3, 3),
            ("conv3", "bn3"): (block.outputs, block.width, 1, 1, 1),
        }
        if block.shortcut:
            units["downsample.0", "downsample.1"] = (block.outputs, block.inputs, 1, 1, 1)
        for (convolution, norm), shape in units.items():
            shapes |= residual.unit_shapes(f"{block.scope}.{convolution}", f"{block.scope}.{norm}", shape)
    return residual.tensor_shapes(shapes, FEATURES, classes)


def folded(state: State) -> dict[str, Convolution]:
    """Name → convolution with its batch norm folded in: "conv1", "layer1.0.conv2", …; not the last layer."""
    convolutions = {"conv1": residual.folded(state, "conv1", "bn1")}
    for block in bottlenecks():
        for number in (1, 2, 3):
            name = f"{block.scope}.conv{number}"
            groups = CARDINALITY if number == 2 else 1
            convolutions[name] = residual.folded(state, name, f"{block.scope}.bn{number}", groups)
        if block.shortcut:
            name = f"{block.scope}.downsample.0"
            convolutions[name] = residual.folded(state, name, f"{block.scope}.downsample.1")
    return convolutions


def parameters(classes: int) -> int:
    """Trainable parameters; the running statistics of batch norm are not counted."""
    return residual.parameters(tensor_shapes(classes))


def macs(streams: Mapping[str, Triple], classes: int) -> int:
    """Multiply–accumulates of one view; taps on padding are counted.

    - `streams`: "rgb" → (T, H, W) of its input.
    - `classes`: number of classes.
    """
    total, size = residual.stem_macs(streams)
    for block in bottlenecks():
        cells_in = math.prod(size)
        size = [residual.halved(cells) if block.stride == 2 else cells for cells in size]
        cells_out = math.prod(size)
        total += cells_in * block.inputs * block.width
        total += cells_out * 27 * block.width * (block.width // CARDINALITY)
        total += cells_out * block.width * block.outputs
        if block.shortcut:
            total += cells_out * block.inputs * block.outputs
    return total + FEATURES * classes


def random_gains() -> dict[str, float]:
    """Factors on random tensors that keep activations in a normal range.

    The first convolution takes pixels of about ±64. Undamped, 33 random residual branches amplify a
    rounding of the input 55 times; with their last batch norm scaled by 0.15, 3 times.
    """
    damped = {f"{block.scope}.bn3.weight": 0.15 for block in bottlenecks()}
    return {"conv1.weight": 1 / 64, **damped}


_DEMO = DemoWeights(
    "resnext",
    "resnext-101-kinetics.pth",
    "actionbench.models.resnext.demo_network:random_network",
    hara_views(16),
)
"""Those of 16 frames serve for 64 frames too."""


def _model(name: str, title: str, frames: int) -> Model:
    return Model(
        name=name,
        title=title,
        streams={"rgb": description(f"hara-resnext-101-{frames}f")},
        backends={
            "torch": "actionbench.models.resnext.torch_modules:load",
            "onnx": "actionbench.models.backends.onnx_network:load",
            "openvino": "actionbench.models.backends.openvino_network:load",
        },
        paper=residual.PAPER,
        macs=macs,
        # In int8 its grouped convolutions are slower than in bfloat16.
        precisions={"openvino": ("fp32", "bf16")},
        parameters=lambda _stream, classes: parameters(classes),
        onnx="actionbench.models.resnext.onnx_graph:stream_graph",
        demo={"rgb": _DEMO},
        trainable="actionbench.models.resnext.torch_modules:network",
    )


def resnext() -> Model:
    """Views of 16 frames."""
    return _model("resnext", "3D-ResNeXt-101, 16 frames", 16)


def resnext_64f() -> Model:
    """Views of 64 frames; the same architecture with weights of its own."""
    return _model("resnext-64f", "3D-ResNeXt-101, 64 frames", 64)
