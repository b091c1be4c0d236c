"""What a run is asked to do: one record behind the command line, the YAML file and the run directory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from ...errors import UsageError, did_you_mean, unknown_name
from ...parsing import parse_yaml
from ...records.scenarios.registry import SCENARIOS
from .environment import check_threads

ViewsOption = Literal["video", "single"]

WEIGHTS_WORDS = ("random", "demo")
"""Weights that are no files: seeded random ones (timing only), and those made from the drawn clips."""

SWEEP_AXES = {
    "batch": "views in one forward call",
    "threads": "CPU threads of a process",
    "window": "frames of the one window",
}
"""What can be swept, and what its values are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Settings of `bench run`. Each field is an option of the same name and a key of the YAML file.

    - `models`: names, each `name` or `path/to/file.py:factory`, with or without
      `@backend:precision:form`.
    - `backends`: what models named without a backend are run by, "all" for what this machine can run.
      `precisions`: of those named without one.
    - `data`: "demo" (drawn at first use), a folder, a manifest or a Kinetics CSV; `videos`: where the
      files of a Kinetics CSV lie.
    - `target`: the class that precision and recall are about.
    - `weights`: model (or model-stream, "i3d-rgb") → path, "random" or "demo"; the key "*" speaks for all
      others.
    - `device`: "auto", "cpu" or "cuda:N". `threads`: CPU threads of a process, None for all cores.
    - `tf32`: let CUDA round float32 products to 10-bit mantissas; named in every report.
    - `scenarios`: what is timed, of `SCENARIOS` (`records/scenarios/registry.py`).
    - `processes`: fresh processes per model in each scenario, the unit of replication.
    - `latency_clips`: clips of the sample that is timed; 0 leaves timing out. `latency_seconds`: a process
      that works on one video at a time goes through its sample again until it has measured for so long;
      `throughput_seconds`: one that works on several at a time.
    - `stream_seconds`, `stream_fps`: how long the camera shows something, and its rate, None for that of
      the weights. `stride`: frames from one label to the next.
    - `sweep`: axis ("batch", "threads", "window") → values, as in "1,4,8"; every combination is timed.
    - `max_clips`: a seeded sample of so many clips, None for all.
    - `views`: "video" is the authors' protocol for a whole video, "single" one window from its middle.
    - `batch`: views in one forward call. `flow`: name of the optical-flow method.
    - `calibration`: clips, named as `data` is, that ranges of activations are taken from where a model is
      quantised to int8.
    - `python`: backend → interpreter that has it. `out`: the run directory, None for runs/<time>-<models>.
    - `report`: write the derived files at the end; `bench report` writes them later. `peak`: measure the
      machine's matrix product, which the report sets beside the networks' GFLOP/s.
    - `seed`: of every random choice. `clip_timeout`: seconds without a sign of life until a clip is given
      up.
    """

    models: tuple[str, ...] = ("i3d", "resnext")
    backends: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    data: str = "demo"
    videos: str | None = None
    target: str = "jogging"
    weights: Mapping[str, str] = field(default_factory=dict)
    device: str = "auto"
    threads: int | None = None
    tf32: bool = False
    scenarios: tuple[str, ...] = ("latency",)
    processes: int = 3
    latency_clips: int = 2
    latency_seconds: float = 5.0
    throughput_seconds: float = 10.0
    stream_seconds: float = 10.0
    stream_fps: float | None = None
    stride: int = 8
    sweep: Mapping[str, str] = field(default_factory=dict)
    max_clips: int | None = None
    views: ViewsOption = "video"
    batch: int = 1
    flow: str = "tvl1"
    calibration: str = "demo:train"
    python: Mapping[str, str] = field(default_factory=dict)
    out: str | None = None
    report: bool = True
    peak: bool = True
    seed: int = 0
    clip_timeout: float = 300.0

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
        for name in _TEXTS:
            if getattr(self, name) == "":
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
        raw = dataclasses.asdict(self)
        lists = {
            name: list(getattr(self, name)) for name in ("models", "backends", "precisions", "scenarios")
        }
        mappings = {name: dict(getattr(self, name)) for name in ("weights", "python", "sweep")}
        return raw | lists | mappings

    def resolved(self) -> RunConfig:
        """The same with paths made absolute, so that the run can be resumed from any folder."""
        return dataclasses.replace(
            self,
            models=tuple(_absolute(name) if ".py" in name else name for name in self.models),
            data=_absolute(self.data),
            calibration=_absolute(self.calibration),
            videos=None if self.videos is None else _absolute(self.videos),
            weights={name: _absolute(value) for name, value in self.weights.items()},
            python={backend: _absolute(path) for backend, path in self.python.items()},
            out=None if self.out is None else str(Path(self.out).absolute()),
        )


_TEXTS = tuple(f.name for f in dataclasses.fields(RunConfig) if f.type in ("str", "str | None"))


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
    """The configuration that plain values (YAML, run.json) describe; `where` is named in errors."""
    fields = {f.name: f for f in dataclasses.fields(RunConfig)}
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in fields:
            raise UsageError(str(unknown_name("key", name, fields, most=len(fields))), where=where)
        values[name] = _coerce(name, value, str(fields[name].type), where)
    return RunConfig(**values)


_KINDS = {
    "tuple": "a list of names, or names with commas between them",
    "Mapping": "`name: value` pairs",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
}
"""Beginning of a field's type → in words; all others are text."""


