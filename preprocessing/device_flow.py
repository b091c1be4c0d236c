"""Flow that is computed on a network's own device, and stays there.

For torch alone: a method of `flow/tvl1_torch` and a network of `models/backends/torch_network.py` in one
process. The frames go to the device as 8-bit grey, and the network's input is not copied back to the host. It
is a tensor instead of an array, which only this file, `Preparer`, `Pipeline` and `TorchNetwork.upload` depend
on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..flow.method import DeviceFlowMethod
from ..models.spec import Preprocessing, TorchDeviceNetwork
from .stopwatch import Stopwatch

if TYPE_CHECKING:
    from .preparer import ReportProgress


def shares_device(method: object, network: object) -> bool:
    """Whether the flow method `method` and `network` compute on the same device and can exchange tensors."""
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
    cropped: Callable[[Any], tuple[Any, ...]],
    watch: Stopwatch,
    progress: ReportProgress,
) -> tuple[Any, ...]:
    """The inputs of a flow stream, one of each crop: (T−1, crop, crop, 2) float32 on the method's device.

    - `grey`: the grey frames (T, H, W).
    - `method`: the flow method.
    - `spec`: how the stream's pixels are prepared.
    - `cropped`: gives the crops of the fields.
    - `watch`: gets the time of "flow" and "resize".
    - `progress`: called as ("flow", pairs done, pairs in all).

    Raises ClipError as `Preparer` does.
    """
    from ..flow.fields import FLOW_BOUND
    from ..flow.tvl1_torch.method import to_network

    with watch.stage("flow"):
        fields = method.fields_on_device(grey, progress=lambda done, total: progress("flow", done, total))
    with watch.stage("resize"):
        return tuple(to_network(square, spec.flow_bound or FLOW_BOUND) for square in cropped(fields))


def stack_on_device(tensors: list[Any]) -> Any:
    """One tensor (N, …) of N tensors on one device."""
    import torch

    return torch.stack(tensors)
