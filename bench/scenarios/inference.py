"""A prepared clip through its network: the stages that are timed, and what makes its logits one answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import MeasurementError
from ...models.probabilities import softmax
from ...models.spec import FloatArray, InputArray, Model, Network
from ...preprocessing.device_flow import stack_on_device
from ...preprocessing.preparer import Prepared, View
from ...preprocessing.stopwatch import Stopwatch
from ...records.run import PREPROCESSED_INPUT


def forward(
    network: Network, prepared: Prepared, batch: int, classes: int, watch: Stopwatch
) -> tuple[FloatArray, float | None]:
    """Logits (views, classes), `batch` views at a time; seconds of the forwards by the device's clock.

    Stages are timed with the device synchronised. Raises MeasurementError for logits that are none.
    """
    results: list[FloatArray] = []
    device_s: float | None = None
    for begin in range(0, len(prepared.views), batch):
        results.append(forward_views(network, prepared.views[begin : begin + batch], classes, watch))
        seconds = network.describe().get("device_forward_s")
        if seconds is not None:
            device_s = (device_s or 0.0) + seconds
    return np.concatenate(results), device_s


def forward_views(network: Network, views: Sequence[View], classes: int, watch: Stopwatch) -> FloatArray:
    """Logits (views, classes) of views of one shape, in one forward call."""
    with watch.stage("upload"):
        inputs = network.upload({name: _stacked([view[name] for view in views]) for name in views[0]})
        network.synchronize()
    with watch.stage("forward"):
        logits = network.forward(inputs)
        network.synchronize()
    with watch.stage("download"):
        result = network.download(logits)
    _check_logits(result, (len(views), classes))
    return result


def _check_logits(logits: FloatArray, shape: tuple[int, int]) -> None:
    if logits.shape != shape:
        raise MeasurementError(
            "the network's logits have the wrong shape",
            expected=f"{shape} (views, classes of its labels)",
            found=logits.shape,
        )
    if not np.isfinite(logits).all():
        raise MeasurementError("the network's logits are not all finite numbers")


def _stacked(arrays: list[InputArray]) -> InputArray:
    if len(arrays) == 1:
        return arrays[0][None]
    return np.stack(arrays) if isinstance(arrays[0], np.ndarray) else stack_on_device(arrays)


def average_views(logits: FloatArray, average: str) -> FloatArray:
    """Probabilities (classes,) of a video from the logits (views, classes) of its views."""
    if average == "logits":
        logits = logits.mean(axis=0, keepdims=True)
    mean: FloatArray = softmax(logits).mean(axis=0).astype(np.float32)
    return mean


def remarks(prepared: Prepared) -> list[str]:
    """What belongs beside the figures of a clip."""
    return [*prepared.notes, *([PREPROCESSED_INPUT] if prepared.preprocessed else [])]


def input_shape(prepared: Prepared, batch: int) -> tuple[object, ...]:
    """What a network may have to adapt to: the shapes of a view, and the sizes of the batches."""
    view = prepared.views[0]
    views = len(prepared.views)
    sizes = {min(batch, views), views % batch}
    return (*(view[name].shape for name in sorted(view)), *sorted(sizes))


def multiply_accumulates(model: Model, prepared: Prepared, classes: int) -> int | None:
    """Multiply–accumulates of all views of a video; None if the model does not say."""
    if model.macs is None:
        return None
    shapes = [
        {name: (x.shape[0], x.shape[1], x.shape[2]) for name, x in view.items()} for view in prepared.views
    ]
    counts = [model.macs(shape, classes) for shape in shapes]
    return None if None in counts else sum(count for count in counts if count is not None)
