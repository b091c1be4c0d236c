"""The Python API: commands as functions that return their results, `actionbench.predict` and others.

They call the same code as the command line and print no results. Messages for the user, such as warnings, go
to standard error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from ..errors import UsageError
from ..records.run_directory import RunDirectory
from .console.progress import Console, Messages
from .plan.config import DEFAULTS, RunConfig, from_mapping
from .predict import Prediction, plan_predictions, predictions
from .runner import require_results, resume_run, start_run


def predict(
    model: str,
    video: str | Path,
    *,
    weights: str | Path | Mapping[str, str | Path] | None = None,
    device: str = DEFAULTS.device,
    threads: int | None = DEFAULTS.threads,
    views: str | int = DEFAULTS.views,
    flow: str = DEFAULTS.flow,
) -> Prediction:
    """The prediction of a network for one video, as by `bench predict`, in a process of its own.

    - `model`: "i3d", "resnext@openvino:bf16", "tv:s3d", "path/to/file.py:factory", as on the command line
      (`models.registry.find_model`).
    - `video`: a video file, or a file of arrays (docs/adding-a-dataset.md).
    - `weights`: a file, "random" or "demo" for all streams, or model or model-stream ("i3d-rgb") → one of
      these; None for what `bench weights fetch` stored.
    - `device`: "auto", "cpu" or "cuda:N".
    - `threads`: CPU threads; None for all cores.
    - `views`: "published" is how the weights' publisher cuts a whole video into views, "single" one window
      from its middle, a number so many clips, evenly spaced, with one crop each.
    - `flow`: name of the optical-flow method, for networks that need one.

    Raises subclasses of ActionBenchError: UsageError for an unknown name or invalid value, or a `video` that
    is not one clip; ClipError or WeightsError for files that cannot be used; BackendUnavailable for a model
    that this machine cannot run; MeasurementError if the prediction failed.
    """
    settings = {
        "models": (model,),
        "weights": weights_setting(weights),
        "device": device,
        "threads": threads,
        "views": views,
        "flow": flow,
    }
    config = from_mapping(settings, "actionbench.predict")
    console = Messages()
    planned, clips = plan_predictions(config, [Path(video)], console.say)
    if len(clips) != 1:
        raise UsageError(
            "is not one video",
            where=video,
            found=f"{len(clips)} videos",
            remedy="`actionbench.run` predicts all videos of a folder or a list.",
        )
    (answer,) = predictions(planned, clips, config.clip_timeout, console)
    if not isinstance(answer, Prediction):
        raise answer
    return answer


def weights_setting(weights: str | Path | Mapping[str, str | Path] | None) -> dict[str, str]:
    """The setting `weights` from what the functions take; one file or word is for all models."""
    named = {} if weights is None else weights if isinstance(weights, Mapping) else {"*": weights}
    return {name: str(value) for name, value in named.items()}


def run(config: RunConfig) -> RunDirectory:
    """Measure as `bench run` does, with progress on standard error; returns the directory with all records.

    - `config`: the settings of `bench run` (`help(RunConfig)`, docs/configuration.md); with `report=False` no
      report is written.

    Raises ActionBenchError for an invalid setting or file, before anything is measured; MeasurementError,
    which names the directory, if a model has no result: all other results are kept there. `resume` continues
    an interrupted run.
    """
    given = {field.name: getattr(config, field.name) for field in fields(config)}
    return _finished(start_run(from_mapping(given, "actionbench.run"), Console()))


def resume(path: str | Path) -> RunDirectory:
    """Continue an interrupted run as `bench run --resume` does; returns the directory with all records.

    - `path`: the run directory.

    Raises ActionBenchError as `run` does, and UsageError if `path` is not a run directory, or if the clips,
    the weights or the machine differ from those at the start of the run.
    """
    return _finished(resume_run(Path(path), Console()))


def _finished(path: Path) -> RunDirectory:
    directory = RunDirectory(path)
    require_results(directory)
    return directory
