"""Loads I3D in TensorFlow: what TensorFlow reads from the environment is there before it is imported."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

from ..spec import LoadOptions, Model, Network, Weights


def load_i3d(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """I3D with the streams in `weights`. Raises WeightsError, BackendUnavailable.

    On x86 processors the tuned form computes with oneDNN, unless the environment has it otherwise. TensorFlow
    by itself does so with AVX-512 VNNI or newer only, and the plain form leaves that to it. In a process that
    has TensorFlow already nothing changes: `describe()` tells what is computed with.
    """
    if options.form == "plain":
        from . import sonnet_modules as i3d_sonnet

        return i3d_sonnet.load(model, weights, options)
    if options.device == "cpu" and platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    from . import tensorflow_graph as i3d_tensorflow

    return i3d_tensorflow.load(model, weights, options)
