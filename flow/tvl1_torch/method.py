"""The engine as a flow method, and on whole videos in batches that fit the memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...errors import BackendUnavailable, ClipError, MeasurementError
from ..method import FlowField, GreyFrame, check_pair
from ..schedule import Schedule
from .engine import flow_batch, flow_between, is_fused

BYTES_PER_PIXEL = 320
"""Of a pair, at the peak of the computation: 290 with a 5×5 median, 190 with 3×3, and room to spare."""


class TorchFlow:
    """A `FlowMethod` that computes on a device of PyTorch, many pairs at a time where it can.

    - `device`: as PyTorch names it, such as "cuda" or "cpu"
    - `memory`: bytes that a batch may take on the device, beside the result; one pair is always taken

    Raises BackendUnavailable where PyTorch finds no such device.
    """

    def __init__(self, schedule: Schedule, device: str = "cuda", memory: int = 4 * 10**9) -> None:
        self.name = f"{schedule.name}-torch"
        self.schedule = schedule
        self.device = torch.device(device)
        self.memory = memory
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise BackendUnavailable(
                "PyTorch finds no CUDA device",
                where=self.name,
                found=f"torch {torch.__version__}",
                remedy="Use this method on a machine with an NVIDIA GPU and its driver, or the one that "
                f"computes the same flow on the CPU: `--flow {schedule.name}`",
            )

    def __call__(self, previous: GreyFrame, following: GreyFrame) -> FlowField:
        check_pair(previous, following)
        pair = torch.from_numpy(np.stack([previous, following])).to(self.device)
        flow: FlowField = flow_batch(pair[:1], pair[1:], self.schedule)[0].cpu().numpy()
        return flow

    def fields(
        self,
        grey: torch.Tensor | npt.NDArray[np.uint8],
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> torch.Tensor:
        """Flow from each frame to the next: (T, H, W) uint8 → (T−1, H, W, 2) float32, left on the device.

        - `cancelled` is asked before each batch; where it says yes, MeasurementError is raised.
        - `progress` is told (pairs done, pairs in all) after each batch.

        Raises ClipError for fewer than two frames, and for frames that are not uint8 or below 16×16.
        """
        frames = torch.as_tensor(grey)
        if frames.ndim != 3 or len(frames) < 2:
            raise ClipError(
                "optical flow needs at least two frames",
                expected="(T, H, W) uint8, T ≥ 2",
                found=f"{tuple(frames.shape)} {frames.dtype}",
            )
        pairs, (height, width) = len(frames) - 1, frames.shape[1:]
        batch = max(1, self.memory // (BYTES_PER_PIXEL * max(1, height * width)))
        fields = torch.empty(pairs, height, width, 2, dtype=torch.float32, device=self.device)
        for begin in range(0, pairs, batch):
            if cancelled is not None and cancelled():
                raise MeasurementError(f"optical flow was cancelled after {begin} of {pairs} pairs of frames")
            end = min(begin + batch, pairs)
            fields[begin:end] = flow_between(frames[begin : end + 1].to(self.device), self.schedule)
            if progress is not None:
                progress(end, pairs)
        return fields

    def describe(self) -> dict[str, Any]:
        """Name, device, what runs the iterations, library versions and the schedule's parameters."""
        cuda = self.device.type == "cuda"
        return {
            "name": self.name,
            "algorithm": "TV-L1, ActionBench's own in PyTorch",
            "device": torch.cuda.get_device_name(self.device) if cuda else self.device.type,
            "torch": torch.__version__,
            "triton": _triton_version() if is_fused(self.device) else None,
            "parameters": self.schedule.describe(),
        }


def _triton_version() -> str:
    import triton  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return str(triton.__version__)
