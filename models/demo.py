"""Demo weights: a seeded random network whose last layer is fitted to the demo clips.

With them everything can be run that real weights are needed for, without a download. Their accuracy says
nothing about real video.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from .spec import FloatArray

NEVER = -20.0
"""Logit of a class without examples. The logits of the others have a mean of 0, so their best is ≥ 0."""

_CALIBRATION_CLIPS = 4  # clips that the batch-norm statistics are taken from
_CALIBRATION_FRAMES = 16  # frames of each
_FIT_STEPS = 500
_WEIGHT_DECAY = 1e-2  # of the fitted layer, for features of variance 1


@dataclass(frozen=True, slots=True)
class RandomNetwork:
    """A network in torch with random weights, to be fitted; returned by `DemoWeights.network`.

    - `net`: from (N, C, T, H, W) float32 to logits (N, classes), in evaluation mode.
    - `features`: from the same input to what `head` takes, (N, features) float32.
    - `head`: its last layer, a part of `net`.
    - `save`: writes the current tensors of `net` to a file that the network's loaders read.
    """

    net: nn.Module
    features: Callable[[torch.Tensor], torch.Tensor]
    head: nn.Linear
    save: Callable[[Path], None]


def fit(network: RandomNetwork, inputs: Sequence[FloatArray], targets: Sequence[int], seed: int = 0) -> None:
    """Train `network` on the classes of `inputs`: calibrate its batch norms and fit its last layer.

    - `network`: is changed in place.
    - `inputs`: preprocessed views, each (T, H, W, C) float32; lengths may differ.
    - `targets`: index of each view's class.
    - `seed`: of the choice of views for the calibration.

    The same arguments give the same tensors, up to the rounding of the machine's convolutions.
    """
    calibrate(network.net, inputs, seed)
    with torch.inference_mode():
        features = np.concatenate([network.features(_batch([view])).numpy() for view in inputs])
    head = network.head
    weight, bias = fit_head(features, np.asarray(targets), head.out_features)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))


@torch.no_grad()
def calibrate(net: nn.Module, inputs: Sequence[FloatArray], seed: int = 0) -> None:
    """Set the running statistics of each batch norm to those of its input when the network computes `inputs`.

    - `net`: is changed in place.
    - `inputs`: preprocessed views, each (T, H, W, C) float32. A few are used, cut to their first frames.
    - `seed`: of the choice of views.

    A random network then keeps its activations in a normal range on such video.
    """
    frames = min(_CALIBRATION_FRAMES, *(len(view) for view in inputs))
    hooks = [
        module.register_forward_pre_hook(_take_statistics)
        for module in net.modules()
        if isinstance(module, nn.BatchNorm3d)
    ]
    # Spread over the views, which come class by class.
    chosen = np.random.default_rng(seed).permutation(len(inputs))[:_CALIBRATION_CLIPS]
    net(_batch([inputs[index][:frames] for index in chosen]))
    for hook in hooks:
        hook.remove()


def _take_statistics(norm: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
    assert isinstance(norm, nn.BatchNorm3d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    variance, mean = torch.var_mean(arguments[0], (0, 2, 3, 4), correction=0)
    norm.running_mean.copy_(mean)
    # A channel that is dead on these views would amplify whatever reaches it on others.
    norm.running_var.copy_(variance + 1e-3 * variance.mean())


def _batch(views: Sequence[FloatArray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(views)).permute(0, 4, 1, 2, 3)


def fit_head(
    features: FloatArray, targets: npt.NDArray[np.integer], classes: int
) -> tuple[FloatArray, FloatArray]:
    """Weight (classes, C) and bias (classes,), float32, of a multinomial logistic regression.

    - `features`: (N, C) float32.
    - `targets`: (N,) class indices, 0 ≤ index < `classes`.
    - `classes`: number of classes; those without examples get the bias `NEVER`.

    With an L2 penalty on the weights, by accelerated gradient descent from zero (Nesterov 1983): the result
    is deterministic.
    """
    x = features.astype(np.float64)
    mean = x.mean(0)
    std = x.std(0)
    std = np.where(std > 1e-6 * max(std.max(), 1e-12), std, 1.0)
    x = np.concatenate([(x - mean) / std / np.sqrt(x.shape[1]), np.ones((len(x), 1))], 1)
    known = np.unique(targets)
    one_hot = (targets[:, None] == known).astype(np.float64)
    # The Hessian of the loss is at most half the second moment of the inputs.
    rate = 1 / (0.5 * np.linalg.norm(x, 2) ** 2 / len(x) + _WEIGHT_DECAY)
    fitted = previous = np.zeros((len(known), x.shape[1]))
    for step in range(_FIT_STEPS):
        ahead = fitted + step / (step + 3) * (fitted - previous)
        logits = x @ ahead.T
        probabilities = np.exp(logits - logits.max(1, keepdims=True))
        probabilities /= probabilities.sum(1, keepdims=True)
        gradient = (probabilities - one_hot).T @ x / len(x) + _WEIGHT_DECAY * ahead
        fitted, previous = ahead - rate * gradient, fitted
    weight = np.zeros((classes, features.shape[1]))
    bias = np.full(classes, NEVER)
    weight[known] = fitted[:, :-1] / std / np.sqrt(features.shape[1])
    bias[known] = fitted[:, -1] - weight[known] @ mean
    return weight.astype(np.float32), bias.astype(np.float32)
