"""The records of a run directory: the only interface between measuring and reading.

`runs/<time>-<models>/` holds `run.json` (a `Run`), `clips.jsonl` (one `ClipRecord` a line), `scores.bin`
(rows of float32 scores), and for each scenario a `<scenario>.jsonl` of `ProcessRecord` lines and of what
these processes measured: the records of `records/scenarios/`. Everything else in the directory is derived
from these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..operating_point import OperatingPoint
from ..typed_values import Mismatch, typed_fields

SCHEMA = 1
"""Version of the records; increased when old and new numbers cannot be compared."""

STAGES = ("decode", "people", "resize", "flow", "upload", "forward", "download")
"""Stages of processing one clip, in order; their times add up to the clip's time. `people`: finding the main
person, with a decoding of its own; `resize` includes crops and scaling to the network's range; `upload` is
host to device, `download` the read-back with the averaging."""

PREPROCESSED_INPUT = "preprocessed input: decoding, resizing and flow not measured"
"""Note of a clip whose file already holds network input."""


AgreementVerdict = Literal["same", "drifts", "other"]
"""Equal to float32 rounding; off by no more than the precision explains; off by more (does not match)."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a model's logits are, on drawn input, from those of the same network and weights in float32.

    - `reference`: key of the model that they are compared with.
    - `max_abs`: largest difference of a logit. `relative_l2`: relative L2 distance of the logits.
    - `top1`: share of inputs (0–1) with the same first class.
    - `target_score`: largest difference of the target class's probability; None without a target.
    - `tolerance`: largest difference of a logit that is float32's rounding.
    - `yardstick`: the relative L2 distance that rounding weights and input to this precision gives; `limit`:
      the largest that the precision explains. Both None in float32 and where there is no such yardstick.
    - `verdict`: by `models.parity`.
    - `random_weights`: the verdict with random weights in the place of trained ones, which a half precision
      is asked for too, else None.
    - `rounding`: the distance that rounding of the input alone gives; `agrees`: whether it is below that. In
      older runs, in the place of `tolerance`, `yardstick`, `limit` and `verdict`; else None.
    """

    reference: str
    max_abs: float
    relative_l2: float
    top1: float | None = None
    target_score: float | None = None
    tolerance: float | None = None
    yardstick: float | None = None
    limit: float | None = None
    verdict: AgreementVerdict | None = None
    random_weights: AgreementVerdict | None = None
    rounding: float | None = None
    agrees: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A planned model, in `run.json`.

    - `key`: what the user asked for, e.g. "i3d@torch"; the records' `model`.
    - `title`, `backend`, `device`: for reading.
    - `precision`: that was asked for, e.g. "bf16"; each process records what was computed
      (`ProcessRecord.details`).
    - `form`: the variant, e.g. "tuned"; the field keeps the name that it has in earlier runs.
    - `weights`: stream → {"kind", "name", "path", "sha256", "checked", "licence"}; kind "published", "user",
      "demo", "random". Older runs have no licence.
    - `labels`: the class names in score order.
    - `views`: description of the protocol, e.g. "whole video in one pass".
    - `flow`: name of the flow method, None for RGB only.
    - `people`: the detector by which the main person is found: "detector", and "file", "engine", "sha256" of
      one in a file; None where the network sees whole frames.
    - `state`: "planned", "done" or "failed"; `error`: why it failed.
    - `parameters`: trainable parameters, None until a process has reported.
    - `agreement`: why it was not compared with its reference; None where it was (see `drift`) or where there
      was no reference. Older runs have the result of the comparison here.
    - `sweep`: its point of a sweep, axis ("batch", "threads", "window") → value.
    - `drift`: the comparison with the first such model of the run, or with one that computed for this alone.
      None for that first model.
    - `packages`: versions in its interpreter, where that is not the one of `Run.environment`.
    - `operating_point`: by which one class is predicted, where the weights have one that was chosen on
      validation examples; the predictions in `clips.jsonl` are of the most probable class all the same.
    - `certificate`: a sentence on how well this backend with these weights reproduced the authors' published
      example; None if that was not tried.
    """

    key: str
    title: str
    backend: str
    device: str
    weights: dict[str, dict[str, Any]]
    labels: tuple[str, ...]
    views: str
    flow: str | None = None
    state: Literal["planned", "done", "failed"] = "planned"
    error: str | None = None
    parameters: int | None = None
    certificate: str | None = None
    agreement: str | None = None
    packages: dict[str, str | None] | None = None
    precision: str = "fp32"
    form: str = "tuned"
    sweep: dict[str, int] = field(default_factory=dict)
    drift: Drift | None = None
    operating_point: OperatingPoint | None = None
    people: dict[str, str] | None = None

    def __post_init__(self) -> None:
        for stream, weights in self.weights.items():
            _require(_Weights, weights, f"weights[{stream!r}]")
        if self.people is not None:
            _require(_People, self.people, "people")

    @property
    def input(self) -> str:
        """What it sees, in words: "RGB only" or "flow tvl1", and what finds its main person, if anything."""
        flow = "RGB only" if self.flow is None else f"flow {self.flow}"
        if self.people is None:
            return flow
        return f"{flow}, main person by {self.people.get('file', self.people['detector'])}"


