"""Flow that is computed on a network's own device, and stays there.

For torch alone: a method of `flow/tvl1_torch` and a network of `models/torch_network` in one process. The
frames go to the device as 8-bit grey, and the network's input never comes back from it. Tensors stand where
arrays stand otherwise; nothing but this file, `Preparer`, `Pipeline` and `TorchNetwork.upload` knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..datasets.video.transform import centre_crop
from ..flow.method import DeviceFlowMethod
from ..models.spec import Preprocessing, TorchDeviceNetwork
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    from .preparer import ReportProgress


def shares_device(method: object, network: object) -> bool:
    """Whether `network` takes tensors from the device that `method` leaves its flow on."""
    return (
        isinstance(method, DeviceFlowMethod)
        and isinstance(network, TorchDeviceNetwork)
        and network.device == method.device
    )


def computes_on_gpu(method: object) -> bool:
    """Whether `method` computes on a GPU: all pairs of a view at once, and one view at a time."""
    return isinstance(method, DeviceFlowMethod) and method.device.type != "cpu"


def network_flow(
    grey: npt.NDArray[np.uint8],
    method: DeviceFlowMethod,
    spec: Preprocessing,
    watch: Stopwatch,
    progress: ReportProgress,
) -> Any:
    """Network input (T−1, crop, crop, 2) float32, a tensor on the method's device, of grey frames (T, H, W).

    Raises ClipError as `Preparer` does.
    """
    from ..flow.fields import FLOW_BOUND
    from ..flow.tvl1_torch.method import to_network

    with watch.stage("flow"):
        fields = method.fields_on_device(grey, progress=lambda done, total: progress("flow", done, total))
    with watch.stage("resize"):
        cropped: Any = centre_crop(fields, spec.crop, spec.crop_offset)
        return to_network(cropped, spec.flow_bound or FLOW_BOUND)


def stack_on_device(tensors: list[Any]) -> Any:
    """One tensor (N, …) of N tensors on one device."""
    import torch

    return torch.stack(tensors)
