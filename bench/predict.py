"""What a network says of a few videos: each is predicted in a fresh process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..datasets.clip import Clip, ClipSet
from ..datasets.sources.registry import load_clips
from ..errors import MeasurementError
from ..operating_point import OperatingPoint
from .console.progress import Console
from .plan.config import RunConfig
from .plan.files.needed import with_files
from .plan.plan import plan_models
from .plan.planned_model import PlannedModel
from .worker.accuracy import AccuracySettings
from .worker.events import ClipFailed, Predicted, StageProgress
from .worker.supervisor import Outcome, Worker

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A network's answer to one video.

    - `path`: the video, or the file of arrays.
    - `model`: the network as it was asked for, e.g. "i3d@torch".
    - `labels`: class names in the order of the scores.
    - `probabilities`: (classes,) float32, of the whole video; they add up to 1.
    - `logits`: (views, classes) float32, before they are averaged as the network's `Views` say.
    - `frames`: frames that were decoded.
    - `stages_s`: stage (`records.run.STAGES`) → seconds. The first answer of a process includes its warm-up,
      so these are no latencies: `bench run` measures those.
    - `weights`: stream → "published", "user", "demo" or "random".
    - `operating_point`: by which one class is predicted, where the weights have one.
    - `notes`: remarks that belong beside the answer ("12 damaged frames left out").
    """

    path: Path
    model: str
    labels: tuple[str, ...]
    probabilities: FloatArray
    logits: FloatArray
    frames: int
    stages_s: Mapping[str, float]
    weights: Mapping[str, str]
    notes: tuple[str, ...] = ()
    operating_point: OperatingPoint | None = None

    @property
    def views(self) -> int:
        """How many views of the video went through the network."""
        return len(self.logits)

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self.top(1)[0][0]

    @property
    def decision(self) -> str:
        """The class that is predicted by the operating point; without one, the likeliest class."""
        if self.operating_point is None:
            return self.label
        (column,) = self.operating_point.decide(self.probabilities[None], self.labels)
        return self.labels[int(column)]

    @property
    def caveat(self) -> str | None:
        """What the weights forbid to conclude, in words; None if the network was trained."""
        return caveat(self.weights.values())

    def top(self, classes: int = 5) -> tuple[tuple[str, float], ...]:
        """The likeliest classes with their probabilities, best first; equal ones in the order of `labels`.

        - `classes`: how many; all of them where there are fewer.
        """
        best = np.argsort(-self.probabilities, kind="stable")[:classes]
        return tuple((self.labels[i], float(self.probabilities[i])) for i in best)


def caveat(kinds: Collection[str]) -> str | None:
    """What weights of these kinds forbid to conclude, in words; None for trained ones."""
    if "random" in kinds:
        return "random weights: these predictions mean nothing"
    if "demo" in kinds:
        return "demo weights: these predictions say nothing about real video"
    return None


def plan_predictions(
    config: RunConfig, inputs: Sequence[Path], say: Callable[[str], None]
) -> tuple[PlannedModel, ClipSet]:
    """The one network that `config` names, with its files, and the clips of all inputs.

    - `config`: of its settings, those of the network and of its input count.
    - `inputs`: videos, files of arrays, or whatever else `load_clips` takes.
    - `say`: is given what is made first (demo weights, an int8 network), in words.

    Raises UsageError, WeightsError, BackendUnavailable, ClipError or MeasurementError for what is wrong with
    any of them.
    """
    config = replace(config, data=str(inputs[0])).resolved()
    (model,) = plan_models(config, target=None)
    sets = [load_clips(str(path), vocabulary=model.labels) for path in inputs]
    clips = tuple(clip for found in sets for clip in found)
    missing = tuple(clip for found in sets for clip in found.missing)
    return with_files(model, config, say), ClipSet("inputs", clips, missing)


def predictions(
    model: PlannedModel, clips: Iterable[Clip], timeout_s: float, console: Console
) -> Iterator[Prediction | MeasurementError]:
    """The answer to each clip in turn, or the error that says why there is none.

    What kills the process of one clip keeps no other clip from its answer.

    - `timeout_s`: without progress of the process, until the clip is given up.
    - `console`: shows what the user should know, and how far it is.
    """
    clips = tuple(clips)
    with tempfile.TemporaryDirectory() as folder, console.task(model.key, len(clips)) as progress:
        log, logits = Path(folder) / "log", Path(folder) / "logits.npy"
        for clip in clips:
            outcome = Outcome()
            answer: Predicted | None = None
            worker = Worker(
                model.job("accuracy", [clip], settings=AccuracySettings(ahead=0, logits=logits)),
                model.python,
                log,
                timeout_s,
                console.say,
            )
            for event in worker.events(outcome):
                match event:
                    case StageProgress():
                        progress.note(str(event))
                    case ClipFailed(error=error):
                        outcome.failed = error
                    case Predicted():
                        answer = event
            if outcome.failed is None:
                assert answer is not None  # a worker that has done its job has answered
                yield _prediction(model, clip, answer, np.load(logits, allow_pickle=False))
            else:
                reason = outcome.failed.removeprefix(f"{clip.path}: ")
                # The log is gone when the last clip has been predicted.
                yield MeasurementError(reason.removesuffix(f" (see {log})"), where=clip.path)
            progress.advance()


def _prediction(model: PlannedModel, clip: Clip, answer: Predicted, logits: FloatArray) -> Prediction:
    return Prediction(
        path=clip.path,
        model=model.key,
        labels=model.labels,
        probabilities=np.array(answer.scores, np.float32),
        logits=logits,
        frames=answer.frames,
        stages_s=answer.stages_s,
        weights={stream: weights.kind for stream, weights in model.weights.items()},
        notes=answer.notes,
        operating_point=model.operating_point,
    )