@dataclass(frozen=True, slots=True)
class Run:
    """A run as planned, and its state: `run.json`, rewritten atomically.

    - `started`: ISO 8601, UTC.
    - `state`: "running", "done" (every planned model has a result), "incomplete" or "interrupted".
    - `config`: the resolved configuration, in the form of the YAML file.
    - `environment`: hardware and software (`bench doctor`). "nodes", of a run on a cluster: name of each node
      that predicted clips → its fingerprint.
    - `data`: {"name", "digest", "clips", "missing": [ids], "unknown_labels": [...], "demo": bool}. For clips
      out of archives also "archives": {"request" (its settings), "licence", "planned" (digest of the clips
      that were chosen before any archive was read)}; the rest is then final when all have been predicted.
    - `target`: the target class.
    - `schema`: version of the records, see `SCHEMA`.

    Raises ValueError for an environment or data that reports cannot read.
    """

    started: str
    config: dict[str, Any]
    environment: dict[str, Any]
    data: dict[str, Any]
    target: str
    models: tuple[ModelRecord, ...]
    state: Literal["running", "done", "incomplete", "interrupted"] = "running"
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        _require(_Environment, self.environment, "environment")
        _require(_Data, self.data, "data")


@dataclass(frozen=True, slots=True)
class _Weights:
    """What reports rely on in `ModelRecord.weights`; so do the next three in the other free-form values."""

    kind: str


@dataclass(frozen=True, slots=True)
class _People:
    detector: str


@dataclass(frozen=True, slots=True)
class _Peak:
    device: str
    threads: int
    precision: str
    gflop_per_s: float
    by: str
    kernel: str | None = None


@dataclass(frozen=True, slots=True)
class _Environment:
    git_commit: str | None = None
    gpus: tuple[dict[str, Any], ...] = ()
    gemm_peaks: tuple[_Peak, ...] = ()
    nodes: Mapping[str, Any] = field(default_factory=dict)
    packages: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Data:
    name: str = ""
    digest: str | None = None
    clips: int | None = None
    missing: tuple[str, ...] = ()
    unknown_labels: tuple[str, ...] = ()


def _require(kind: type, value: Mapping[str, Any], name: str) -> None:
    try:
        typed_fields(kind, value)
    except Mismatch as error:
        raise Mismatch(error.problem, f".{name}{error.path}") from None


def current_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run as this version of `bench run` names them, from a record of any version.

    `--views published` was called `video` until there could be several clips.
    """
    return {**config, "views": "published"} if config.get("views") == "video" else dict(config)


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One model's prediction of one clip in the accuracy pass, or why there is none.

    - `label`: the clip's true class, None if unknown.
    - `scored`: whether the label is one of the model's labels, so that the prediction counts for accuracy.
    - `top5`: (label, probability) pairs, best first.
    - `target_score`: probability of the target class, 0–1; None if it is not one of the model's labels.
    - `offset`: byte in `scores.bin` where its `len(labels)` float32 probabilities begin.
    - `views`: number of views averaged.
    - `frames`: frames decoded. `video_s`: seconds of video that they cover.
    - `stages_s`: stage → seconds. Other work may run at the same time, so latency tables do not use them.
    - `flow_cached`: the flow came from the cache, so `stages_s["flow"]` is not its cost.
    - `error`: None, or one line of text; then there are no scores.
    - `notes`: remarks that belong beside the figure ("12 damaged frames left out").
    - `node`: of a cluster, by its name in `Run.environment["nodes"]`, where it was predicted; None: on the
      machine of the run.
    """

    model: str
    clip: str
    label: str | None
    scored: bool
    top5: tuple[tuple[str, float], ...] = ()
    target_score: float | None = None
    offset: int | None = None
    views: int = 0
    frames: int = 0
    video_s: float = 0.0
    stages_s: dict[str, float] = field(default_factory=dict)
    flow_cached: bool = False
    error: str | None = None
    notes: tuple[str, ...] = ()
    node: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One fresh process of a scenario.

    - `process`: 0, 1, … within the model.
    - `order`: position among all processes of the scenario, from 0.
    - `load_s`: seconds of import, reading the weights and building the network.
    - `first_s`: seconds of the first inference with the measured shape.
    - `peak_rss_bytes`: peak resident memory of the process.
    - `peak_device_bytes`: peak memory on the device; None on CPU.
    - `details`: the result of `Network.describe`.
    - `error`: None, or why the process gave no samples.
    """

    model: str
    process: int
    order: int
    load_s: float | None = None
    first_s: float | None = None
    peak_rss_bytes: int | None = None
    peak_device_bytes: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    kind: Literal["process"] = "process"
