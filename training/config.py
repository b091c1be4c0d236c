"""The settings of a fine-tuning: one record behind the command line, the YAML file and the result."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from ..errors import UsageError, unknown_name
from ..models.detectors.registry import PEOPLE_HELP, absolute_detector
from ..models.inputs import gpu_index
from ..models.registry import DEFAULT_TRAINED, absolute_model
from ..operating_point import Costs, Favour, criterion
from ..settings import NAMES, NUMBER, PAIRS, SWITCH, TEXT, WHOLE, WHOLES, documented, setting, settings_of
from .augmentation.augmentation import Augmentation
from .losses import BETA, LOSSES, TAU

SCRATCH = "scratch"
"""Value of `weights` for none: the network begins with random ones."""

BATCH_NORMS = {
    "frozen": "running statistics in frozen blocks, those of the batch in trained ones",
    "fixed": "running statistics in all blocks",
    "moving": "those of the batch in all blocks, with updated running statistics, as in the authors' code",
}
"""Word → which statistics batch norms use in training."""

CROPS = {"corner": "a random corner or the middle, at one of five random scales", "centre": "the middle"}
LR_RULES = {
    "steps": "to a tenth at each of `lr_steps`",
    "plateau": "to a tenth when the validation loss has not fallen for `lr_patience` epochs",
}

BASELINES = {
    "majority": "the classes' shares of the training clips, so that the most frequent class is always named",
    "length": "logistic regression on a clip's seconds and number of frames",
    "brightness": "the same on mean and standard deviation of its grey values",
    "motion": "the same on magnitude and directions of its optical flow, and its grey values",
    "probe": "the same on the network's features of its middle window, scaled to length 1",
}
"""Word → what is fitted in place of a network."""

_AUGMENTATION = settings_of(Augmentation)
_STRENGTHS = [name for name in _AUGMENTATION if name not in ("mode", "temporal", "filters")]
_FOLD = re.compile(r"fold:(?P<number>\d+)/(?P<count>\d+)")
_LAST = re.compile(r"last:(?P<blocks>\d+)")


def _words(words: Mapping[str, str]) -> str:
    return "; ".join(f"`{word}`: {meaning}" for word, meaning in words.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """Settings of `bench finetune`. Each field is an option of the same name and a key of the YAML file; its
    meaning is declared with it. Raises UsageError for impossible values."""

    model: str = setting(
        TEXT,
        "network to train: a name that `bench models` lists, `FILE.py:FACTORY`, or the folder of an "
        "earlier training",
        DEFAULT_TRAINED,
    )
    weights: str | None = setting(
        TEXT,
        f"initial weights: a file, the name of fetched weights, or `{SCRATCH}` for random ones; by default "
        "what `bench weights fetch` stored",
        None,
    )
    data: str | None = setting(TEXT, "manifest of a composed set, as `bench data compose` writes it", None)
    held_out: str | None = setting(
        TEXT, "manifest of a second composed set that the finished network also predicts", None
    )
    split: str = setting(
        TEXT,
        "`fold:N/COUNT`: fold N of COUNT, grouped and stratified; `thesis`: 90 % and 10 % of each class; "
        "`official`: the sources' own lists",
        "fold:1/5",
    )
    split_seed: int = setting(WHOLE, "seed of the split; the training has its own", 0)
    max_share: Mapping[str, str] = setting(
        PAIRS, "class and its largest share of the training clips, such as `falling=0.10`", {}
    )
    group_cap: int | None = setting(
        WHOLE, "largest number of clips that a group may have of a class in `max_share`", None
    )
    baseline: str | None = setting(
        TEXT, f"fit a simple classifier in place of training the network. {_words(BASELINES)}", None
    )
    train: str = setting(
        TEXT,
        "what is trained: `head` (the last layer, on features that are computed once), `last:N` (the head "
        "and N blocks before it) or `all`",
        "head",
    )
    batch_norm: str = setting(TEXT, f"statistics of batch norms in training. {_words(BATCH_NORMS)}", "frozen")
    loss: str = setting(
        TEXT,
        "`ce`: cross entropy; `wce`: weighted by inverse frequency of the classes; `effective`: weighted by "
        "effective number; `logit-adjustment`",
        "wce",
    )
    beta: float = setting(NUMBER, "β of the effective number", BETA)
    tau: float = setting(NUMBER, "τ of logit adjustment", TAU)
    augmentation: str = setting(TEXT, _AUGMENTATION["mode"].help, "none")
    temporal: str = setting(TEXT, _AUGMENTATION["temporal"].help, _AUGMENTATION["temporal"].default)
    filters: tuple[str, ...] = setting(NAMES, _AUGMENTATION["filters"].help, _AUGMENTATION["filters"].default)
    strengths: Mapping[str, str] = setting(
        PAIRS, f"how strong filters are (docs/augmentation.md), such as `blur=2`: {', '.join(_STRENGTHS)}", {}
    )
    crop: str = setting(TEXT, f"crop of a training window. {_words(CROPS)}", "corner")
    jitter: bool = setting(
        SWITCH, "begin a training window at a random frame; otherwise it is the middle one", True
    )
    mirror: bool = setting(SWITCH, "exchange left and right in a random half of the training windows", True)
    draws: int | None = setting(
        WHOLE,
        "number of random windows of a training clip whose features are kept; epochs use them in turn. By "
        "default 4, or 1 where nothing is random; 0: new windows in each epoch, and no features are kept",
        None,
    )
    window: int | None = setting(
        WHOLE,
        "frames of a window, for all clips; by default the network's own, twice as many for a set of 45 or "
        "more frames a second where the weights keep the videos' own rate",
        None,
    )
    views: int = setting(WHOLE, "evenly spaced windows on which a clip is evaluated; 1: the middle one", 1)
    people: str | None = setting(
        TEXT,
        f"{PEOPLE_HELP}. The result remembers it. By default what the initial weights were trained with, or "
        "else none: whole frames",
        None,
    )
    epochs: int = setting(WHOLE, "largest number of passes over the training clips", 60)
    early_stop: int = setting(
        WHOLE,
        "epochs without a better macro F1 on the validation clips after which training ends; 0: never",
        20,
    )
    batch: int = setting(WHOLE, "clips per step, of all processes together", 16)
    learning_rate: float = setting(NUMBER, "learning rate of stochastic gradient descent", 0.01)
    lr_rule: str = setting(TEXT, f"how the learning rate falls. {_words(LR_RULES)}", "steps")
    lr_steps: tuple[int, ...] = setting(
        WHOLES, "epochs after which the learning rate falls to a tenth", (30, 45)
    )
    lr_patience: int = setting(
        WHOLE, "epochs without a lower validation loss before `plateau` lowers the learning rate", 10
    )
    momentum: float = setting(NUMBER, "momentum of stochastic gradient descent", 0.9)
    weight_decay: float = setting(NUMBER, "weight decay", 1e-3)
    seed: int = setting(WHOLE, "seed of a new head, of the order of the clips and of their random changes", 0)
    device: str = setting(TEXT, "`cpu` or `cuda:N`; with several `devices`, N is the first of them", "cpu")
    devices: int = setting(
        WHOLE, "processes on each machine, with a GPU each where `device` is one; they share each `batch`", 1
    )
    nodes: int = setting(WHOLE, "machines; several are started by torchrun or srun", 1)
    threads: int | None = setting(
        WHOLE, "CPU threads of all processes on a machine; by default one per core", None
    )
    memory_gb: float = setting(
        NUMBER,
        "memory for decoded frames and features of all processes on a machine, GB; further clips are decoded "
        "in each epoch, further features are read from the disk",
        2.0,
    )
    features_gb: float = setting(NUMBER, "disk space for features, GB", 4.0)
    target: str | None = setting(
        TEXT,
        "class whose operating point is chosen on the validation predictions and kept with the network "
        "(docs/evaluation.md); by default none is chosen, and none for a baseline",
        None,
    )
    favour: str | None = setting(
        TEXT,
        f"what it is chosen for: {', '.join(f'`{name}`' for name in get_args(Favour))}; by default `f1`",
        None,
    )
    cost_miss: float | None = setting(
        NUMBER, "chosen for the lowest cost instead of `favour`: cost of a missed example of `target`", None
    )
    cost_false_alarm: float | None = setting(
        NUMBER, "cost of an example of another class that is predicted as `target`, in the same unit", None
    )
    tensorboard: bool = setting(SWITCH, "also write a log for TensorBoard", False)
    out: str | None = setting(TEXT, "folder of the result; by default `runs/TIME-finetune-MODEL`", None)

    def __post_init__(self) -> None:
        if not self.data:
            raise UsageError(
                "no data is named",
                where="--data",
                remedy="`bench data compose` writes the manifest it takes.",
            )
        for name, known in (
            ("batch_norm", BATCH_NORMS),
            ("loss", LOSSES),
            ("crop", CROPS),
            ("lr_rule", LR_RULES),
        ):
            if getattr(self, name) not in known:
                raise unknown_name(f"value of {_option(name)}", getattr(self, name), known)
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise UsageError(
                    "is out of range", where=_option(name), expected=f"{low:g} to {high:g}", found=value
                )
        if list(self.lr_steps) != sorted(set(self.lr_steps)) or any(step < 1 for step in self.lr_steps):
            raise UsageError(
                "must rise, from 1 on", where="--lr-steps", found=",".join(map(str, self.lr_steps))
            )
        gpu_index(self.device)
        if self.batch % (self.devices * self.nodes):
            raise UsageError(
                "cannot be shared evenly by the processes",
                where=f"--batch {self.batch}",
                expected=f"a multiple of devices × nodes = {self.devices * self.nodes}",
            )
        _ = self.fold, self.trained_blocks, self.shares, self.augmenting
        self._check_operating_point()
        if self.draws and not self.keeps_features:
            raise UsageError(
                "would do nothing: no block computes the same in each epoch",
                where=f"--draws {self.draws}",
                found=f"--train {self.train} --batch-norm {self.batch_norm}",
            )
        self._check_baseline()
        if self.weights == SCRATCH and self.trained_blocks is not None:
            raise UsageError(
                "leaves random blocks as they are",
                where=f"--train {self.train}",
                remedy=f"Name weights to begin with, or --train all with --weights {SCRATCH}.",
            )
        if self.weights == SCRATCH and self.batch_norm == "fixed":
            raise UsageError("has no statistics to keep", where=f"--batch-norm fixed, --weights {SCRATCH}")

    def _check_baseline(self) -> None:
        if self.baseline is None:
            return
        if self.baseline not in BASELINES:
            raise unknown_name("value of --baseline", self.baseline, BASELINES)
        if self.devices * self.nodes > 1:
            raise UsageError(
                "would do nothing: a baseline is fitted in one process",
                where=f"--devices {self.devices} --nodes {self.nodes}",
            )
        if self.people is not None and self.baseline != "probe":
            raise UsageError(
                "would do nothing: this baseline is measured on whole frames",
                where=f"--people {self.people}, --baseline {self.baseline}",
            )
        if self.baseline == "probe" and self.weights == SCRATCH:
            raise UsageError("a random network has no features to probe", where=f"--weights {SCRATCH}")
        if self.baseline != "majority" and self.loss == "logit-adjustment":
            raise UsageError(
                "is no loss of a baseline",
                where=f"--loss {self.loss}, --baseline {self.baseline}",
                expected=", ".join(loss for loss in LOSSES if loss != self.loss),
            )

    def _check_operating_point(self) -> None:
        given = criterion(self.favour, self.cost_miss, self.cost_false_alarm)
        if given is not None and self.target is None:
            raise UsageError(
                "no class is named whose operating point would be chosen",
                where="--favour" if self.favour else "--cost-miss, --cost-false-alarm",
                remedy="Name it: --target CLASS.",
            )

    @property
    def criterion(self) -> Favour | Costs:
        """What the operating point of `target` is chosen for."""
        return criterion(self.favour, self.cost_miss, self.cost_false_alarm) or "f1"

    @property
    def needs_weights(self) -> bool:
        """Whether the network's weights are used: baselines other than the probe have no network."""
        return self.baseline in (None, "probe")

    def resolved(self) -> FinetuneConfig:
        """The same with paths made absolute, so that it can be resumed from any folder."""
        return replace(
            self,
            model=absolute_model(self.model),
            people=None if self.people is None else absolute_detector(self.people),
            data=None if self.data is None else str(Path(self.data).absolute()),
            held_out=None if self.held_out is None else str(Path(self.held_out).absolute()),
            weights=str(Path(self.weights).absolute())
            if self.weights and Path(self.weights).exists()
            else self.weights,
        )

    @property
    def fold(self) -> tuple[int, int] | None:
        """Number, from 1 on, and count of a fold; None where `split` is another one."""
        found = _FOLD.fullmatch(self.split)
        if found is None:
            if self.split not in ("thesis", "official"):
                raise UsageError(
                    "is no split",
                    where="--split",
                    expected="fold:N/COUNT, thesis or official",
                    found=self.split,
                )
            return None
        number, count = int(found["number"]), int(found["count"])
        if count < 2 or not 1 <= number <= count:
            raise UsageError("there is no such fold", where="--split", found=self.split)
        return number, count

    @property
    def trained_blocks(self) -> int | None:
        """Blocks before the head that are trained, 0 for the head alone; None for all."""
        if self.train in ("head", "all"):
            return 0 if self.train == "head" else None
        found = _LAST.fullmatch(self.train)
        if found is None or int(found["blocks"]) < 1:
            raise UsageError(
                "cannot be read", where="--train", expected="head, last:N or all", found=self.train
            )
        return int(found["blocks"])

    @property
    def shares(self) -> dict[str, float]:
        """`max_share` as numbers."""
        return {label: _number("max_share", label, text) for label, text in self.max_share.items()}

    @property
    def augmenting(self) -> Augmentation:
        """The filters of a training window."""
        for name in self.strengths:
            if name not in _STRENGTHS:
                raise UsageError(str(unknown_name("strength", name, _STRENGTHS)), where="--strengths")
        strengths = {name: _number("strengths", name, text) for name, text in self.strengths.items()}
        return Augmentation(
            mode=self.augmentation,  # type: ignore[arg-type]  # checked there
            temporal=self.temporal,  # type: ignore[arg-type]
            filters=self.filters,
            **strengths,
        )

    @property
    def keeps_features(self) -> bool:
        """Whether the output of the frozen blocks is computed once: it is the same in each epoch."""
        return self.trained_blocks is not None and self.batch_norm != "moving" and self.draws != 0

    @property
    def drawing(self) -> bool:
        """Whether training windows are changed at random."""
        return self.crop == "corner" or self.jitter or self.mirror or self.augmentation != "none"

    @property
    def drawn_windows(self) -> int:
        """Number of random windows of each training clip, where features are kept."""
        if not self.drawing:
            return 1
        return self.draws or 4


_RANGES = (
    ("epochs", 1, 1e5),
    ("batch", 1, 1e4),
    ("devices", 1, 1000),
    ("nodes", 1, 1e4),
    ("views", 1, 1000),
    ("window", 1, 1000),
    ("draws", 0, 1000),
    ("early_stop", 0, 1e5),
    ("group_cap", 1, 1e6),
    ("lr_patience", 1, 1e5),
    ("learning_rate", 0, 100),
    ("momentum", 0, 0.9999),
    ("weight_decay", 0, 10),
    ("beta", 0, 0.999999),
    ("tau", 0, 100),
    ("seed", 0, 2**31),
    ("split_seed", 0, 2**31),
    ("memory_gb", 0, 1e6),
    ("features_gb", 0.001, 1e6),
)
"""Setting, its least and its greatest value."""


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _number(setting_name: str, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError("is not a number", where=f"{_option(setting_name)} {name}", found=text) from None


FinetuneConfig.__doc__ = documented(FinetuneConfig)

SETTINGS = settings_of(FinetuneConfig)
"""Name → setting, in the order of the document."""
