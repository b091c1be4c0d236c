"""Several fine-tunings in one file: a table of runs, each on the same folds and seeds, compared in pairs.

A run is some settings of `bench finetune` under a name, beside those that all runs share. Each run is trained
once for each fold and seed. It is judged by its predictions for the test clips of all folds, which together
are the whole set.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..atomic import remove_abandoned, replacing
from ..errors import ActionBenchError, UsageError, unknown_name
from ..models.detectors.registry import absolute_detector
from ..parsing import to_yaml
from ..records.lock import FolderLock
from ..records.training import ExamplePrediction, Side, read_predictions
from ..settings import from_mapping, read_config, settings_of
from .config import FinetuneConfig
from .finetune import finetune, resume
from .reporting import Reporter
from .result import CONFIG, is_finished, tidy_ended

FILE = "experiments.yaml"
"""What was asked for, in the folder of the experiments."""

RUNS = "runs"

MOST_FOLDS = 1000
"""More than a table of experiments can be meant to have: each is a training."""

_KEYS = ("target", "folds", "seeds", "shared", "runs", "contrasts")


@dataclass(frozen=True, slots=True)
class Experiments:
    """What a file of experiments asks for.

    - `target`: the class of interest.
    - `folds`: number of folds; 0 where the shared settings name a `split` of their own.
    - `seeds`: of the trainings; each fold is trained once with each.
    - `runs`: name → the run's own settings and the shared ones, as plain values.
    - `contrasts`: pairs of names: the second run is compared with the first.
    - `where`: the file, which errors name.
    """

    target: str
    folds: int
    seeds: tuple[int, ...]
    runs: Mapping[str, Mapping[str, Any]]
    contrasts: tuple[tuple[str, str], ...]
    where: str

    def own_settings(self) -> dict[str, dict[str, Any]]:
        """Run → the settings in which the runs differ, with its values."""
        defaults = {name: each.default for name, each in settings_of(FinetuneConfig).items()}
        names = [
            name
            for name in defaults
            if len({json.dumps(run.get(name, defaults[name]), default=str) for run in self.runs.values()}) > 1
        ]
        return {
            run: {name: values.get(name, defaults[name]) for name in names}
            for run, values in self.runs.items()
        }

    def trainings(self, folder: Path) -> Iterator[tuple[str, Path, FinetuneConfig]]:
        """(run, folder of its result, configuration) of every training, seeds outermost: the first results
        are of all runs and folds. Raises UsageError for settings that make no sense."""
        for seed in self.seeds:
            for run, values in self.runs.items():
                for fold in range(1, self.folds + 1) if self.folds else (0,):
                    own = {"seed": seed} | ({"split": f"fold:{fold}/{self.folds}"} if fold else {})
                    name = f"{run}-seed{seed}" + (f"-fold{fold}" if fold else "")
                    out = folder / RUNS / name
                    config = from_mapping(
                        FinetuneConfig, {**values, **own, "out": str(out)}, f"{self.where}: {run}"
                    )
                    yield run, out, config


def read_experiments(path: Path) -> Experiments:
    """The experiments in a YAML file. Paths in it are taken from the folder of the file.

    Keys: `target`; `folds` (5) or `split` in `shared`; `seeds` ([0]); `shared`: settings of all runs; `runs`:
    name → own settings; `contrasts`: pairs of names. Raises UsageError, with the key, for what is wrong.
    """
    where = str(path)
    raw = read_config(path, where)
    for key in raw:
        if key not in _KEYS:
            raise UsageError(str(unknown_name("key", key, _KEYS, most=len(_KEYS))), where=where)
    target = raw.get("target")
    if not isinstance(target, str):
        raise UsageError("`target` names no class", where=where, found=target)
    shared, runs = raw.get("shared") or {}, raw.get("runs")
    if not isinstance(shared, dict) or not isinstance(runs, dict) or not runs:
        raise UsageError("must hold `runs`, each a name and its settings", where=where)
    seeds = raw.get("seeds", [0])
    folds = raw.get("folds", 0 if "split" in shared else 5)
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise UsageError("`seeds` is no list of whole numbers", where=where, found=seeds)
    if type(folds) is not int or folds == 1 or not 0 <= folds <= MOST_FOLDS:
        expected = f"2 to {MOST_FOLDS}"
        raise UsageError("`folds` is no number of folds", where=where, expected=expected, found=folds)
    merged = {}
    for name, own in runs.items():
        if own is not None and not isinstance(own, dict):
            raise UsageError(f"run `{name}` is not `setting: value` pairs", where=where, found=own)
        if not isinstance(name, str) or not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError("is no name of a run", where=where, expected="letters and digits", found=name)
        merged[name] = _with_paths({**shared, **(own or {})}, path.parent)
    pairs = []
    contrasts = raw.get("contrasts") or []
    for pair in contrasts if isinstance(contrasts, list) else [contrasts]:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(name, str) for name in pair):
            raise UsageError("a contrast is two names of runs", where=where, found=pair)
        for name in pair:
            if name not in merged:
                raise UsageError(str(unknown_name("run", name, merged)), where=f"{where}: contrasts")
        pairs.append((pair[0], pair[1]))
    return Experiments(target, folds, tuple(seeds), merged, tuple(pairs), where)


def _with_paths(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The settings with paths that exist made absolute, from the folder of the file."""
    changed = dict(values)
    for name in ("data", "held_out", "weights", "model"):
        value = changed.get(name)
        if isinstance(value, str) and (folder / value).exists():
            changed[name] = str((folder / value).resolve())
    if isinstance(people := changed.get("people"), str):
        changed["people"] = absolute_detector(people, folder)
    return changed


