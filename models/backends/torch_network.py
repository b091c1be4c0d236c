"""torch modules, one for each stream, as a `Network`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch

from ...errors import BackendUnavailable
from ..inputs import check_inputs, gpu_index
from ..spec import FloatArray, InputArray, LoadOptions, Model, Weights
from ..transforms import pixel_scaling
from .torch_variants import Compiled, Graphed

_WORDS = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


class TorchNetwork:
    """Adds the logits of `modules`: stream → module from (N, C, T, H, W) to (N, classes).

    - `model`: the network.
    - `modules`: in the type that they compute in; their input is cast to that of their first parameter.
    - `options`: device, threads and variant.
    - `parameters`: number of trainable parameters; None: counted in the modules, which is wrong if their
      batch norms are folded.
    - `weights`: stream → its weights. If given, RGB streams may be uint8 pixels, which are normalised here.

    Sets torch's number of threads and its use of TF32 for the whole process. Raises BackendUnavailable if
    there is no such device.
    """

    def __init__(
        self,
        model: Model,
        modules: Mapping[str, torch.nn.Module],
        options: LoadOptions,
        parameters: int | None = None,
        weights: Mapping[str, Weights] | None = None,
    ) -> None:
        torch.set_num_threads(options.threads)
        self._tf32 = options.tf32 or options.precision == "tf32"
        torch.backends.cudnn.allow_tf32 = self._tf32
        torch.backends.cuda.matmul.allow_tf32 = self._tf32
        self._model = model
        self._options = options
        self._device = _device(options.device)
        # On a GPU all threads share the clock, and would wait for each other anyway.
        self.concurrent = self._device.type == "cpu"
        self._clock: tuple[torch.cuda.Event, torch.cuda.Event] | None = None
        if self._device.type == "cuda":
            self._clock = (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
        self._clocked = False
        self._parameters = parameters
        if parameters is None:
            self._parameters = sum(trainable_parameters(module) for module in modules.values())
        self._modules = {stream: module.eval().to(self._device) for stream, module in modules.items()}
        self._types = {stream: _dtype(module) for stream, module in self._modules.items()}
        self._scaling = {
            stream: self._pixel_scaling(each)
            for stream, each in (weights or {}).items()
            if each.description.preprocessing.modality == "rgb"
        }
        self.uint8_streams = frozenset(self._scaling)
        self._logits: Callable[[dict[str, torch.Tensor]], torch.Tensor] = self._sum
        if options.variant == "compiled":
            self._logits = Compiled(self._sum)
        elif options.variant == "graphs":
            self._logits = Graphed(self._sum)

    def _pixel_scaling(self, weights: Weights) -> tuple[torch.Tensor, torch.Tensor]:
        factor, offset = (
            torch.from_numpy(each).reshape(1, -1, 1, 1, 1).to(self._device)
            for each in pixel_scaling(weights.description.preprocessing)
        )
        return factor, offset

    @property
    def device(self) -> torch.device:
        """The network's device; `upload` does not copy float32 tensors that are there already."""
        return self._device

    def _on_device(self) -> AbstractContextManager[object]:
        """A context in which the device is the current one of this thread."""
        return nullcontext() if self._clock is None else torch.cuda.device(self._device)

    @torch.inference_mode()
    def upload(self, inputs: Mapping[str, InputArray]) -> dict[str, torch.Tensor]:
        """See `Network.upload`; the tensors are (N, C, T, H, W)."""
        check_inputs(self._model, inputs, self.uint8_streams)
        with self._on_device():
            return {stream: self._upload(array) for stream, array in inputs.items()}

    def _upload(self, array: InputArray | torch.Tensor) -> torch.Tensor:
        tensor = array if isinstance(array, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(array))
        if self._clock is not None and tensor.device.type == "cpu":
            # From pinned memory the device copies by itself; from other memory the driver copies twice.
            tensor = tensor.pin_memory().to(self._device, non_blocking=True)
        tensor = tensor.permute(0, 4, 1, 2, 3)
        return tensor if self._channels_last else tensor.contiguous()

    @property
    def _channels_last(self) -> bool:
        """Whether the input stays in memory as it comes.

        On the CPU that takes no copy, and float32 is 5 to 10 % faster with it in both networks (torch 2.13,
        one thread with AVX-512, convolutions as torch chose them). On CUDA the tensor cores want it.
        """
        if self._options.variant == "plain":
            return False
        return self._clock is None or self._options.precision != "fp32"

    @torch.inference_mode()
    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """See `Network.forward`."""
        if self._clock is None:
            return self._logits(inputs)
        with self._on_device():
            self._clock[0].record()
            logits = self._logits(inputs)
            self._clock[1].record()
        self._clocked = True
        return logits

    def _sum(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits (N, classes) float32 of all streams."""
        logits = []
        for stream, tensor in inputs.items():
            if tensor.dtype == torch.uint8:
                factor, offset = self._scaling[stream]
                tensor = tensor.float().mul_(factor).add_(offset)
            logits.append(self._modules[stream](tensor.to(self._types[stream])).float())
        return torch.stack(logits).sum(0)

    def download(self, logits: torch.Tensor) -> FloatArray:
        """See `Network.download`."""
        return logits.cpu().numpy()

    def synchronize(self) -> None:
        """See `Network.synchronize`."""
        if self._device.type == "cuda":
            # All is on this stream. The whole device must not be waited for while another thread records.
            torch.cuda.current_stream(self._device).synchronize()

    def describe(self) -> dict[str, Any]:
        """See `Network.describe`; `parameters` are the trainable ones."""
        types = {_WORDS.get(dtype, str(dtype)) for dtype in self._types.values()}
        if self._tf32 and self._clock is not None:
            types = {"TF32" if name == "float32" else name for name in types}
        facts = {
            "backend": f"torch {torch.__version__}",
            "device": "CPU",
            "precision": ", ".join(sorted(types)),
            "threads": torch.get_num_threads(),
            "parameters": self._parameters,
        }
        if isinstance(self._logits, Compiled | Graphed):
            facts["compile_s"] = self._logits.seconds
        if self._clock is None:
            return facts
        facts |= {
            "device": torch.cuda.get_device_name(self._device),
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "peak_device_bytes": torch.cuda.max_memory_allocated(self._device),
        }
        if self._clocked:
            start, end = self._clock
            end.synchronize()
            facts["device_forward_s"] = start.elapsed_time(end) / 1000
        return facts


def _dtype(module: torch.nn.Module) -> torch.dtype:
    """The type that a module takes its input in: that of its first parameter."""
    return next((p.dtype for p in module.parameters()), torch.float32)


def trainable_parameters(module: torch.nn.Module) -> int:
    """Number of values in the parameters that training would change."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _device(name: str) -> torch.device:
    index = gpu_index(name)
    if index is None:
        return torch.device("cpu")
    found = torch.cuda.device_count()
    if index >= found:
        raise BackendUnavailable(
            "torch finds no such device",
            where=name,
            found=f"{found} CUDA devices, torch {torch.__version__}",
            remedy="A CPU build of torch has none; `bench doctor` shows what is installed.",
        )
    return torch.device("cuda", index)
