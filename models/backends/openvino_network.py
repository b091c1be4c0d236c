"""ONNX graphs, one a stream, as a `Network` that OpenVINO compiles for the CPU, once for each input shape."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BackendUnavailable, WeightsError
from ...parsing import parse_json
from ...typed_values import typed
from ..inputs import check_inputs, gpu_index
from ..spec import FloatArray, InputArray, LoadOptions, Model, Network, Weights
from .onnx_graphs import parameters, stream_graph, stream_pixels

# Before OpenVINO.
from . import no_telemetry  # noqa: F401  # isort: skip

import openvino

_KEPT = 4
"""Compiled networks that are kept of a stream. Each holds its weights once more."""

_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
"""Precision → OpenVINO's inference precision hint; an int8 network has int8 layers itself."""

_NAMES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16", "i8": "int8", "u8": "int8"}
"""OpenVINO's name of the precision of a layer → ours."""

_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}
"""Precision → what most layers must compute in."""

_LAYERS = ("Convolution", "FullyConnected")
"""OpenVINO's names of layers with weights: a transformer has one convolution, and products of matrices."""


class OpenVinoNetwork:
    """Adds the logits of the graphs that `model` declares for the streams in `weights`.

    In int8 the networks are those of `options.quantised`. Raises BackendUnavailable if OpenVINO does not
    compute so here, WeightsError if a stream was not quantised, and as `stream_graph` does.
    """

    def __init__(self, model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> None:
        core = _core(options)
        self._model = model
        self._options = options
        self._files = _quantised(model, weights, options) if options.precision == "int8" else {}
        self._parameters = parameters(model, weights)
        self._streams: dict[str, _Stream] = {}
        for stream, each in weights.items():
            network = self._files.get(stream) or stream_graph(model, each, options.precision == "bf16")
            self._streams[stream] = _Stream(core, network, stream_pixels(each), options)
        self.concurrent = True
        self.uint8_streams = frozenset(stream for stream, each in self._streams.items() if each.takes_pixels)

    def upload(self, inputs: Mapping[str, InputArray]) -> dict[str, openvino.Tensor]:
        """See `Network.upload`; a contiguous array is not copied."""
        check_inputs(self._model, inputs, self.uint8_streams)
        return {
            stream: openvino.Tensor(np.ascontiguousarray(array), shared_memory=True)
            for stream, array in inputs.items()
        }

    def forward(self, inputs: Mapping[str, openvino.Tensor]) -> FloatArray:
        """See `Network.forward`. For a shape that was not there lately, the network is compiled first."""
        logits: FloatArray = np.sum([self._streams[name](tensor) for name, tensor in inputs.items()], axis=0)
        return logits

    def download(self, logits: FloatArray) -> FloatArray:
        """See `Network.download`."""
        return logits

    def synchronize(self) -> None:
        """See `Network.synchronize`: `forward` returns when it has computed."""

    def describe(self) -> dict[str, Any]:
        """See `Network.describe`; precision and threads are those of what was compiled, as soon as it is."""
        compiled = [stream.compiled for stream in self._streams.values() if stream.compiled is not None]
        at_once = self._options.at_once
        threads = {network.get_property("INFERENCE_NUM_THREADS") for network in compiled}
        facts = {
            "backend": f"openvino {openvino.__version__.partition('-')[0]}",
            "device": "CPU",
            "precision": _in_words(sum(map(_precisions, compiled), Counter()), self._options.precision)
            if compiled
            else _PRECISIONS[self._options.precision],
            "threads": max(threads, default=self._options.threads * at_once) // at_once,
            "parameters": self._parameters,
            "compile_s": sum(stream.compile_s for stream in self._streams.values()),
        }
        return facts | (
            {"quantised": "; ".join(map(_how_quantised, self._files.values()))} if self._files else {}
        )


class _PerThread:
    """A compiled network with a request for each thread: a request computes one input at a time."""

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        self._compiled = compiled
        self._own = threading.local()

    def request(self) -> openvino.InferRequest:
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        return self._own.request


class _Stream:
    """From a tensor (N, T, H, W, C), float32 or uint8, to logits (N, classes).

    - `network`: from float32 to logits, as bytes of ONNX or in a file.
    - `pixels`: from uint8 to what `network` takes, as bytes of ONNX; None where its input is no picture.
    - `compiled`: the network that was compiled last.
    - `compile_s`: seconds that it took, and all before it.
    """

    def __init__(
        self, core: openvino.Core, network: bytes | Path, pixels: bytes | None, options: LoadOptions
    ) -> None:
        self._core = core
        self._options = options
        self._network = core.read_model(network)
        self._pixels = None if pixels is None else core.read_model(pixels)
        self._compiled: OrderedDict[tuple[Any, ...], _PerThread] = OrderedDict()
        self._lock = threading.Lock()
        self.compiled: openvino.CompiledModel | None = None
        self.compile_s = 0.0

    @property
    def takes_pixels(self) -> bool:
        return self._pixels is not None

    def __call__(self, tensor: openvino.Tensor) -> FloatArray:
        request = self._request(tensor)
        request.infer({0: tensor})
        logits: FloatArray = request.get_output_tensor().data.copy()
        return logits

    def _request(self, tensor: openvino.Tensor) -> openvino.InferRequest:
        """The calling thread's own, for a tensor of this shape."""
        key = (tensor.element_type.get_type_name(), *tensor.shape)
        with self._lock:
            if key not in self._compiled:
                while len(self._compiled) >= _KEPT:
                    self._compiled.popitem(last=False)
                self.compiled = self._compile(tensor)
                self._compiled[key] = _PerThread(self.compiled)
            self._compiled.move_to_end(key)
            return self._compiled[key].request()

    def _compile(self, tensor: openvino.Tensor) -> openvino.CompiledModel:
        begin = time.perf_counter()
        network = self._network.clone()
        if tensor.element_type == openvino.Type.u8:
            assert self._pixels is not None, "`check_inputs` lets no pixels through for this stream"
            network = joined(self._pixels.clone(), network)
        network.reshape(tuple(tensor.shape))
        compiled = self._core.compile_model(
            network,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": _HINTS[self._options.precision],
                "INFERENCE_NUM_THREADS": self._options.threads * self._options.at_once,
                "NUM_STREAMS": self._options.at_once,
                # The harness decides on cores: several networks may be loaded at once.
                "ENABLE_CPU_PINNING": False,
            },
        )
        self.compile_s += time.perf_counter() - begin
        layers = _precisions(compiled)
        # A network without such layers shows nothing of its precision.
        if layers and layers.most_common(1)[0][0] != _PRECISIONS[self._options.precision]:
            raise BackendUnavailable(
                f"OpenVINO does not compute in {self._options.precision} here",
                where=f"openvino:{self._options.precision}",
                found=_in_words(layers, self._options.precision),
            )
        return compiled


