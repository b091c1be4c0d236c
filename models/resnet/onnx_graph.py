"""3D ResNet-18 as an ONNX graph. Its batch norms are folded into the convolutions."""

from __future__ import annotations

from onnx import TensorProto

from ..backends.onnx_graphs import INPUT, Graph
from ..spec import Weights
from ..state import State
from ..transforms import Triple
from . import architecture as resnet
from .tensors import network_state


def stream_graph(weights: Weights, wide: bool = False) -> bytes:  # noqa: ARG001  its groups are wide as they are
    """The network with `weights` (`Model.onnx`). Raises WeightsError."""
    return network_graph(network_state(weights))


def network_graph(state: State) -> bytes:
    """3D ResNet-18 with the tensors of `state` (`resnet.tensor_shapes`)."""
    convolutions = resnet.folded(state)
    graph = Graph(TensorProto.FLOAT, 3)

    def convolution(x: str, name: str, stride: Triple) -> str:
        sides = [taps // 2 for taps in convolutions[name].kernel]
        return graph.convolution(x, convolutions[name], strides=stride, pads=sides * 2)

    x = graph.add("Relu", convolution(graph.channels_first(INPUT), "conv1", (1, 2, 2)))
    x = graph.add("MaxPool", x, kernel_shape=(3, 3, 3), strides=(2, 2, 2), pads=(1,) * 6)
    for block in resnet.blocks():
        y = graph.add("Relu", convolution(x, f"{block.scope}.conv1", (block.stride,) * 3))
        y = convolution(y, f"{block.scope}.conv2", (1, 1, 1))
        if block.stride > 1:
            ends, axes = [2**31 - 1] * 3, [2, 3, 4]
            cut = [graph.tensor(values) for values in ([0, 0, 0], ends, axes, [block.stride] * 3)]
            x = graph.add("Slice", x, *cut)
        if block.outputs > block.inputs:
            x = graph.add("Pad", x, graph.tensor([0] * 6 + [block.outputs - block.inputs] + [0] * 3))
        x = graph.add("Relu", graph.add("Add", y, x))
    return graph.with_logits(x, state["fc.weight"], state["fc.bias"])
