"""ONNX graphs, one a stream, as a `Network` that ONNX Runtime computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime

from ...errors import BackendUnavailable
from ..inputs import check_inputs, gpu_index
from ..spec import FloatArray, InputArray, LoadOptions, Model, Network, Weights
from .onnx_graphs import INPUT, OUTPUT, parameters, stream_graph, stream_pixels


class OnnxNetwork:
    """Adds the logits of the graphs that `model` declares for the streams in `weights`.

    Raises BackendUnavailable if the device is not there, and as `stream_graph` does.
    """

    def __init__(self, model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> None:
        onnxruntime.disable_telemetry_events()
        self._model = model
        self._options = options
        self._gpu = gpu_index(options.device)
        self._tf32 = options.tf32 or options.precision == "tf32"
        self._parameters = parameters(model, weights)
        self._networks = {
            stream: self._session(stream_graph(model, each)) for stream, each in weights.items()
        }
        self._pixels = {
            stream: self._session(pixels)
            for stream, each in weights.items()
            if (pixels := stream_pixels(each)) is not None
        }
        self.uint8_streams = frozenset(self._pixels)
        self.concurrent = self._gpu is None

    def upload(self, inputs: Mapping[str, InputArray]) -> dict[str, onnxruntime.OrtValue]:
        """See `Network.upload`."""
        check_inputs(self._model, inputs, self.uint8_streams)
        return {
            stream: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), *self._place)
            for stream, array in inputs.items()
        }

    def forward(self, inputs: Mapping[str, onnxruntime.OrtValue]) -> list[onnxruntime.OrtValue]:
        """See `Network.forward`; the logits of each stream, still apart."""
        return [self._stream(stream, value) for stream, value in inputs.items()]

    def _stream(self, stream: str, value: onnxruntime.OrtValue) -> onnxruntime.OrtValue:
        if value.data_type() == "tensor(uint8)":
            value = self._run(self._pixels[stream], value)
        return self._run(self._networks[stream], value)

    def _run(
        self, session: onnxruntime.InferenceSession, value: onnxruntime.OrtValue
    ) -> onnxruntime.OrtValue:
        binding = session.io_binding()
        binding.bind_ortvalue_input(INPUT, value)
        binding.bind_output(OUTPUT, *self._place)
        session.run_with_iobinding(binding)
        (output,) = binding.get_outputs()
        return output

    def download(self, logits: list[onnxruntime.OrtValue]) -> FloatArray:
        """See `Network.download`."""
        summed: FloatArray = np.sum([each.numpy() for each in logits], axis=0)
        return summed

    def synchronize(self) -> None:
        """See `Network.synchronize`: a session has computed when its `run` returns."""

    def describe(self) -> dict[str, Any]:
        """See `Network.describe`."""
        facts = {
            "backend": f"onnxruntime {onnxruntime.__version__}",
            "device": "CPU",
            "precision": "float32",
            "threads": self._options.threads,
            "parameters": self._parameters,
        }
        if self._gpu is None:
            return facts
        return facts | {
            "device": self._options.device,
            "precision": "TF32" if self._tf32 else "float32",
        }

    @property
    def _place(self) -> tuple[str, int]:
        """The device of values: name and index, as ONNX Runtime has them."""
        return ("cpu", 0) if self._gpu is None else ("cuda", self._gpu)

    def _session(self, graph: bytes) -> onnxruntime.InferenceSession:
        session = onnxruntime.InferenceSession(
            graph, session_settings(self._options.threads), providers=self._providers()
        )
        if self._gpu is not None and session.get_providers()[0] != _CUDA:
            raise BackendUnavailable(
                "ONNX Runtime cannot use the device and would have computed on the CPU",
                where=self._options.device,
                found=", ".join(session.get_providers()),
                remedy="Its CUDA and cuDNN libraries are missing or of other versions than it wants.",
            )
        return session

    def _providers(self) -> list[Any]:
        if self._gpu is None:
            return ["CPUExecutionProvider"]
        found = onnxruntime.get_available_providers()
        if _CUDA not in found:
            raise BackendUnavailable(
                "this build of ONNX Runtime has no CUDA",
                where=self._options.device,
                found=f"{', '.join(found)}, ONNX Runtime {onnxruntime.__version__}",
                remedy="`pip install onnxruntime-gpu` in place of onnxruntime.",
            )
        return [(_CUDA, {"device_id": self._gpu, "use_tf32": int(self._tf32)}), "CPUExecutionProvider"]


_CUDA = "CUDAExecutionProvider"


def session_settings(threads: int) -> onnxruntime.SessionOptions:
    """How a session computes beside the other work of its process. `threads`: of one call."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    # The branches of a network one after the other: two at a time would take more threads than asked.
    settings.inter_op_num_threads = 1
    # The arena keeps what the largest video took, and gains no time.
    settings.enable_cpu_mem_arena = False
    # Threads that wait for work by spinning would take the cores from decoding and flow.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    return settings


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network with the streams in `weights`. Raises as `OnnxNetwork` does."""
    return OnnxNetwork(model, weights, options)
