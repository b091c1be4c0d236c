"""What a run is asked to do: one record behind the command line, the YAML file and the run directory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ... import settings
from ...errors import UsageError, unknown_name
from ...flow.registry import METHODS
from ...models.registry import DEFAULT_MODELS, MODELS, absolute_model
from ...records.scenarios.registry import SCENARIOS
from ...settings import (
    NAMES,
    NUMBER,
    PAIRS,
    SWITCH,
    TEXT,
    WEIGHTS,
    WEIGHTS_WORDS,
    WHOLE,
    setting,
    settings_of,
)
from .environment import check_threads

ViewsOption = Literal["video", "single"]

SWEEP_AXES = {
    "batch": "views in one forward call",
    "threads": "CPU threads of a process",
    "window": "frames of the one window",
}
"""What can be swept, and what its values are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Settings of `bench run`. Each field is an option of the same name and a key of the YAML file; what it
    means stands where it is declared. Raises UsageError for values that make no sense."""

    models: tuple[str, ...] = setting(
        NAMES,
        f"what is compared: {', '.join(MODELS)}, another that `bench models` lists, `FILE.py:FACTORY`, or a "
        "folder of `bench finetune`, each with or without `@BACKEND:PRECISION:FORM`; `:K=32` before "
        "that gives a named network windows of 32 frames",
        DEFAULT_MODELS,
    )
    backends: tuple[str, ...] = setting(
        NAMES, "backends of the models named without one; `all` for what this machine can run", ()
    )
    precisions: tuple[str, ...] = setting(
        NAMES, "precisions of the models named without one, such as `fp32,bf16`", ()
    )
    data: str = setting(
        TEXT,
        "videos: `demo` (drawn at first use), a folder of `class/video`, a manifest or a Kinetics CSV",
        "demo",
    )
    videos: str | None = setting(TEXT, "folder of the videos of a Kinetics CSV or a list of segments", None)
    target: str = setting(TEXT, "the class that precision and recall are about", "jogging")
    weights: Mapping[str, str] = setting(
        WEIGHTS,
        f"model, or `MODEL-STREAM`, and its weights: a path, {' or '.join(WEIGHTS_WORDS)}; "
        "`*`, or a lone word, for all others. Without it what `bench weights fetch` stored, or demo for "
        "drawn clips",
        {},
    )
    device: str = setting(TEXT, "`auto`, `cpu` or `cuda:N`", "auto")
    threads: int | None = setting(
        WHOLE, "CPU threads of a process, at most four for each core; without it, one for each core", None
    )
    tf32: bool = setting(
        SWITCH, "let CUDA round float32 products to 10-bit mantissas; named in every report", False
    )
    scenarios: tuple[str, ...] = setting(NAMES, f"what is timed, of {', '.join(SCENARIOS)}", ("latency",))
    processes: int = setting(WHOLE, "fresh processes for each model and scenario, the unit of replication", 3)
    latency_clips: int = setting(WHOLE, "clips that are timed; 0 times nothing", 2)
    latency_seconds: float = setting(
        NUMBER, "least time that a process measures which works on one video at a time, seconds", 5.0
    )
    throughput_seconds: float = setting(
        NUMBER, "least time that a process measures which works on several videos at a time, seconds", 10.0
    )
    stream_seconds: float = setting(NUMBER, "time that the camera of stream runs, seconds", 10.0)
    stream_fps: float | None = setting(
        NUMBER, "frames a second of that camera; without it, those of the weights", None
    )
    stride: int = setting(WHOLE, "frames from one label of a stream to the next", 8)
    sweep: Mapping[str, str] = setting(
        PAIRS,
        "axis and the values that each combination is timed at, such as `batch=1,4,8`: "
        + "; ".join(f"{axis}, {meaning}" for axis, meaning in SWEEP_AXES.items()),
        {},
    )
    max_clips: int | None = setting(WHOLE, "a seeded sample of so many clips; without it, all of them", None)
    views: ViewsOption = setting(  # noqa: RUF009  # a field, whatever its type is called
        TEXT,
        "`video`: the authors' protocol for a whole video; `single`: one window from its middle",
        "video",
    )
    batch: int = setting(WHOLE, "views in one forward call", 1)
    flow: str = setting(
        TEXT, f"optical-flow method: {', '.join(METHODS)}, or another that `bench flow list` lists", "tvl1"
    )
    calibration: str = setting(
        TEXT,
        "clips that int8 takes its ranges from, named as `data` is; an error where no model is in int8",
        "demo:train",
    )
    python: Mapping[str, str] = setting(PAIRS, "backend and the interpreter that has it", {})
    out: str | None = setting(TEXT, "run directory; without it, `runs/TIME-MODELS`", None)
    report: bool = setting(
        SWITCH, "write report, tables and plots at the end; `bench report` can do it later", True
    )
    peak: bool = setting(
        SWITCH, "measure the machine's matrix product, which the report sets beside the networks' speed", True
    )
    seed: int = setting(WHOLE, "seed of every random choice", 0)
    clip_timeout: float = setting(NUMBER, "seconds without a sign of life until a clip is given up", 300.0)

    def __post_init__(self) -> None:
        if not self.models:
            raise UsageError("no model is named", where="--models", remedy="`bench models` lists them.")
        twice = sorted({name for name in self.models if self.models.count(name) > 1})
        if twice:
            raise UsageError(f"named twice: {', '.join(twice)}", where="--models")
        if self.views not in get_args(ViewsOption):
            raise unknown_name("value of --views", self.views, get_args(ViewsOption))
        self._check_scenarios()
        for name, least in (
            ("processes", 1),
            ("latency_clips", 0),
            ("stride", 1),
            ("batch", 1),
            ("seed", 0),
        ):
            _at_least(name, getattr(self, name), least)
        for name, value in ((each.name, getattr(self, each.name)) for each in dataclasses.fields(self)):
            if value == "":
                raise UsageError("is empty", where=_option(name), remedy="Name something, or leave it out.")
        if self.threads is not None:
            check_threads("--threads", self.threads)
        if self.max_clips is not None:
            _at_least("max_clips", self.max_clips, 1)
        for name in ("latency_seconds", "throughput_seconds", "stream_seconds"):
            _at_least(name, getattr(self, name), 0)
        if self.stream_fps is not None:
            _at_least("stream_fps", self.stream_fps, 0.1)
        _at_least("clip_timeout", self.clip_timeout, 0.1)

    def _check_scenarios(self) -> None:
        known = tuple(SCENARIOS)
        for name in self.scenarios:
            if name not in known:
                raise unknown_name("scenario", name, known)
        if len(set(self.scenarios)) < len(self.scenarios):
            raise UsageError("named twice", where="--scenarios", found=", ".join(self.scenarios))
        if not self.scenarios:
            raise UsageError("no scenario is named", where="--scenarios", expected=", ".join(known))
        if self.latency_clips == 0 and self.scenarios != ("latency",):
            raise UsageError(
                "leaves nothing to time",
                where="--latency-clips 0",
                expected="at least one clip for --scenarios",
                found=", ".join(self.scenarios),
            )
        parse_sweep(self.sweep)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the YAML file has them."""
        return settings.to_plain(self)

    def resolved(self) -> RunConfig:
        """The same with paths made absolute, so that the run can be resumed from any folder."""
        return dataclasses.replace(
            self,
            models=tuple(map(absolute_model, self.models)),
            data=_absolute(self.data),
            calibration=_absolute(self.calibration),
            videos=None if self.videos is None else _absolute(self.videos),
            weights={name: _absolute(value) for name, value in self.weights.items()},
            python={backend: _absolute(path) for backend, path in self.python.items()},
            out=None if self.out is None else str(Path(self.out).absolute()),
        )


