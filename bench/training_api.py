"""The Python API from a labelled set to a network in use: `actionbench.finetune`, `evaluate`, `export`.

They call the same code as the commands of these names and print no results; progress and messages for the
user go to standard error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from .. import settings
from ..datasets.composed.class_mapping import read_mapping
from ..datasets.composed.manifest import read_composed
from ..reports.evaluation.document import EvaluationContents, write_evaluation
from ..training.config import FinetuneConfig
from ..training.packages import require_training
from .api import weights_setting
from .console.progress import Console
from .evaluation.evaluate import EvaluationSettings, evaluate_models
from .export.export import Exported
from .export.export import export as export_network
from .plan.config import DEFAULTS, from_mapping


def finetune(config: FinetuneConfig) -> Path:
    """Train a network as `bench finetune` does; returns the folder of the result, which names the network.

    - `config`: the settings of `bench finetune` (docs/fine-tuning.md).

    torch and Lightning train in the calling process, or with several `devices` in as many that it starts.
    Raises BackendUnavailable if the extra `training` is not installed, and otherwise as
    `training.finetune.finetune` does; `bench finetune --resume` continues an interrupted training.
    """
    require_training()
    # Here, not above: torch is for those who train.
    from ..training.finetune import finetune as train

    given = {field.name: getattr(config, field.name) for field in fields(config)}
    return train(settings.from_mapping(FinetuneConfig, given, "actionbench.finetune"), Console())


def evaluate(
    models: Sequence[str],
    data: str | Path,
    target: str,
    out: str | Path,
    *,
    mapping: str | Path | None = None,
    shares: Sequence[float] = (),
    weights: str | Path | Mapping[str, str | Path] | None = None,
    device: str = DEFAULTS.device,
    threads: int | None = DEFAULTS.threads,
    views: str | int = DEFAULTS.views,
) -> EvaluationContents:
    """How good networks are on a labelled set, as `bench evaluate` tells; the same files are written.

    - `models`: networks, named as for `predict`.
    - `data`: manifest of a composed set. `target`: the label that matters most.
    - `out`: folder; predictions in it are not made again.
    - `mapping`: YAML file, `label: [class, …]`, for networks with other classes.
    - `shares`: first parts of each example, above 0 and below 1, for the time to recognition.
    - `weights`, `device`, `threads`, `views`: see `predict`.

    Returns what evaluation.md shows: evaluations with their intervals, operating points, notes. Raises
    UsageError, WeightsError, BackendUnavailable or MeasurementError as `evaluate_models` does.
    """
    given = {
        "models": tuple(models),
        "weights": weights_setting(weights),
        "device": device,
        "threads": threads,
        "views": views,
    }
    config = from_mapping(given, "actionbench.evaluate")
    asked = EvaluationSettings(
        target, None if mapping is None else read_mapping(Path(mapping)), tuple(shares)
    )
    contents = evaluate_models(config, read_composed(Path(data)), asked, Path(out), Console())
    write_evaluation(contents, Path(out))
    return contents


def export(
    model: str,
    out: str | Path,
    *,
    weights: str | Path | Mapping[str, str | Path] | None = None,
    threads: int | None = DEFAULTS.threads,
) -> Exported:
    """Write a network as ONNX or OpenVINO files that are checked, as `bench export` does.

    - `model`: named as for `predict`; `@onnx`, `@openvino` or `@openvino:int8` may follow.
    - `out`: a new file (.onnx, .xml), or a folder for one file a stream.
    - `weights`, `threads`: see `predict`.

    Raises as `bench.export.export.export` does; nothing is written then.
    """
    given = {
        "models": (model,),
        "weights": weights_setting(weights),
        "threads": threads,
    }
    return export_network(from_mapping(given, "actionbench.export"), Path(out), Console())