def in_words(kind: str) -> str:
    """What a key of the type `kind`, as RunConfig's annotations write it, is given as."""
    words = next((text for start, text in _KINDS.items() if kind.startswith(start)), "text")
    return f"{words}, or null" if "None" in kind else words


def _coerce(name: str, value: Any, kind: str, where: str) -> Any:
    """`value` as the field's type; YAML's own slips (a lone name, a number for text) are put right."""
    if value is None and "None" in kind:
        return None
    if kind.startswith("tuple"):
        items = value.split(",") if isinstance(value, str) else value
        if isinstance(items, list | tuple) and all(isinstance(item, str) for item in items):
            return tuple(item.strip() for item in items if item.strip())
    elif kind.startswith("Mapping"):
        if isinstance(value, str) and name == "weights":
            return {"*": value}
        if isinstance(value, Mapping):
            texts = {str(k): ",".join(map(str, v)) if isinstance(v, list) else v for k, v in value.items()}
            if all(isinstance(text, str | int | float) for text in texts.values()):
                return {name: str(text) for name, text in texts.items()}
    elif kind == "bool":
        if isinstance(value, bool):
            return value
    elif kind.startswith("int"):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind.startswith("float"):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise UsageError(f"`{name}` has the wrong type", where=where, expected=in_words(kind), found=repr(value))


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


def key_values(option: str, items: Sequence[str]) -> dict[str, str]:
    """The NAME=VALUE items of an option as a mapping. A lone word for --weights has the name "*"."""
    pairs: dict[str, str] = {}
    for item in items:
        name, _, value = item.partition("=")
        if option == "weights" and item in WEIGHTS_WORDS:
            name, value = "*", item
        elif not name or not value:
            hint = did_you_mean(item, WEIGHTS_WORDS).strip() if option == "weights" else ""
            raise UsageError("is not NAME=VALUE", where=f"--{option}", found=item, remedy=hint or None)
        pairs[name] = value
    return pairs


def read_config(path: Path) -> dict[str, Any]:
    """The plain values of a YAML file, named as RunConfig's fields; checked when they become one."""
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=f"--config {path}") from error
    except ValueError as error:
        raise UsageError(f"is not YAML that can be read: {error}", where=f"--config {path}") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UsageError("must hold `key: value` lines", where=f"--config {path}", found=type(raw).__name__)
    values: dict[str, Any] = {}
    for key, value in raw.items():
        name = str(key).replace("-", "_")
        if name in values:
            raise UsageError(f"the key '{name}' stands twice", where=f"--config {path}")
        values[name] = value
    return values


DEFAULTS = RunConfig()
"""What a run does where nothing else is asked for."""
