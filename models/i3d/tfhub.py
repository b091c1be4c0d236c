"""TensorFlow Hub's I3D (deepmind/i3d-kinetics-400/1 and -600/1: RGB) from a folder on this machine.

Sources differ on the value range of its input: the official notebook feeds it [0, 1], training and other
users have [-1, 1]. The preprocessing of the weights' description decides, and that says [-1, 1].
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

from ...errors import WeightsError
from ..labels import labels
from ..spec import LoadOptions, Model, Network, Weights

# Before TensorFlow and its hub: it sets how much TensorFlow prints when it is imported.
from ..backends.tensorflow_network import TensorFlowNetwork, configure  # isort: skip

import tensorflow as tf

with warnings.catch_warnings():
    # tensorflow-hub 0.16 takes its version comparison from setuptools, which warns that it will go.
    warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
    import tensorflow_hub as hub

_SIGNATURE = "default"


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The module in the folder `weights["rgb"].path`: a SavedModel or a TF1 Hub module.

    Its signature "default" gives logits (N, classes) under the name "default". Raises WeightsError if there
    is no such folder, or another kind of module in it.
    """
    configure(options)
    (stream, each), *others = weights.items()
    if others:
        raise WeightsError("a hub module is one stream", where=model.name, found=", ".join(weights))
    folder = _folder(each)
    module = hub.load(str(folder))
    if _SIGNATURE not in module.signatures:
        raise WeightsError(
            f"has no signature '{_SIGNATURE}'", where=folder, found=", ".join(module.signatures) or "none"
        )
    function = module.signatures[_SIGNATURE]
    _check(function, len(labels(each.description.labels)), folder)

    def logits(x: tf.Tensor) -> tf.Tensor:
        return function(x)[_SIGNATURE]

    # The function holds variables of its module, but not the module, which owns them.
    logits.module = module  # type: ignore[attr-defined]
    return TensorFlowNetwork(model, {stream: logits}, options, _parameters(module))


def _folder(weights: Weights) -> Path:
    if weights.path is None:
        raise WeightsError(
            "a hub module is its own network: there are no random weights for it",
            remedy="`bench weights fetch tfhub-module-i3d-kinetics-400` gets the published one.",
        )
    # `Path` has made one slash of a URL's two; one letter before the colon is a drive.
    if re.match(r"\w{2,}:/", str(weights.path)):
        raise WeightsError(
            "a run downloads nothing",
            where=weights.path,
            expected="the folder of a hub module",
            remedy="`bench weights fetch tfhub-module-i3d-kinetics-400` gets it.",
        )
    if not (weights.path / "saved_model.pb").is_file():
        raise WeightsError(
            "there is no hub module", where=weights.path, expected="a folder with saved_model.pb"
        )
    return weights.path


def _check(function: tf.types.experimental.ConcreteFunction, classes: int, folder: Path) -> None:
    outputs = function.structured_outputs
    if not isinstance(outputs, dict) or _SIGNATURE not in outputs:
        raise WeightsError(f"the signature has no output '{_SIGNATURE}'", where=folder, found=str(outputs))
    found = outputs[_SIGNATURE].shape
    if found.rank != 2 or found[1] not in (None, classes):
        raise WeightsError(
            "logits do not fit the list of labels", where=folder, expected=f"(N, {classes})", found=str(found)
        )


def _parameters(module: tf.Module) -> int | None:
    """Trainable parameters; None for a module of TF1, which marks none."""
    trainable = getattr(module, "trainable_variables", ())
    return sum(int(variable.shape.num_elements()) for variable in trainable) or None
