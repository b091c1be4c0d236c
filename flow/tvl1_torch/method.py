"""The engine as a flow method, and on whole videos in batches that fit the memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...errors import BackendUnavailable, ClipError, MeasurementError, UsageError
from ..method import FlowField, GreyFrame
from ..schedule import BALANCED, FAITHFUL, FAST, Schedule
from .engine import flow_between, is_fused

logger = logging.getLogger(__name__)

BYTES_PER_PIXEL = 320
"""Of a pair, at the peak of the computation: 290 with a 5×5 median, 190 with 3×3, and room to spare."""


class TorchFlow:
    """A `FlowMethod` that computes on a device of PyTorch, many pairs at a time where it can.

    - `device`: "cpu" or "cuda:N"; None takes CUDA's current device where there is one, else the CPU.
    - `threads`: on the CPU, PyTorch's threads. The number belongs to the whole process
      (`torch.set_num_threads`): making a method sets it, for networks too, and nothing sets it back.
    - `memory`: bytes that a batch may take on the device, beside the result; one pair is always taken.

    Beyond what the protocol asks for it takes float32 frames in 0…1. Raises BackendUnavailable where PyTorch
    finds no such device, UsageError below one thread.
    """

    def __init__(
        self,
        schedule: Schedule,
        device: str | None = None,
        threads: int = 1,
        memory: int = 4 * 10**9,
    ) -> None:
        if threads < 1:
            raise UsageError("a flow method needs at least one thread", found=threads)
        self.name = f"{schedule.name}-torch"
        self.schedule = schedule
        self.memory = memory
        self.device = _device(self.name, schedule, device)
        if self.device.type == "cpu":
            torch.set_num_threads(threads)
            _announce_cpu(self.name, schedule.name)

    def __call__(self, previous: GreyFrame, following: GreyFrame) -> FlowField:
        if previous.ndim != 2 or (previous.shape, previous.dtype) != (following.shape, following.dtype):
            raise ClipError(
                "two frames do not form a pair",
                expected="two grey frames of one size and type, (H, W)",
                found=f"{previous.shape} {previous.dtype} and {following.shape} {following.dtype}",
            )
        flow: FlowField = self.fields(np.stack([previous, following]))[0]
        return flow

    def fields(
        self,
        grey: npt.NDArray[np.uint8],
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """See `BatchFlowMethod.fields`; as `fields_on_device`, in the host's memory."""
        fields: npt.NDArray[np.float32] = self.fields_on_device(grey, cancelled, progress).cpu().numpy()
        return fields

    def fields_on_device(
        self,
        grey: npt.NDArray[np.uint8],
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> torch.Tensor:
        """Flow from each frame to the next: (T, H, W) → (T−1, H, W, 2) float32, left on `device`.

        - `grey`: uint8, or float32 in 0…1.
        - `cancelled`: called before each batch; MeasurementError is raised if it returns True.
        - `progress`: called with (pairs done, pairs in all) after each batch.

        Raises ClipError for fewer than two frames, and for frames of another type or below 16×16.
        """
        if grey.ndim != 3 or len(grey) < 2 or grey.dtype not in (np.uint8, np.float32):
            raise ClipError(
                "optical flow needs at least two grey frames",
                expected="(T, H, W) uint8, or float32 in 0…1, T ≥ 2",
                found=f"{grey.shape} {grey.dtype}",
            )
        frames = torch.from_numpy(np.ascontiguousarray(grey))
        pairs, (height, width) = len(frames) - 1, frames.shape[1:]
        batch = max(1, self.memory // (BYTES_PER_PIXEL * max(1, height * width)))
        fields = torch.empty(pairs, height, width, 2, dtype=torch.float32, device=self.device)
        for begin in range(0, pairs, batch):
            if cancelled is not None and cancelled():
                raise MeasurementError(f"optical flow was cancelled after {begin} of {pairs} pairs of frames")
            end = min(begin + batch, pairs)
            fields[begin:end] = flow_between(frames[begin : end + 1].to(self.device), self.schedule)
            if self.device.type == "cuda":
                # Not the whole device, of which another thread may be recording a graph.
                torch.cuda.current_stream(self.device).synchronize()
            if progress is not None:
                progress(end, pairs)
        return fields

    def warm_up(self) -> None:
        """Compile the kernels that the first pair would otherwise wait for; nothing to do without a GPU."""
        if self.device.type == "cuda":
            still = np.zeros((32, 32), np.uint8)
            self(still, still + np.uint8(1))

    def describe(self) -> dict[str, Any]:
        """Name, device, versions and the schedule's parameters."""
        cuda = self.device.type == "cuda"
        return {
            "name": self.name,
            "algorithm": "TV-L1 of ActionBench in PyTorch",
            "device": torch.cuda.get_device_name(self.device) if cuda else "CPU, slowly: made for CUDA",
            "torch": torch.__version__,
            "triton": _triton_version() if is_fused(self.device) else None,
            "parameters": self.schedule.describe(),
        }


def _device(name: str, schedule: Schedule, wanted: str | None) -> torch.device:
    if wanted is None:
        wanted = f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BackendUnavailable(
            "PyTorch finds no such CUDA device",
            where=f"{name} on {wanted}",
            found=f"{torch.cuda.device_count()} CUDA devices, torch {torch.__version__}",
            remedy="Use this method on a machine with an NVIDIA GPU and its driver, or the one that "
            f"computes the same flow on the CPU: `--flow {schedule.name}`",
        )
    return torch.device("cuda", torch.cuda.current_device()) if wanted == "cuda" else device


@cache
def _announce_cpu(name: str, instead: str) -> None:
    """Warn once that the method is slow on the CPU."""
    logger.warning(
        "%s computes on the CPU, where it is about twenty times slower than `%s`, which gives the same flow",
        name,
        instead,
    )


def _triton_version() -> str:
    import triton  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return str(triton.__version__)


def to_network(flow: torch.Tensor, bound: float) -> torch.Tensor:
    """As `fields.to_network` for a tensor: clipped and scaled to [−1, 1], float32, on the same device.

    - `flow`: pixels per frame, any shape.
    - `bound`: values are clipped to ±`bound` and divided by it.

    Raises ClipError if a value is not finite.
    """
    finite = torch.isfinite(flow)
    if not bool(finite.all()):
        raise ClipError(
            "the optical flow has values that are not numbers",
            found=f"{int((~finite).sum())} of {flow.numel()} values are NaN or infinite",
            remedy="This is a fault of the flow method: try `--flow opencv`",
        )
    return flow.clamp(-bound, bound) / bound


def faithful(threads: int = 1, device: str | None = None) -> TorchFlow:
    """`tvl1` in PyTorch, for GPUs: OpenCV's parameters and stopping rule, many pairs at a time."""
    return TorchFlow(FAITHFUL, device, threads)


def balanced(threads: int = 1, device: str | None = None) -> TorchFlow:
    """`tvl1-balanced` in PyTorch, for GPUs: the same flow, many pairs at a time."""
    return TorchFlow(BALANCED, device, threads)


def fast(threads: int = 1, device: str | None = None) -> TorchFlow:
    """`tvl1-fast` in PyTorch, for GPUs: the same flow, many pairs at a time."""
    return TorchFlow(FAST, device, threads)