def joined(first: openvino.Model, second: openvino.Model) -> openvino.Model:
    """`second` with the output of `first` for its input."""
    (result,) = first.get_results()
    (parameter,) = second.get_parameters()
    parameter.output(0).replace(result.input_value(0))
    return openvino.Model(second.get_results(), first.get_parameters(), second.get_friendly_name())


def _core(options: LoadOptions) -> openvino.Core:
    """OpenVINO. Raises BackendUnavailable if it does not compute on this device or in this precision."""
    if gpu_index(options.device) is not None:
        raise BackendUnavailable(
            "the OpenVINO backend computes on the CPU only", where=options.device, remedy="--device cpu."
        )
    core = openvino.Core()
    # Where the CPU cannot, OpenVINO computes in float32 without a warning.
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if options.precision == "bf16" and "BF16" not in able:
        raise BackendUnavailable(
            "OpenVINO does not compute in bfloat16 on this CPU",
            where="openvino:bf16",
            expected="a CPU with AVX-512 or AMX",
            found=f"{core.get_property('CPU', 'FULL_DEVICE_NAME')} ({', '.join(able)})",
            remedy="Use openvino:fp32.",
        )
    return core


@dataclass(frozen=True, slots=True)
class _Quantisation:
    """What `quantisation.quantise` writes beside a network. `quantised`: how it was, in words."""

    quantised: str


def _how_quantised(network: Path) -> str:
    path = network.with_suffix(".json")
    try:
        return typed(_Quantisation, parse_json(path.read_text(encoding="utf-8"))).quantised
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"does not tell how the network was quantised: {error}",
            where=path,
            remedy=f"Remove {network}: the next run makes both again.",
        ) from error


def _in_words(layers: Counter[str], asked: str) -> str:
    """ "bfloat16", or "bfloat16 (57 of 58 layers, the others float32)"; `asked`: the precision."""
    if not layers:
        return f"{_PRECISIONS[asked]} (as asked for; it has no layer that would show it)"
    (most, number), *others = layers.most_common()
    if not others:
        return most
    rest = ", ".join(name for name, _ in others)
    return f"{most} ({number} of {layers.total()} layers, the others {rest})"


def _precisions(compiled: openvino.CompiledModel) -> Counter[str]:
    """Number of layers with weights by the precision that they are really computed in."""
    layers = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ops()]
    return Counter(
        _NAMES.get(name := layer["runtimePrecision"].astype(str), name)
        for layer in layers
        if layer["layerType"].astype(str) in _LAYERS
    )


def _quantised(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> dict[str, Path]:
    """Stream → the file of its network in int8."""
    missing = [stream for stream in weights if stream not in options.quantised]
    if missing:
        raise WeightsError(
            "was not quantised",
            where=f"{model.name}, {', '.join(missing)}",
            remedy="`bench run`, `bench parity` and `bench predict` do so before they start.",
        )
    return {stream: options.quantised[stream] for stream in weights}


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network with the streams in `weights`. Raises as `OpenVinoNetwork` does."""
    return OpenVinoNetwork(model, weights, options)
