"""3D-ResNeXt-101 as an ONNX graph. Its batch norms are folded into the convolutions."""

from __future__ import annotations

from onnx import TensorProto

from ..backends.onnx_graphs import INPUT, Graph
from ..spec import Weights
from ..state import State
from ..transforms import Triple, with_input_channels, with_wider_groups
from . import architecture as resnext
from .tensors import network_state


def stream_graph(weights: Weights, wide: bool = False) -> bytes:
    """The network with `weights` (`Model.onnx`). Raises WeightsError.

    - `wide`: the first convolution has four input channels, and no group has fewer than 16.
    """
    return network_graph(network_state(weights), wide)


def network_graph(state: State, wide: bool = False) -> bytes:
    """3D-ResNeXt-101 with the tensors of `state` (`resnext.tensor_shapes`); `wide`: see `stream_graph`."""
    # Taken out as they are used, and the state let go: weights are held twice at most, and not four times.
    convolutions = resnext.folded(state)
    head = state["fc.weight"], state["fc.bias"]
    del state
    graph = Graph(TensorProto.FLOAT, convolutions["conv1"].weight.shape[1])

    def convolution(x: str, name: str, stride: Triple = (1, 1, 1)) -> str:
        folded = convolutions.pop(name)
        sides = [taps // 2 for taps in folded.kernel]
        wider = with_wider_groups(folded) if wide else folded
        return graph.convolution(x, wider, strides=stride, pads=sides * 2)

    x = graph.channels_first(INPUT)
    if wide:
        x = graph.with_channels(x, 1)
        convolutions["conv1"] = with_input_channels(convolutions["conv1"], 4)
    x = graph.add("Relu", convolution(x, "conv1", (1, 2, 2)))
    x = graph.add("MaxPool", x, kernel_shape=(3, 3, 3), strides=(2, 2, 2), pads=(1,) * 6)
    for block in resnext.bottlenecks():
        stride = (block.stride,) * 3
        y = graph.add("Relu", convolution(x, f"{block.scope}.conv1"))
        y = graph.add("Relu", convolution(y, f"{block.scope}.conv2", stride))
        y = convolution(y, f"{block.scope}.conv3")
        if block.shortcut:
            x = convolution(x, f"{block.scope}.downsample.0", stride)
        x = graph.add("Relu", graph.add("Add", y, x))
    return graph.with_logits(x, *head)
