"""The settings of a run: one record behind the command line, the YAML file and the run directory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import settings
from ...datasets.sources.registry import SOURCES
from ...errors import UsageError, unknown_name
from ...flow.registry import METHODS
from ...models.detectors.registry import PEOPLE_HELP, absolute_detector
from ...models.registry import DEFAULT_MODELS, MODEL_IN_WORDS, SETS_IN_WORDS, absolute_model
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
    documented,
    setting,
    settings_of,
)
from .environment import check_threads
from .views import PUBLISHED, check_views

DEFAULT_TARGET = "jogging"
"""The target class where none is asked for. A network need not have it."""

EXECUTORS = ("local", "ray")

SWEEP_AXES = {
    "batch": "views in one forward call",
    "threads": "CPU threads of a process",
    "window": "frames of a single window from the middle",
}
"""Axis of `--sweep` → what its values are."""


WEIGHTS_HELP = (
    f"weights of a model or of one stream (`MODEL-STREAM`): a path, {' or '.join(WEIGHTS_WORDS)}; the "
    f"name `*`, or {' or '.join(WEIGHTS_WORDS)} alone, means all other models"
)
"""What `--weights` takes, in every command; what is taken without it is for each command to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Settings of `bench run`: each field is an option of the same name and a key of the YAML file.

    Raises UsageError for a value that is out of range or unknown.
    """

    models: tuple[str, ...] = setting(
        NAMES,
        f"models to compare: {MODEL_IN_WORDS}; {SETS_IN_WORDS}",
        DEFAULT_MODELS,
    )
    backends: tuple[str, ...] = setting(
        NAMES, "backends for models named without one; `all`: every one that this machine can run", ()
    )
    precisions: tuple[str, ...] = setting(
        NAMES, "precisions for models named without one, such as `fp32,bf16`", ()
    )
    data: str = setting(
        TEXT,
        "videos: `demo` (synthetic clips, made at first use), a folder of `class/video` files, a manifest, a "
        f"Kinetics CSV, or `SOURCE:ARGUMENT` with a source of {', '.join(SOURCES)}, such as "
        "`hmdb51:FOLDER` or `segments:FILE.csv`",
        "demo",
    )
    videos: str | None = setting(TEXT, "folder with the videos of a Kinetics CSV or a list of segments", None)
    target: str | None = setting(
        TEXT,
        "class whose precision and recall are reported; by default "
        f"{DEFAULT_TARGET}, of the models that have it",
        None,
    )
    weights: Mapping[str, str] = setting(
        WEIGHTS,
        f"{WEIGHTS_HELP}. By default what `bench weights fetch` stored; if nothing is stored, demo weights "
        "for the demo clips",
        {},
    )
    device: str = setting(TEXT, "`auto`, `cpu` or `cuda:N`", "auto")
    threads: int | None = setting(
        WHOLE, "CPU threads of a process, at most four per core; by default one per core", None
    )
    tf32: bool = setting(
        SWITCH, "let CUDA compute float32 products in TF32 (10-bit mantissas); every report says so", False
    )
    scenarios: tuple[str, ...] = setting(NAMES, f"scenarios to time, of {', '.join(SCENARIOS)}", ("latency",))
    processes: int = setting(
        WHOLE, "fresh processes per model and scenario; the range over them is reported", 3
    )
    latency_clips: int = setting(WHOLE, "number of clips that are timed; 0: no timing", 2)
    latency_seconds: float = setting(
        NUMBER, "minimum measuring time of a process in scenarios with one video at a time, seconds", 5.0
    )
    throughput_seconds: float = setting(
        NUMBER,
        "minimum measuring time of a process in scenarios with several videos at a time, seconds",
        10.0,
    )
    stream_seconds: float = setting(
        NUMBER, "time that the simulated camera of the scenario stream runs, seconds", 10.0
    )
    stream_fps: float | None = setting(
        NUMBER,
        "frames per second of the simulated camera; by default those that the weights were trained on",
        None,
    )
    stride: int = setting(WHOLE, "frames between two predictions of the scenario stream", 8)
    find_peak: bool = setting(
        SWITCH,
        "with the scenario stream: search the smallest stride and the largest rate of a camera that each "
        "model keeps up with",
        False,
    )
    streams: bool = setting(
        SWITCH,
        "with the scenario stream: search how many such cameras at once, at `stream_fps` and `stride`, each "
        "model serves on this machine",
        False,
    )
    sweep: Mapping[str, str] = setting(
        PAIRS,
        "axis and its values, such as `batch=1,4,8`; each combination is timed. Axes: "
        + "; ".join(f"{axis}, {meaning}" for axis, meaning in SWEEP_AXES.items()),
        {},
    )
    max_clips: int | None = setting(
        WHOLE, "number of clips to use, a seeded random sample; by default all", None
    )
    views: str = setting(
        TEXT,
        "how a video is cut into views: `published`, as the weights' publisher tests them; `single`, one "
        "window from its middle; or a number of clips, evenly spaced, with one crop each",
        PUBLISHED,
    )
    batch: int = setting(WHOLE, "views in one forward call", 1)
    flow: str = setting(
        TEXT, f"optical-flow method: {', '.join(METHODS)}, or another that `bench flow list` lists", "tvl1"
    )
    people: str | None = setting(
        TEXT,
        f"{PEOPLE_HELP}. By default what a network of `bench finetune` was trained with, or else none: whole "
        "frames",
        None,
    )
    calibration: str = setting(
        TEXT,
        "clips that int8 quantisation is calibrated on, in the syntax of `data`; an error if no model is in "
        "int8",
        "demo:train",
    )
    python: Mapping[str, str] = setting(PAIRS, "backend and the Python interpreter that runs it", {})
    executor: str = setting(
        TEXT,
        "where clips are predicted: `local`, on this machine, or `ray`, on a Ray cluster (docs/cluster.md)",
        "local",
    )
    ray_address: str | None = setting(
        TEXT,
        "address of the Ray cluster; by default that of RAY_ADDRESS, else a new one of this machine alone; "
        "auto: the one that runs on this machine",
        None,
    )
    ray_gpus: float = setting(
        NUMBER, "GPUs of each worker on a cluster, of networks that compute on one; 0.5: two share one", 1.0
    )
    out: str | None = setting(TEXT, "run directory; by default `runs/TIME-MODELS`", None)
    report: bool = setting(
        SWITCH, "write report, tables and plots at the end; `bench report` can do it later", True
    )
    peak: bool = setting(
        SWITCH,
        "measure the machine's speed in matrix products, to which the report compares the networks' speed",
        True,
    )
    seed: int = setting(WHOLE, "seed of every random choice", 0)
    clip_timeout: float = setting(
        NUMBER, "seconds without progress until the process is killed and its clip fails", 300.0
    )

    def __post_init__(self) -> None:
        if not self.models:
            raise UsageError("no model is named", where="--models", remedy="`bench models` lists them.")
        twice = sorted({name for name in self.models if self.models.count(name) > 1})
        if twice:
            raise UsageError(f"named twice: {', '.join(twice)}", where="--models")
        check_views(str(self.views))
        if self.executor not in EXECUTORS:
            raise unknown_name("executor", self.executor, EXECUTORS)
        if self.ray_address is not None and self.executor != "ray":
            raise UsageError(
                "would do nothing", where=f"--ray-address {self.ray_address}", remedy="Add --executor ray."
            )
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
                raise UsageError("is empty", where=_option(name), remedy="Give a value, or omit the option.")
        if self.threads is not None:
            check_threads("--threads", self.threads)
        if self.max_clips is not None:
            _at_least("max_clips", self.max_clips, 1)
        for name in ("latency_seconds", "throughput_seconds", "stream_seconds"):
            _at_least(name, getattr(self, name), 0)
        if self.stream_fps is not None:
            _at_least("stream_fps", self.stream_fps, 0.1)
        _at_least("clip_timeout", self.clip_timeout, 0.1)
        _at_least("ray_gpus", self.ray_gpus, 0.01)

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
        if self.searching and "stream" not in self.scenarios:
            raise UsageError(
                "searches cameras that a model keeps up with, which the scenario stream simulates",
                where="--find-peak" if self.find_peak else "--streams",
                remedy="Add --scenarios stream.",
            )
        parse_sweep(self.sweep)

    @property
    def searching(self) -> bool:
        """Whether cameras are searched that the models keep up with."""
        return self.find_peak or self.streams

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the YAML file has them."""
        return settings.to_plain(self)

    def resolved(self) -> RunConfig:
        """The same with paths made absolute, so that the run can be resumed from any folder."""
        return dataclasses.replace(
            self,
            models=tuple(map(absolute_model, self.models)),
            data=_absolute(self.data),
            people=None if self.people is None else absolute_detector(self.people),
            calibration=_absolute(self.calibration),
            videos=None if self.videos is None else _absolute(self.videos),
            weights={name: _absolute(value) for name, value in self.weights.items()},
            python={backend: _absolute(path) for backend, path in self.python.items()},
            out=None if self.out is None else str(Path(self.out).absolute()),
        )


RunConfig.__doc__ = documented(RunConfig)

SETTINGS = settings_of(RunConfig)
"""Name → setting, in the order of docs/configuration.md."""


def is_demo(data: str) -> bool:
    """Whether `data` names the demo clips, even if there is a file of that name."""
    return data.partition(":")[0] == "demo"


def _absolute(value: str) -> str:
    """A path, or the path before or behind a colon, made absolute if it exists; other text unchanged."""
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
    """The configuration from plain values (YAML, run.json, options); see `settings.from_mapping`."""
    return settings.from_mapping(RunConfig, raw, where)


def parse_sweep(given: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """`{"batch": "1,4,8"}` as numbers. Raises UsageError for an unknown axis or a value that is not a list of
    whole numbers."""
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
"""The settings of a run without any option."""
