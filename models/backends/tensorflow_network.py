"""TensorFlow functions, one a stream, as a `Network`, and TensorFlow's settings for the process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

# TensorFlow's C++ side reports every library that it looks for; read once, at the import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

# No public function says whether TensorFlow computes with oneDNN (formerly "MKL").
from tensorflow.python.util._pywrap_util_port import IsMklEnabled

from ...errors import BackendUnavailable, UsageError
from ..inputs import check_inputs, gpu_index
from ..spec import FloatArray, InputArray, LoadOptions, Model


class TensorFlowNetwork:
    """Adds the logits of `functions`: stream → function from (N, T, H, W, C) float32 to (N, classes).

    Call `configure` before the functions' variables are made.
    """

    def __init__(
        self,
        model: Model,
        functions: Mapping[str, Callable[[tf.Tensor], tf.Tensor]],
        options: LoadOptions,
        parameters: int | None,
    ) -> None:
        self._model = model
        self._functions = dict(functions)
        self._options = options
        self._parameters = parameters
        self.concurrent = options.device == "cpu" and options.at_once > 1
        self._device = "/CPU:0" if options.device == "cpu" else "/GPU:0"

    def upload(self, inputs: Mapping[str, InputArray]) -> dict[str, tf.Tensor]:
        """See `Network.upload`."""
        check_inputs(self._model, inputs)
        with tf.device(self._device):
            return {stream: tf.identity(tf.constant(array)) for stream, array in inputs.items()}

    def forward(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """See `Network.forward`."""
        with tf.device(self._device):
            return tf.add_n([self._functions[stream](tensor) for stream, tensor in inputs.items()])

    def download(self, logits: tf.Tensor) -> FloatArray:
        """See `Network.download`."""
        array: FloatArray = logits.numpy()
        return array

    def synchronize(self) -> None:
        """See `Network.synchronize`."""
        if self._options.device != "cpu":
            tf.test.experimental.sync_devices()

    def describe(self) -> dict[str, Any]:
        """See `Network.describe`; `parameters` are the trainable ones, None if unknown."""
        facts = {
            "backend": f"tensorflow {tf.__version__}{' with oneDNN' if IsMklEnabled() else ''}",
            "device": "CPU",
            "precision": {"bf16": "bfloat16"}.get(self._options.precision, "float32"),
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "parameters": self._parameters,
        }
        if self._options.device == "cpu":
            return facts
        return facts | {
            "backend": f"tensorflow {tf.__version__}",
            "device": _gpu_name(),
            "precision": "TF32" if _tf32(self._options) else "float32",
            "cudnn": tf.sysconfig.get_build_info().get("cudnn_version"),
            "peak_device_bytes": tf.config.experimental.get_memory_info("GPU:0")["peak"],
        }


def configure(options: LoadOptions) -> None:
    """Set TensorFlow's device, threads and precision, which hold for the whole process.

    - `options`: device, threads and precision.

    Raises BackendUnavailable if there is no such device, UsageError if TensorFlow already computes with other
    settings, which it accepts only once.
    """
    index = gpu_index(options.device)
    gpus = tf.config.list_physical_devices("GPU")
    if index is not None and index >= len(gpus):
        raise BackendUnavailable(
            "TensorFlow finds no such device",
            where=options.device,
            found=f"{len(gpus)} CUDA devices, TensorFlow {tf.__version__}",
            remedy="`pip install tensorflow[and-cuda]` brings the CUDA libraries that TensorFlow wants.",
        )
    chosen = [] if index is None else [gpus[index]]
    try:
        tf.config.set_visible_devices(chosen, "GPU")
        for gpu in chosen:
            tf.config.experimental.set_memory_growth(gpu, True)
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        # The branches of a network one after the other: two at a time would take more threads than asked.
        # With one thread here, forward calls of several threads take turns.
        tf.config.threading.set_inter_op_parallelism_threads(options.at_once)
    except RuntimeError as error:
        raise UsageError(
            "TensorFlow already computes in this process with another device or number of threads",
            expected=f"{options.device}, {options.threads} threads",
            remedy="Use a process for each.",
        ) from error
    tf.config.experimental.enable_tensor_float_32_execution(_tf32(options))


def _tf32(options: LoadOptions) -> bool:
    return options.tf32 or options.precision == "tf32"


def _gpu_name() -> str:
    (gpu,) = tf.config.get_visible_devices("GPU")
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
