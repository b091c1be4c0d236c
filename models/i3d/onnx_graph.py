"""I3D as an ONNX graph. Its batch norms are folded into the convolutions."""

from __future__ import annotations

from functools import reduce

from onnx import TensorProto

from ..backends.onnx_graphs import INPUT, Graph
from ..spec import Weights
from ..state import State
from . import architecture as i3d
from .tensors import stream_state


def stream_graph(weights: Weights, wide: bool = False) -> bytes:
    """The stream of `weights` (`Model.onnx`). Raises WeightsError.

    - `wide`: a first convolution of three channels goes over blocks of 2×2×2 cells.
    """
    return network_graph(stream_state(weights.description.stream, weights), wide)


def network_graph(state: State, wide: bool = False) -> bytes:
    """One stream of I3D with the tensors of `state` (`i3d.tensor_shapes`); `wide`: see `stream_graph`.

    The windows of the average pool are averaged before the logits are computed (see `torch_modules.I3D`).
    """
    # Taken out as they are used, and the state let go: weights are held twice at most, and not four times.
    convolutions = i3d.folded(state)
    del state
    channels = convolutions["Conv3d_1a_7x7"].weight.shape[1]
    graph = Graph(TensorProto.FLOAT, channels)

    def step(x: str, layer: i3d.Unit | i3d.MaxPool) -> str:
        # TensorFlow's "SAME" is ONNX's SAME_UPPER: the odd cell goes behind, whatever the size.
        window = {"kernel_shape": layer.kernel, "strides": layer.stride, "auto_pad": "SAME_UPPER"}
        if isinstance(layer, i3d.MaxPool):
            return graph.add("MaxPool", x, **window)
        return graph.add("Relu", graph.convolution(x, convolutions.pop(layer.scope), **window))

    stem, *layers = i3d.layers(channels)
    assert isinstance(stem, i3d.Unit), "I3D begins with a convolution"
    # The two channels of flow have fast kernels as they are.
    if wide and channels > i3d.CHANNELS["flow"]:
        x = graph.add("Relu", graph.over_blocks(convolutions.pop(stem.scope), stem.stride, i3d.same_padding))
    else:
        x = step(graph.channels_first(INPUT), stem)
    for layer in layers:
        if isinstance(layer, i3d.Mixed):
            x = graph.add("Concat", *(reduce(step, branch, x) for branch in layer.branches), axis=1)
        else:
            x = step(x, layer)
    x = graph.add("AveragePool", x, kernel_shape=i3d.FINAL_POOL)
    head = convolutions[i3d.HEAD]
    return graph.with_logits(x, head.weight[..., 0, 0, 0], head.bias)
