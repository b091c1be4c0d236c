"""What a backend provides: a network with its weights, ready to compute on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

InputArray = npt.NDArray[np.float32 | np.uint8]
"""A stream's input: (N, T, H, W, C) float32 as the network wants it, or uint8 pixels (`PixelNetwork`)."""


class Network(Protocol):
    """A network with its weights on a device, ready to compute. What every backend must provide.

    What else a network may declare: `PixelNetwork`, `ConcurrentNetwork`, `TorchDeviceNetwork`.
    """

    def upload(self, inputs: Mapping[str, InputArray]) -> Any:
        """A batch on the device, in whatever type `forward` takes.

        - `inputs`: stream name → (N, T, H, W, C) float32, preprocessed.
        """

    def forward(self, inputs: Any) -> Any:
        """Logits on the device, for what `upload` returned. May return before they are computed."""

    def download(self, logits: Any) -> FloatArray:
        """Logits (N, classes) float32 on the host; waits for them."""

    def synchronize(self) -> None:
        """Return when everything that was started on the device has been computed."""

    def describe(self) -> dict[str, Any]:
        """Facts for the record, as plain values.

        Keys that reports know: "backend" (with version), "device" (its name), "precision" (that is computed
        in: "float32", "TF32", "bfloat16", "float16", "int8"), "threads", "parameters" (trainable),
        "compile_s" (seconds that a compilation took so far), and on a device with a clock and a memory of
        its own "device_forward_s" (of the last forward, by device events) and "peak_device_bytes".
        """


@runtime_checkable
class PixelNetwork(Protocol):
    """A network that normalises pixels itself.

    - `uint8_streams`: RGB streams that it takes as pixels 0–255 too, uint8 and cropped, and normalises as the
      `Preprocessing` of their weights says. Float input is still taken.
    """

    @property
    def uint8_streams(self) -> frozenset[str]:
        """See the class."""
        ...


@runtime_checkable
class ConcurrentNetwork(Protocol):
    """A network that says whether it may compute several inputs at once.

    - `concurrent`: True if several threads may be in its methods at the same time. A network without this
      attribute is called by one thread at a time.
    """

    @property
    def concurrent(self) -> bool:
        """See the class."""
        ...


@runtime_checkable
class TorchDeviceNetwork(Protocol):
    """A network whose `upload` also takes float32 torch tensors that are already on its device.

    - `device`: that torch.device.
    """

    @property
    def device(self) -> Any:
        """See the class."""
        ...


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The device that a network is loaded on, and how it computes there.

    - `device`: "cpu" or "cuda:N".
    - `threads`: CPU threads of one forward call.
    - `tf32`: let CUDA round the operands of float32 products to 10-bit mantissas, as precision "tf32" does.
    - `precision`: a key of `capabilities.PRECISIONS`.
    - `variant`: a key of `capabilities.VARIANTS`.
    - `at_once`: number of forward calls on the CPU that may overlap, each with `threads` threads.
    - `quantised`: stream → the file of its network in int8, where that is the precision.
    """

    device: str = "cpu"
    threads: int = 1
    tf32: bool = False
    precision: str = "fp32"
    variant: str = "tuned"
    at_once: int = 1
    quantised: Mapping[str, Path] = field(default_factory=dict)
