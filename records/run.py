"""The records of a run directory: the only interface between measuring and reading.

`runs/<time>-<models>/` holds `run.json` (a `Run`), `clips.jsonl` (one `ClipRecord` a line), `scores.bin`
(rows of float32 scores), and for each scenario a `<scenario>.jsonl` of `ProcessRecord` lines and of what
these processes measured: `LatencyRecord`, `ThroughputRecord` (for "pipelined" too) or `StreamRecord`.
Everything else in the directory is derived from these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = 1
"""Version of the records; raised when old and new numbers cannot be compared."""

STAGES = ("decode", "resize", "flow", "upload", "forward", "download")
"""Stages of one clip's way, in order; their times add up to the clip's time. `resize` includes crop and
scaling to the network's range; `upload` is host to device, `download` the read-back with the averaging."""


Scenario = Literal["latency", "pipelined", "throughput", "stream"]
"""What is timed: one stage after the other; one video as fast as its stages overlap; many videos at once; a
camera at its rate."""

PREPROCESSED_INPUT = "preprocessed input: decoding, resizing and flow not measured"
"""Note of a clip that was read as network input."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A planned model, in `run.json`.

    - `key`: what the user asked for, e.g. "i3d@torch"; the records' `model`.
    - `title`, `backend`, `device`: in words.
    - `precision`, `form`: what was asked of the backend, e.g. "bf16" and "tuned"; what was computed in
      truth is told by each process (`ProcessRecord.details`).
    - `weights`: stream → {"kind", "name", "path", "sha256"}; kind "published", "user", "demo", "random".
    - `labels`: the class names in score order.
    - `views`: the protocol in words, e.g. "whole video in one pass".
    - `flow`: name of the flow method, None for RGB only.
    - `state`: "planned", "done" or "failed"; `error` says why it failed.
    - `parameters`: trainable parameters, None until a process has reported.
    - `agreement`: why it was not compared with its reference, in words; None where it was (`drift`) or had
      nothing to be compared with. Older runs have here what `drift` says.
    - `sweep`: the point of a sweep that it stands for, axis ("batch", "threads", "window") → value.
    - `drift`: how far its logits are, on drawn input, from those of the same network and weights in float32:
      of the first such model of the run, or of one that computed for this alone. None for that first model.
      "reference" (its key), "max_abs" of a logit, "relative_l2", "top1" (share of inputs with the same first
      class), "target_score" (of the target class's probability; None without a target); "tolerance":
      largest difference of a logit that is float32's rounding; "yardstick": the relative_l2 that rounding
      weights and input to this precision gives, "limit": the largest that the precision explains, both None
      in float32 and where there is no such yardstick; "verdict": "same", "drifts" or "other"
      (`models.parity`). Older runs: "rounding", of the input alone, and "agrees" in their place.
    - `packages`: versions in its interpreter, where that is not the one of `Run.environment`.
    - `certificate`: how this backend with these weights reproduced the authors' published example, in
      words; None if that was not tried.
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
    drift: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as planned and where it stands: `run.json`, rewritten atomically.

    - `started`: ISO 8601, UTC. `state`: "running", "done" (every planned model has a result),
      "incomplete" or "interrupted".
    - `config`: the resolved configuration, as the user could write it in YAML.
    - `environment`: hardware and software (`bench doctor`).
    - `data`: {"name", "digest", "clips", "missing": [ids], "unknown_labels": [...], "demo": bool}.
    - `target`: the target class.
    """

    started: str
    config: dict[str, Any]
    environment: dict[str, Any]
    data: dict[str, Any]
    target: str
    models: tuple[ModelRecord, ...]
    state: Literal["running", "done", "incomplete", "interrupted"] = "running"
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One model's answer to one clip of the accuracy pass, or why there is none.

    - `label`: the clip's true class or None. `scored`: whether the label is one of the model's labels.
    - `top5`: (label, probability) pairs, best first.
    - `target_score`: probability of the target class.
    - `offset`: byte in `scores.bin` where its `len(labels)` float32 probabilities begin.
    - `views`: number of views averaged. `frames`: frames decoded. `video_s`: seconds of video they cover.
    - `stages_s`: stage → seconds (accuracy pass: other work may run beside it; not for latency tables).
    - `flow_cached`: the flow came from the cache, so `stages_s["flow"]` is not its cost.
    - `error`: None, or one line; then there are no scores.
    - `notes`: remarks that belong beside the figure ("12 damaged frames left out").
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


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One fresh process of a scenario.

    - `process`: 0, 1, … within the model. `order`: position among all processes of the pass.
    - `load_s`: import, reading of weights, building. `first_s`: first inference with the measured shape.
    - `peak_rss_bytes`: of the process; `peak_device_bytes`: None on CPU.
    - `details`: what `Network.describe` gave. `macs_per_view`: multiply–accumulates; None if unknown.
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