SETTINGS = settings_of(RunConfig)
"""Name → setting, in the order of the document."""


def is_demo(data: str) -> bool:
    """Whether `data` names the drawn set, whatever files of that name there are."""
    return data.partition(":")[0] == "demo"


def _absolute(value: str) -> str:
    """A path, or what has one beside its colon, made absolute if it exists; other words as they are."""
    if is_demo(value):
        return value
    if Path(value).exists():
        return str(Path(value).absolute())
    head, colon, tail = value.partition(":")
    if colon and head.endswith(".py") and Path(head).exists():
        return f"{Path(head).absolute()}:{tail}"
    if colon and tail and Path(tail).exists():
        return f"{head}:{Path(tail).absolute()}"
    # A TensorFlow checkpoint is named by a prefix that is no file.
    return str(Path(value).absolute()) if Path(f"{value}.index").exists() else value


def _at_least(name: str, value: float, least: float) -> None:
    if not math.isfinite(value):
        raise UsageError("is not a finite number", where=_option(name), found=value)
    if value < least:
        raise UsageError("is too small", where=_option(name), expected=f"at least {least}", found=value)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def from_mapping(raw: Mapping[str, Any], where: str) -> RunConfig:
    """The configuration that plain values (YAML, run.json, options) describe; see `settings.from_mapping`."""
    return settings.from_mapping(RunConfig, raw, where)


def parse_sweep(given: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """`{"batch": "1,4,8"}` as numbers. Raises UsageError for what is no axis, or no list of whole numbers."""
    sweep = {}
    for axis, text in given.items():
        where = f"--sweep {axis}={text}"
        if axis not in SWEEP_AXES:
            raise UsageError(str(unknown_name("axis of a sweep", axis, SWEEP_AXES)), where=where)
        items = [item.strip() for item in text.split(",")]
        if not all(item.isascii() and item.isdigit() and int(item) > 0 for item in items):
            raise UsageError("is not a list of whole numbers from 1 on", where=where, expected="e.g. 1,4,8")
        values = tuple(map(int, items))
        if axis == "threads":
            check_threads(where, max(values))
        if len(set(values)) < len(values):
            raise UsageError("names a value twice", where=where)
        sweep[axis] = values
    return sweep


DEFAULTS = RunConfig()
"""What a run does where nothing else is asked for."""
