"""`bench weights verify --published`: do weights reach the accuracy that their publisher reports?"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from ...datasets.sources.registry import load_clips
from ...errors import UsageError
from ...models.labels import labels as label_list
from ...models.spec import Preprocessing, PublishedFigures, WeightsDescription
from ...reports.analysis.accuracy import accuracy
from ...reports.analysis.load_runs import merge, read_run
from ...reports.statistics.intervals import Estimate
from ..console.progress import Console
from ..plan.config import RunConfig
from ..plan.plan import plan_models
from ..plan.planned_model import PlannedModel
from ..plan.views import views_in_words
from ..runner import require_results
from .runs import predicted, predictions_only, require_same_settings

WIDEST = 0.10
"""Most half width of the interval that still tells whether an accuracy is reached: ten percentage points."""

Outcome = Literal["reached", "not reached", "not enough videos to tell"]

_SAME_COMMAND = "the same `bench weights verify` command"


@dataclass(frozen=True, slots=True)
class PublishedCheck:
    """The accuracy that weights reach, beside the published one.

    - `model`: as it was named. `weights`: their name; `kind`: "published" or "user".
    - `figures`: what is published, `figures_of`: the name of the weights that it is of.
    - `views`: the protocol of both accuracies, in words.
    - `top1`: reached, 0–1, with its interval.
    - `classes`: number of classes with a scored video, `all_classes`: of all classes of the weights.
    - `left_out`: number of videos that do not count, because they are missing, have no label, or failed.
    - `run`: directory with all predictions.
    """

    model: str
    weights: str
    kind: str
    figures: PublishedFigures
    figures_of: str
    views: str
    top1: Estimate
    classes: int
    all_classes: int
    left_out: int
    run: Path

    @property
    def outcome(self) -> Outcome:
        """Whether the interval of the accuracy that was reached holds the published one.

        An interval wider than ± `WIDEST` decides nothing: it would hold almost any accuracy.
        """
        if self.half_width > WIDEST:
            return "not enough videos to tell"
        interval = self.top1.interval
        assert interval is not None, "a proportion has one"
        return "reached" if interval.low <= self.figures.top1 / 100 <= interval.high else "not reached"

    @property
    def half_width(self) -> float:
        """Half the width of the interval, 0–1."""
        assert self.top1.interval is not None, "a proportion has one"
        return (self.top1.interval.high - self.top1.interval.low) / 2


def verify_published(config: RunConfig, console: Console) -> PublishedCheck:
    """Predict labelled videos as the weights' publisher did, and compare the accuracy with the published one.

    - `config`: one model, its weights and device, the videos; what it says of timing and reports is not used.
      Without `out`, the run directory has a name that the settings give, so that the same command continues
      what was interrupted.

    Raises UsageError before anything is predicted for weights that nothing is published of, and for videos
    without the labels of the weights; MeasurementError if there is no result.
    """
    (model,) = plan_models(config, target=None)
    described = _described(model)
    assert described.figures is not None, "this was checked"
    missing = _require_labels(config, model)
    run = _run(config, model)
    require_same_settings(run, console)
    directory = predicted(run, console, _SAME_COMMAND)
    require_results(directory)
    (measured,) = merge([read_run(directory.path)]).models
    found = accuracy(measured, model.labels[0])
    assert found.top1 is not None, "the weights are trained, and there are predictions"
    (weights,) = model.weights.values()
    clips = measured.clips
    return PublishedCheck(
        model=model.key,
        weights=weights.description.name,
        kind=weights.kind,
        figures=described.figures,
        figures_of=described.name,
        views=measured.model.views,
        top1=found.top1,
        classes=len(set(clips.column("label")[clips.counted].tolist())),
        all_classes=len(model.labels),
        left_out=missing + found.unlabelled + len(found.failed),
        run=directory.path,
    )


def _described(model: PlannedModel) -> WeightsDescription:
    """The description that has the published figures. Raises UsageError if these weights have none."""
    if len(model.weights) > 1:
        raise UsageError(
            "has several streams, and what is published is of each by itself",
            where=model.key,
            found=", ".join(model.weights),
            remedy="Name a network of one stream; `bench models` lists them.",
        )
    ((stream, weights),) = model.weights.items()
    if weights.kind in ("random", "demo"):
        raise UsageError(
            f"{weights.kind} weights have no published accuracy",
            where=model.key,
            remedy="Leave --weights out for those that `bench weights fetch` stored, or name a file.",
        )
    # A user's file, such as a converted one, is compared with what the network's own weights are to reach.
    assumed = model.request.model.streams[stream]
    described = weights.description if weights.kind == "published" else assumed
    if described.figures is None:
        raise UsageError(
            "no top-1 accuracy is published of these weights",
            where=f"{model.key}, {weights.description.name}",
            found=described.reported_accuracy or None,
            remedy="`bench models` lists what is published.",
        )
    if label_list(described.labels) != model.labels:
        raise UsageError(
            "these weights have other classes than those that an accuracy is published of",
            where=f"{model.key}, {weights.description.name}",
            expected=f"the classes of {described.name}",
        )
    if model.views != described.views:
        raise UsageError(
            "cuts a video into other views than those of the published accuracy",
            where=model.key,
            expected=views_in_words(described.views, None, {}),
            found=views_in_words(model.views, None, {}),
            remedy="Leave `:K=` out, and views out of the YAML file beside the weights.",
        )
    _require_same_pixels(model, weights.description.preprocessing, described.preprocessing)
    return described


def _require_same_pixels(model: PlannedModel, mine: Preprocessing, published: Preprocessing) -> None:
    """Raise UsageError, which names the fields, if pixels are prepared in another way than is published."""
    names = [each.name for each in fields(published)]
    other = [name for name in names if getattr(mine, name) != getattr(published, name)]
    if other:
        raise UsageError(
            "prepares pixels in another way than for the published accuracy",
            where=model.key,
            expected=", ".join(f"{name} {getattr(published, name)}" for name in other),
            found=", ".join(f"{name} {getattr(mine, name)}" for name in other),
            remedy=f"Leave {', '.join(other)} out of the YAML file beside the weights.",
        )


def _require_labels(config: RunConfig, model: PlannedModel) -> int:
    """The number of listed videos that are missing. Raises UsageError if the others' labels are no use."""
    videos = None if config.videos is None else Path(config.videos)
    clips = load_clips(config.data, vocabulary=model.labels, videos=videos)
    where = f"--data {config.data}"
    if not any(clip.label is not None for clip in clips):
        raise UsageError(
            "has no labelled videos", where=where, remedy="`bench data check` lists what it has."
        )
    if clips.unknown_labels:
        raise UsageError(
            f"has labels that are no classes of {model.key}",
            where=where,
            expected=f"labels among its {len(model.labels)} classes, such as {model.labels[0]}",
            found=", ".join(clips.unknown_labels[:5]),
        )
    return len(clips.missing)


