"""I3D as TensorFlow functions over constants, its batch norms folded: what a frozen graph amounts to.

The plain variant is the authors' network in Sonnet (`sonnet_modules.py`); `tensorflow_loading.py` loads
either.
There is no XLA: on the CPU it takes convolutions away from oneDNN, and was measured 4.5 times slower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from .. import transforms
from ..spec import LoadOptions, Model, Network, Weights
from ..state import State
from . import architecture as i3d
from .tensors import stream_states

# Before TensorFlow: it sets how much TensorFlow prints when it is imported.
from ..backends.tensorflow_network import TensorFlowNetwork, configure  # isort: skip

import tensorflow as tf

_TYPES = {"fp32": tf.float32, "tf32": tf.float32, "bf16": tf.bfloat16}


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The networks of the streams in `weights`, ready to compute. Raises WeightsError, BackendUnavailable."""
    configure(options)
    functions = {}
    parameters = 0
    for stream, state in stream_states(weights).items():
        channels = state["Conv3d_1a_7x7/conv_3d/w"].shape[3]
        function = from_state(state, _TYPES[options.precision])
        # One trace for every shape: a new length of video costs no tracing.
        shape = tf.TensorSpec((None, None, None, None, channels))
        functions[stream] = tf.function(function, input_signature=[shape])
        parameters += i3d.parameters(channels, len(state[f"{i3d.HEAD}/conv_3d/b"]))
    return TensorFlowNetwork(model, functions, options, parameters)


def from_state(state: State, dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
    """One stream with the tensors of `state` (`i3d.tensor_shapes`), its convolutions in `dtype`.

    From (N, T, H, W, C) float32 to logits (N, classes) float32.
    """
    convolutions = i3d.folded(state)
    channels = convolutions["Conv3d_1a_7x7"].weight.shape[1]
    # bfloat16 is slow with fewer input channels than four.
    missing = 4 - channels if dtype == tf.bfloat16 else 0
    convolutions["Conv3d_1a_7x7"] = transforms.with_input_channels(
        convolutions["Conv3d_1a_7x7"], channels + missing
    )
    head = convolutions.pop(i3d.HEAD)
    tensors = {
        scope: (tf.constant(each.weight.transpose(2, 3, 4, 1, 0), dtype), tf.constant(each.bias, dtype))
        for scope, each in convolutions.items()
    }
    # The last layer is a matrix times a vector, in float32 whatever the convolutions are.
    last = np.ascontiguousarray(head.weight[:, :, 0, 0, 0].T), head.bias

    def step(x: tf.Tensor, of: i3d.Unit | i3d.MaxPool) -> tf.Tensor:
        if isinstance(of, i3d.MaxPool):
            return tf.nn.max_pool3d(x, of.kernel, of.stride, "SAME")
        weight, bias = tensors[of.scope]
        y = tf.nn.conv3d(x, weight, (1, *of.stride, 1), "SAME")
        return tf.nn.relu(tf.nn.bias_add(y, bias))

    def logits(x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, dtype)
        if missing:
            # Not tf.pad: where the processor has AMX, TensorFlow's optimiser takes it for padding of the
            # video and folds it into the convolution, whose channels are then too few.
            x = tf.concat([x, tf.zeros_like(x[..., :missing])], axis=4)
        for layer in i3d.layers(channels):
            if isinstance(layer, i3d.Mixed):
                x = tf.concat([reduce(step, branch, x) for branch in layer.branches], axis=4)
            else:
                x = step(x, layer)
        x = tf.nn.avg_pool3d(tf.cast(x, tf.float32), i3d.FINAL_POOL, 1, "VALID")
        return tf.reduce_mean(x, axis=(1, 2, 3)) @ last[0] + last[1]

    return logits
