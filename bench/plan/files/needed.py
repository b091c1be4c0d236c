"""The files that a planned model needs before its workers start: demo weights, and networks in int8."""

from __future__ import annotations

from collections.abc import Callable

from ..config import RunConfig
from ..planned_model import PlannedModel
from ..resolve import torch_python
from .demo import with_demo_weights
from .quantise import with_quantised


def with_files(model: PlannedModel, config: RunConfig, progress: Callable[[str], None]) -> PlannedModel:
    """The model with all files that its workers need: demo weights and int8 networks are made if missing.

    - `model`: the model.
    - `config`: gives the calibration clips and the interpreter with torch.
    - `progress`: called with a line of text when something is made.

    Raises WeightsError, BackendUnavailable or MeasurementError if one cannot be made.
    """
    model = with_demo_weights(model, torch_python(config), progress)
    return model if model.request.precision != "int8" else with_quantised(model, config, progress)