def _run(config: RunConfig, model: PlannedModel) -> RunConfig:
    run = predictions_only(config, model)
    if run.out is not None:
        return run
    # Other settings are another run, in a folder of its own.
    digest = hashlib.sha256(json.dumps(run.to_dict(), sort_keys=True).encode()).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", Path(model.key).name).strip("-.")
    return replace(run, out=str(Path("runs", f"verify-{readable}-{digest[:8]}").absolute()))


def in_words(check: PublishedCheck) -> list[str]:
    """What was reached and what is published, a line each, the verdict last."""
    interval, published = check.top1.interval, check.figures.top1
    assert interval is not None, "a proportion has one"
    lines = [
        f"{check.model} with {check.weights} ({check.kind} weights)",
        f"reached: top-1 {100 * check.top1.value:.1f} % [{100 * interval.low:.1f}–{100 * interval.high:.1f}] "
        f"({interval.method}; ±{100 * check.half_width:.1f} percentage points), {check.top1.n} videos of "
        f"{check.classes} of {check.all_classes} classes",
        f"published of {check.figures_of}: {check.figures.accuracy} ({check.figures.source})",
        f"views, of both: {check.views}",
    ]
    if check.left_out:
        lines.append(f"not counted: {check.left_out} videos that are missing, have no label, or failed")
    if check.classes < check.all_classes:
        lines.append(
            f"only {check.classes} of {check.all_classes} classes: the published accuracy is over all of "
            "them, some of which are easier than others, so a difference may be due to the choice of classes"
        )
    lines.append(f"predictions: {check.run}")
    if check.outcome == "reached":
        return [*lines, "the interval holds the published accuracy"]
    if check.outcome == "not enough videos to tell":
        return [
            *lines,
            f"not enough videos to tell: the interval is wider than ±{100 * WIDEST:.0f} percentage points",
        ]
    side = "below" if interval.high < published / 100 else "above"
    return [*lines, f"the interval does not hold the published accuracy: it lies {side} it"]
