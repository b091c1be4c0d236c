"""The runs of an evaluation: each model's predictions, kept below its folder and not made again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...datasets.clip import Clip, ClipSet
from ...datasets.sources.manifest import read_manifest, write_manifest
from ...errors import UsageError
from ...records.run_directory import RunDirectory
from ..console.progress import Console
from ..plan.config import SETTINGS, RunConfig
from ..plan.planned_model import PlannedModel
from ..plan.selection import expanded
from ..runner import resume_run, start_run

RUNS, EXAMPLES = "runs", "examples.csv"
"""Folder of the run directories below an evaluation's, one for each model; manifest of what they predict."""

_SAME_COMMAND = "the same `bench evaluate` command"


def run_of(config: RunConfig, name: str, model: PlannedModel, out: Path) -> RunConfig:
    """The run of one model, in a folder named after it: the same one whatever other models are evaluated."""
    single = predictions_only(replace(config, models=(name,), data=f"manifest:{out / EXAMPLES}"), model)
    (whole,) = single.models
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", Path(whole).name).strip("-.")
    # Two names may read alike.
    folder = f"{readable}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    return replace(single, out=str((out / RUNS / folder).absolute()))


def predictions_only(config: RunConfig, model: PlannedModel) -> RunConfig:
    """The settings of a run that predicts and does not time; its own report is not written.

    - `config`: names one model and the videos. `model`: the same, planned.
    """
    return replace(
        config,
        # Of the report, which would be about one class.
        target=model.labels[0],
        latency_clips=0,
        scenarios=("latency",),
        report=False,
        peak=False,
    ).resolved()


def _directory(run: RunConfig) -> Path | None:
    """The run directory if the run was begun."""
    assert run.out is not None
    return Path(run.out) if (Path(run.out) / "run.json").is_file() else None


def require_same_settings(run: RunConfig, console: Console) -> None:
    """Raise UsageError if the run was begun with other settings: it would go on with those."""
    path = _directory(run)
    if path is None:
        return
    before = RunDirectory(path).run.config
    for name, value in expanded(run, console.say).to_dict().items():
        if name not in ("out", "data") and before.get(name) != value:
            raise UsageError(
                f"was made with other settings: {SETTINGS[name].option}",
                where=path,
                expected=before.get(name),
                found=value,
                remedy="Name another --out, or the settings that it was begun with.",
            )


def settle_examples(out: Path, clips: Sequence[Clip]) -> None:
    """Write what is predicted; where predictions were begun, require that it is the same."""
    path = out / EXAMPLES
    begun = path.is_file() and any((out / RUNS).glob("*/run.json"))
    if begun and read_manifest(path, ()).digest() != ClipSet("examples", tuple(clips)).digest():
        raise UsageError(
            "holds predictions of other examples, or of other shares of them (--shares)",
            where=out,
            remedy="Name another --out.",
        )
    write_manifest(path, clips)


def predicted(run: RunConfig, console: Console, command: str = _SAME_COMMAND) -> RunDirectory:
    """The run directory with the predictions of one model; continued if it was begun.

    - `command`: that continues it where it is interrupted, in words.
    """
    path = _directory(run)
    if path is None:
        return RunDirectory(start_run(run, console, command))
    return RunDirectory(resume_run(path, console, command))
