"""The task of a fine-tuning: all that its configuration names, found and checked before it computes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..array_cache import ArrayCache
from ..datasets.composed.example import ComposedSet, Example
from ..datasets.composed.manifest import read_composed
from ..datasets.composed.splits import Split, folds, official_split, thesis_split, with_max_share
from ..errors import UsageError, WeightsError, unknown_name
from ..home import home
from ..models.detectors.registry import ChosenDetector, choose_detector, load_detector, with_engine
from ..models.finetuning.finetuned import is_finetuned, named_base
from ..models.finetuning.trainable import trainable_network
from ..models.registry import ModelRequest, find_model, keep_importable
from ..models.spec import Model, Preprocessing, Weights
from ..models.weights import resolve_weights, stored_weights
from ..preprocessing.people.main_person import MainPerson
from ..records.training import ExamplePrediction, Side
from .config import SCRATCH, FinetuneConfig
from .inputs.features import Features
from .inputs.frames import ResizedFrames, median_rate
from .inputs.memory import HeldArrays
from .inputs.persons import MOST_BYTES, KnownPersons, without_person
from .inputs.windows import Drawing, Windows, window_length
from .ranks.group import ALONE, Ranks
from .reporting import Reporter


@dataclass(frozen=True, slots=True)
class Task:
    """A fine-tuning with all that its configuration names.

    - `request`, `stream`, `weights`: the network, its one stream, its initial weights (None: from scratch,
      or a baseline that needs no weights).
    - `how`: how its pixels are prepared. `windows`: of its clips.
    - `people`: the detector by which the main persons are found, None for whole frames.
    - `composed`, `split`: the set, and its sides. `held_out`: examples of the second set, none without one.
    - `ranks`: the processes that carry it out.
    """

    config: FinetuneConfig
    request: ModelRequest
    stream: str
    weights: Weights | None
    how: Preprocessing
    composed: ComposedSet
    split: Split
    windows: Windows
    held_out: tuple[Example, ...] = ()
    people: ChosenDetector | None = None
    ranks: Ranks = ALONE

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.ranks.device(self.config.device)

    @property
    def model(self) -> Model:
        return self.request.model

    @property
    def base(self) -> str:
        """The network by a name that can be looked up; for a fine-tuned one, its base network."""
        name = self.request.name.partition(":K=")[0]
        return named_base(Path(name)) if is_finetuned(Path(name)) else name

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the network's outputs."""
        return self.composed.labels

    def network(self) -> Any:
        """The network before training. Raises as `trainable_network` does."""
        keep_importable(self.request)
        return trainable_network(self.model, self.weights, self.labels, self.config.seed)

    def cache(self) -> ArrayCache:
        """What is computed once for each clip, on disk."""
        return ArrayCache(home() / "features", round(self.config.features_gb * 1e9))

    def features(self, net: Any, trained: int, views: int) -> Features:
        """What the last `trained` blocks of `net` take, its head if that is none, of windows of clips.

        - `net`: as `network` makes it, with weights. `views`: even windows of a clip.
        """
        assert self.weights is not None, "frozen blocks have weights"
        file = Path(self.base.partition(".py")[0] + ".py")
        # Of a user's file its text: its path says nothing of what it computes.
        network = file.read_text(encoding="utf-8") if file.is_file() else self.base
        return Features(
            self.cache(),
            net,
            trained,
            {"network": network, "weights": self.weights.sha256},
            self.windows,
            Drawing.of(self.config),
            views,
            self.device,
        )

    @property
    def examples(self) -> list[Example]:
        """All examples: those that are trained on, and those that are not."""
        return [*self.split.train, *(each for side in self.evaluated.values() for each in side)]

    def whole_frames(self, reporter: Reporter) -> list[str]:
        """Ids of the clips without a main person, of which whole frames are used; none where no one is looked
        for. Raises ClipError for a clip that cannot be read."""
        if self.people is None:
            return []
        return without_person(self.windows.frames, [each.clip for each in self.examples], reporter)

    def answer(self, side: Side, example: Example, log_probabilities: Sequence[float]) -> ExamplePrediction:
        """The record of an answer to `example`; one value for each class, in the order of the labels."""
        return ExamplePrediction(
            side,
            example.clip.id,
            example.group,
            example.source,
            str(example.clip.label),
            dict(zip(self.labels, log_probabilities, strict=True)),
        )

    @property
    def trained(self) -> int:
        """Blocks before the head that are trained, where some are frozen."""
        return self.config.trained_blocks or 0

    @property
    def counts(self) -> dict[str, int]:
        """Class → its training examples, in the order of the labels."""
        counts = Counter(str(example.clip.label) for example in self.split.train)
        return {label: counts[label] for label in self.labels}

    @property
    def evaluated_at_once(self) -> int:
        """Clips whose windows go through the networks of all processes together: as many windows as training
        takes, and a clip for each process at least."""
        count = self.ranks.count
        return max(1, self.config.batch // count // self.config.views) * count

    @property
    def evaluated(self) -> dict[Side, tuple[Example, ...]]:
        """The examples that are not trained on."""
        sides: dict[Side, tuple[Example, ...]] = {
            "validation": self.split.validation,
            "test": self.split.test,
        }
        return sides | ({"held-out": self.held_out} if self.held_out else {})


def plan(config: FinetuneConfig, ranks: Ranks = ALONE) -> Task:
    """All that `config` names, found and checked; nothing is decoded. Raises an ActionBenchError.

    - `ranks`: the processes of the training.
    """
    config = config.resolved()
    assert config.data is not None, "the configuration has checked it"
    composed = read_composed(Path(config.data))
    split = _split(composed, config)
    if not split.train:
        raise UsageError("leaves nothing to train on", where=f"--split {config.split}")
    request = find_model(config.model)
    if len(request.model.streams) != 1 or request.model.trainable is None:
        raise UsageError(
            "cannot be trained",
            where=f"--model {config.model}",
            expected="a network with one stream of pictures that declares how it is trained",
        )
    ((stream, description),) = request.model.streams.items()
    weights = _weights(config, request, stream)
    how = description.preprocessing if weights is None else weights.description.preprocessing
    if how.modality != "rgb":
        raise UsageError("takes no pictures", where=f"--model {config.model}", found=how.modality)
    rate = None
    if config.window is None and how.rate is None:
        rate = median_rate(example.clip for example in split.train)
    views = request.model.views if weights is None else request.views({stream: weights})
    length = window_length(config, views.single_frames, how, rate)
    if length < views.min_frames:
        raise UsageError(
            "is too short for the network",
            where=f"--window {length}",
            expected=f"at least {views.min_frames} frames",
        )
    _check_target(config, composed, split)
    people = _people(config, weights)
    persons = None if people is None else _persons(people, config)
    frames = ResizedFrames(how, HeldArrays(config.memory_gb * 1e9 / config.devices), persons)
    windows = Windows(frames, how, length)
    held_out = _held_out(composed, config)
    return Task(config, request, stream, weights, how, composed, split, windows, held_out, people, ranks)


def _people(config: FinetuneConfig, weights: Weights | None) -> ChosenDetector | None:
    """The detector that is named, else the one that the initial weights were trained with."""
    if config.people is not None:
        return choose_detector(config.people)
    return None if weights is None or weights.people is None else with_engine(weights.people)


def _persons(people: ChosenDetector, config: FinetuneConfig) -> KnownPersons:
    detector = load_detector(people, config.threads or os.cpu_count() or 1)
    return KnownPersons(MainPerson(detector), ArrayCache(home() / "people", MOST_BYTES))


def _check_target(config: FinetuneConfig, composed: ComposedSet, split: Split) -> None:
    """An operating point needs validation examples with the class and without it."""
    if config.target is None or config.baseline is not None:
        return
    if config.target not in composed.labels:
        raise UsageError(str(unknown_name("class", config.target, composed.labels)), where="--target")
    labels = [example.clip.label for example in split.validation]
    if len({label == config.target for label in labels}) < 2:
        raise UsageError(
            f"no operating point of {config.target} can be chosen",
            where=f"--split {config.split}",
            expected="validation examples with the class and without it",
            found=f"{labels.count(config.target)} of {len(labels)} with it",
            remedy="Take another split or split seed, or leave --target out.",
        )


def _held_out(composed: ComposedSet, config: FinetuneConfig) -> tuple[Example, ...]:
    """The labelled examples of the second set, checked against the first."""
    if config.held_out is None:
        return ()
    where = f"--held-out {config.held_out}"
    examples = [each for each in read_composed(Path(config.held_out)).examples if each.clip.label is not None]
    files = {each.clip.sha256: each.clip.id for each in composed.examples if each.clip.sha256 is not None}
    for example in examples:
        if example.clip.label not in composed.labels:
            raise UsageError(
                f"has a label that the training set does not have: {example.clip.label}",
                where=where,
                expected=", ".join(composed.labels),
            )
        if (same := files.get(str(example.clip.sha256))) is not None:
            raise UsageError(
                "shares a video with the training set, which would make its result look better than it is",
                where=where,
                found=f"{example.clip.id}, in the training set {same}",
            )
    if not examples:
        raise UsageError("has no labelled example", where=where)
    return tuple(examples)


def _weights(config: FinetuneConfig, request: ModelRequest, stream: str) -> Weights | None:
    if config.weights == SCRATCH or not config.needs_weights:
        return None
    description = request.model.streams[stream]
    if config.weights is not None:
        return resolve_weights(stream, description, Path(config.weights))
    own = request.model.own_weights.get(stream)
    if own is not None:
        return resolve_weights(stream, description, own)
    published = (description, *request.model.alternatives.get(stream, ()))
    for each in published:
        if (path := stored_weights(each)) is not None:
            return resolve_weights(stream, each, path)
    fetch = " or ".join(f"`bench weights fetch {each.name}`" for each in published)
    raise WeightsError(
        f"no weights for {config.model} to begin with",
        where="--weights",
        remedy=f"{fetch} stores published ones; --weights FILE names a file, {SCRATCH} begins without.",
    )


def _split(composed: ComposedSet, config: FinetuneConfig) -> Split:
    if config.fold is not None:
        number, count = config.fold
        split = folds(composed, count, config.split_seed)[number - 1]
    elif config.split == "thesis":
        split = thesis_split(composed, config.split_seed)
    else:
        split = official_split(composed, config.split_seed)
    if not config.shares:
        return split
    return with_max_share(split, config.shares, config.group_cap, config.split_seed)
