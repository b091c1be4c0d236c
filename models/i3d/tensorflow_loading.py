"""Loads I3D in TensorFlow: sets the environment variables that TensorFlow reads when it is imported."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

from ..spec import LoadOptions, Model, Network, Weights


def load_i3d(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """I3D with the streams in `weights`. Raises WeightsError, BackendUnavailable.

    On x86 processors the tuned variant computes with oneDNN, unless the variable TF_ENABLE_ONEDNN_OPTS is
    set. TensorFlow by itself does so only with AVX-512 VNNI or newer; the plain variant leaves that choice to
    it. In a process that has imported TensorFlow already this has no effect: `describe()` says whether oneDNN
    is used.
    """
    if options.variant == "plain":
        from . import sonnet_modules

        return sonnet_modules.load(model, weights, options)
    if options.device == "cpu" and platform.machine().lower() in ("x86_64", "amd64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    from . import tensorflow_graph

    return tensorflow_graph.load(model, weights, options)
