"""A model of a plan: everything about it that is known before its worker starts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from ...datasets.clip import Clip
from ...models.capabilities import why_not
from ...models.detectors.registry import ChosenDetector
from ...models.registry import ModelRequest
from ...models.spec import LoadOptions, Views, Weights
from ...operating_point import OperatingPoint
from ...records.run import ModelRecord
from ..agreement.certificate import certificate
from ..worker.job import Job
from .environment import probe
from .views import views_in_words


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model of the plan: what its worker needs, and what its scores mean.

    - `key`: its name in reports, "i3d@torch"; unique in the plan.
    - `request`: the model with backend, precision and variant.
    - `weights`: stream → its weights.
    - `views`: how a video is cut into views.
    - `options`: device and threads.
    - `python`: path of the interpreter that runs it.
    - `labels`: class names in the order of its scores.
    - `target`: index of the target class, None without one.
    - `flow`: name of the flow method, None if no stream needs flow.
    - `people`: detector by which the main person is found, None for whole frames.
    - `window`: frames of a single window from the middle of a video, None for `views`.
    - `batch`: views in one forward call.
    - `point`: its point in a sweep, axis → value; empty without a sweep.
    """

    key: str
    request: ModelRequest
    weights: Mapping[str, Weights]
    views: Views
    options: LoadOptions
    python: str
    labels: tuple[str, ...]
    target: int | None
    flow: str | None
    people: ChosenDetector | None = None
    window: int | None = None
    batch: int = 1
    point: Mapping[str, int] = field(default_factory=dict)

    @property
    def timed_only(self) -> bool:
        """Whether it is only timed: predictions by random weights mean nothing, and a sweep is about time."""
        return bool(self.point) or any(weights.kind == "random" for weights in self.weights.values())

    @property
    def refusal(self) -> str | None:
        """Why this machine cannot run it, as a clause of a sentence; None if it can."""
        request = self.request
        return why_not(request.offered, request.precision, request.variant, self.options.device)

    @property
    def operating_point(self) -> OperatingPoint | None:
        """Of its weights; None without one, and for several streams, whose scores are those of none alone."""
        points = [weights.operating_point for weights in self.weights.values()]
        return points[0] if len(points) == 1 else None

    @property
    def stream_window(self) -> int:
        """Frames that a label of a stream is about."""
        return self.window or self.views.window or self.views.single_frames

    @property
    def stream_rate(self) -> Fraction | None:
        """Frames a second that the weights were trained on; None for the videos' own."""
        rates = [weights.description.preprocessing.frame_rate for weights in self.weights.values()]
        return next((rate for rate in rates if rate is not None), None)

    @property
    def stream_every(self) -> int:
        """Of the videos' own frames, where the weights were trained on those, every so many-th is used."""
        if self.stream_rate is not None:
            return 1
        return max(weights.description.preprocessing.every for weights in self.weights.values())

    def stream_job(self, task: str, clips: Iterable[Clip], settings: Any) -> Job:
        """The job for a worker that prepares frames and computes at the same time; see `job`.

        Flow and a detector of persons take a core of their own; resizing alone takes a few hundredths of one.
        """
        alone = self.flow is None and self.people is None
        threads = self.options.threads if alone else max(1, self.options.threads - 1)
        return replace(
            self.job(task, clips, settings=settings), options=replace(self.options, threads=threads)
        )

    @property
    def whole(self) -> bool:
        """Whether a video is one view."""
        views = self.views
        one_window = views.window is None or views.clips == 1
        return self.window is not None or (one_window and views.crops == 1)

    @property
    def packages(self) -> Mapping[str, str | None]:
        """Distribution → version in the interpreter that runs it."""
        return probe(self.python).packages

    def job(self, task: str, clips: Iterable[Clip], **more: Any) -> Job:
        """The job for its worker.

        - `task`: of `Job`: what is done with the clips.
        - `clips`: the clips.
        - `more`: other fields of `Job`.
        """
        return Job(
            task,
            self.request.key,
            self.weights,
            self.options,
            len(self.labels),
            clips=tuple(clips),
            views=self.views,
            window=self.window,
            batch=self.batch,
            flow=self.flow,
            people=self.people,
            **more,
        )

    def record(self) -> ModelRecord:
        """Its record in `run.json`, before it is measured."""
        model = self.request.model
        return ModelRecord(
            key=self.key,
            title=model.title,
            backend=self.request.backend,
            precision=self.request.precision,
            form=self.request.variant,
            device=self.options.device,
            weights={
                stream: {
                    "kind": w.kind,
                    "name": w.description.name,
                    "path": None if w.path is None else str(w.path),
                    "sha256": w.sha256,
                    "checked": w.checked,
                    "licence": w.description.licence,
                }
                for stream, w in self.weights.items()
            },
            labels=self.labels,
            views=views_in_words(self.views, self.window, self.weights),
            flow=self.flow,
            certificate=certificate(self.request, self.weights, self.options, self.packages),
            packages=None if self.python == sys.executable else dict(self.packages),
            sweep=dict(self.point),
            operating_point=self.operating_point,
            people=None if self.people is None else self.people.record(),
        )