@dataclass(frozen=True, slots=True)
class LatencyRecord:
    """One timed clip of the latency pass: nothing else running, no cache.

    - `stages_s`: stage → seconds on the host clock, device synchronised; `total_s` is the wall time around
      them, `cpu_s` the process's CPU time.
    - `waited_s`: seconds that its threads were ready and not running, because something else had the
      cores; the sum over threads. None where the system does not tell.
    - `device_forward_s`: of all forwards, by device events; None on CPU.
    - `disturbed`: something else had the cores (see `records/disturbance.py`), and the clip was timed again:
      `attempt` 1, 2, … of the same clip and repetition.
    - `notes`: remarks that belong beside the figure.
    - `views`, `frames`, `video_s`, `macs`: of this clip (`macs` over all views; None if unknown).
    """

    model: str
    process: int
    repetition: int
    clip: str
    stages_s: dict[str, float]
    total_s: float
    cpu_s: float
    views: int
    frames: int
    video_s: float
    waited_s: float | None = None
    device_forward_s: float | None = None
    macs: int | None = None
    attempt: int = 0
    disturbed: bool = False
    notes: tuple[str, ...] = ()
    kind: Literal["sample"] = "sample"


@dataclass(frozen=True, slots=True)
class ThroughputRecord:
    """One stretch in which clips were worked on by several threads, from one answer to another.

    - `in_flight`: clips on their way at the same time; 1 in the scenario "pipelined".
    - `lanes`: threads that the work was shared out over; `network_threads`: of one forward call; `batch`:
      most views in it, `mean_batch` their mean, warm-up included. `streams_apart`: each stream of the
      network computes by itself; `forwards_at_once`: forward calls may overlap.
    - `warm_up`: answers before the stretch, which are not counted.
    - `wall_s`, `cpu_s`, `waited_s`: of the stretch; see `LatencyRecord`.
    - `videos`, `views`, `frames`, `video_s`: answered in it. `answer_s`: of each of these videos, from its
      being taken up to its answer.
    - `rss_bytes`: of the process, after answers at even distances.
    - `gpu_busy`: share of the time (0–1) that the device computed, as nvidia-smi tells; None on CPU.
    - `skipped`: clips that could not be used, id → reason.
    """

    model: str
    process: int
    in_flight: int
    lanes: int
    network_threads: int
    batch: int
    streams_apart: bool
    forwards_at_once: bool
    warm_up: int
    wall_s: float
    cpu_s: float
    videos: int
    views: int
    frames: int
    video_s: float
    answer_s: tuple[float, ...]
    rss_bytes: tuple[int, ...]
    waited_s: float | None = None
    gpu_busy: float | None = None
    mean_batch: float | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    kind: Literal["stretch"] = "stretch"


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A simulated camera on one clip: frames come by the clock, whether the work keeps up or not.

    - `fps`, `window`, `stride`: frames a second; frames a label is about; frames from one label to the next.
    - `frames`: that the camera gave; `dropped`: of these, overwritten before they were taken up.
    - `due`: windows that were complete by the camera's clock; `age_s`: of each answered one, from the
      arrival of its last frame to the label.
    - `frame_s`, `forward_s`: work on one frame (resizing, flow) and on one window (upload to read-back),
      medians.
    - `preparing_threads`, `network_threads`: at work at the same time.
    - `wall_s`, `cpu_s`, `waited_s`: of the whole; see `LatencyRecord`.
    """

    model: str
    process: int
    clip: str
    fps: float
    window: int
    stride: int
    frames: int
    dropped: int
    due: int
    age_s: tuple[float, ...]
    frame_s: float
    forward_s: float | None
    preparing_threads: int
    network_threads: int
    wall_s: float
    cpu_s: float
    waited_s: float | None = None
    notes: tuple[str, ...] = ()
    kind: Literal["stream"] = "stream"
