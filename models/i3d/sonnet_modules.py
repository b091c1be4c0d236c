"""I3D in Sonnet 2 and TensorFlow: the authors' network, ported to the current version of their library."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from ..spec import LoadOptions, Model, Network, Weights
from ..state import State
from . import architecture as i3d
from .tensors import stream_states

# Before Sonnet and TensorFlow: it sets how much TensorFlow prints when it is imported.
from ..backends.tensorflow_network import TensorFlowNetwork, configure  # isort: skip

import sonnet as snt
import tensorflow as tf


class I3D(snt.Module):  # type: ignore[misc]
    """One stream: (N, T, H, W, C) with T ≥ 9 and H, W ≥ 193 to logits (N, classes).

    Frames larger than 224 give several windows of the average pool in space, which the authors' code does
    not take; the logits are averaged over them as over time.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(name="inception_i3d")
        self.channels = channels
        self._layers = i3d.layers(channels)
        self.units = {unit.scope: Unit(unit) for unit in i3d.units(channels)}
        self.head = snt.Conv3D(classes, 1, name="Conv3d_0c_1x1")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Logits (N, classes)."""
        for layer in self._layers:
            if isinstance(layer, i3d.Mixed):
                x = tf.concat([reduce(self._step, branch, x) for branch in layer.branches], axis=4)
            else:
                x = self._step(x, layer)
        x = tf.nn.avg_pool3d(x, i3d.FINAL_POOL, 1, "VALID")
        return tf.reduce_mean(self.head(x), axis=(1, 2, 3))

    def _step(self, x: tf.Tensor, step: i3d.Unit | i3d.MaxPool) -> tf.Tensor:
        if isinstance(step, i3d.MaxPool):
            return tf.nn.max_pool3d(x, step.kernel, step.stride, "SAME")
        return self.units[step.scope](x)


class Unit(snt.Module):  # type: ignore[misc]
    """See `i3d.Unit`."""

    def __init__(self, unit: i3d.Unit) -> None:
        super().__init__(name=unit.scope.replace("/", "_"))
        self.unit = unit
        self.conv = snt.Conv3D(unit.outputs, unit.kernel, unit.stride, padding="SAME", with_bias=False)
        self.norm = snt.BatchNorm(create_scale=False, create_offset=True, eps=i3d.BATCH_NORM_EPSILON)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """(N, T, H, W, inputs) to (N, ⌈T/s⌉, ⌈H/s⌉, ⌈W/s⌉, outputs)."""
        return tf.nn.relu(self.norm(self.conv(x), is_training=False, test_local_stats=False))


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The networks of the streams in `weights`, ready to compute. Raises WeightsError, BackendUnavailable."""
    configure(options)
    nets = {stream: from_state(state) for stream, state in stream_states(weights).items()}
    # One trace for every shape: a new length of video costs no tracing.
    functions = {
        stream: tf.function(net, input_signature=[tf.TensorSpec((None, None, None, None, net.channels))])
        for stream, net in nets.items()
    }
    parameters = sum(trainable_parameters(net) for net in nets.values())
    return TensorFlowNetwork(model, functions, options, parameters)


def from_state(state: State) -> I3D:
    """One stream with the tensors of `state` (`i3d.tensor_shapes`)."""
    net = I3D(state["Conv3d_1a_7x7/conv_3d/w"].shape[3], len(state[f"{i3d.HEAD}/conv_3d/b"]))
    for scope, module in net.units.items():
        # Sonnet makes a module's variables at its first call; one pixel is enough for that.
        module(tf.zeros((1, 1, 1, 1, module.unit.inputs)))
        norm = f"{scope}/batch_norm"
        module.conv.w.assign(state[f"{scope}/conv_3d/w"])
        for variable, name in (
            (module.norm.offset, "beta"),
            (module.norm.moving_mean.average, "moving_mean"),
            (module.norm.moving_variance.average, "moving_variance"),
        ):
            variable.assign(tf.reshape(state[f"{norm}/{name}"], variable.shape))
    net.head(tf.zeros((1, 1, 1, 1, i3d.FEATURES)))
    net.head.w.assign(state[f"{i3d.HEAD}/conv_3d/w"])
    net.head.b.assign(state[f"{i3d.HEAD}/conv_3d/b"])
    return net


def trainable_parameters(net: I3D) -> int:
    """Number of values in the variables that training would change."""
    return sum(int(variable.shape.num_elements()) for variable in net.trainable_variables)