def run_experiments(path: Path, out: Path, reporter: Reporter) -> Experiments:
    """Carry out every training of the file; finished ones are not repeated.

    - `path`: the YAML file. `out`: the folder, made where it is missing.

    Raises UsageError before anything is trained for impossible settings, if `out` holds other experiments, or
    if another process carries them out. An error of a training names it; the results of the others are kept.
    """
    experiments = read_experiments(path)
    trainings = list(experiments.trainings(out))
    remedy = "Wait until they end, or end them."
    with (
        FolderLock(out, "other experiments are being carried out in this folder", remedy=remedy),
        reporter.task("training", len(trainings)) as progress,
    ):
        remove_abandoned(out)
        _settle(out, experiments)
        for _, folder, config in trainings:
            progress.note(folder.name)
            if is_finished(folder):
                tidy_ended(folder)
            else:
                try:
                    if (folder / CONFIG).is_file():
                        resume(folder, reporter)
                    else:
                        finetune(config, reporter)
                except ActionBenchError as error:
                    reporter.say(f"{folder.name} ended with an error; the results of the others stay")
                    raise error
                # Of Lightning's objects, which refer to each other, with the network and its optimiser: by
                # itself the collector lets several trainings' pile up.
                gc.collect()
            progress.advance(folder.name)
    return experiments


def _settle(out: Path, experiments: Experiments) -> None:
    """Write the experiments into the folder; if it has them already, require that no run has changed."""
    plain = {
        "target": experiments.target,
        "folds": experiments.folds,
        "seeds": list(experiments.seeds),
        "runs": {name: dict(values) for name, values in experiments.runs.items()},
    }
    path = out / FILE
    if path.is_file():
        before = read_config(path, str(path)).get("runs")
        if not isinstance(before, dict):
            raise UsageError(
                "is damaged: it names no `runs`", where=path, remedy="Take another folder.", found=before
            )
        for name, values in plain["runs"].items():  # type: ignore[attr-defined]
            if name in before and before[name] != values:
                raise UsageError(
                    f"the settings of run `{name}` have changed since it was trained here",
                    where=path,
                    remedy="Give the run another name, or take another folder.",
                )
    with replacing(path) as file:
        file.write(to_yaml(plain).encode())


def predictions_of(
    experiments: Experiments, out: Path, side: Side = "test"
) -> dict[str, list[ExamplePrediction]]:
    """Run → its predictions for the clips of `side` in all folds and seeds.

    Where several networks predict a clip its id ends in "#" and the network's: the seed, or for the held-out
    set and for validation clips, which the networks of several folds predict, the seed and the fold.

    Raises UsageError if a training has not ended.
    """
    found: dict[str, list[ExamplePrediction]] = {run: [] for run in experiments.runs}
    several = len(experiments.seeds) > 1
    for run, folder, config in experiments.trainings(out):
        network = str(config.seed) if side == "test" else folder.name.removeprefix(f"{run}-")
        for each in read_predictions(folder):
            if each.side == side:
                name = f"{each.example}#{network}" if several or side != "test" else each.example
                found[run].append(replace(each, example=name))
    return found
