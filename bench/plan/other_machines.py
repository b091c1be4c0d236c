"""What predicting many videos would take on other machines, computed from measured times of a few videos.

docs/estimates.md states the assumptions; the table that is printed repeats them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ...errors import UsageError
from ...records.disturbance import is_disturbed, waiting_ratio
from ...records.scenarios.latency import PREDICTION, LatencyRecord

EFFICIENCY = (0.7, 0.85, 1.0)
"""Share of its cores that a machine with another number of cores is assumed to make use of: at least, in the
middle, at most. Not measured. Videos are predicted independently of one another, so that nothing but what
cores share (memory bandwidth, caches, clock) keeps them from 1."""

LEVEL = 0.95
"""Confidence level of the mean over videos."""

FEWEST = 6
"""Videos from which on that interval is given; of fewer, the range over them."""

_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine to estimate for.

    - `kind`, `number`: so many cores of the processor, or GPUs of the kind, that was measured.
    - `price_per_hour`: of the whole machine, in any currency; None if it is not given.
    """

    kind: Literal["cores", "gpus"]
    number: int
    price_per_hour: float | None = None

    def __str__(self) -> str:
        unit = {"cores": "core", "gpus": "GPU"}[self.kind]
        return f"{self.number} {unit}{'' if self.number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class MeasuredWork:
    """One model's times of some videos on one machine.

    - `model`: its key.
    - `device`: "cpu", or what the GPU is called.
    - `cores`: threads that it was measured with.
    - `samples`: of the scenario "latency".
    - `start_s`: until its network is loaded, in each process.
    """

    model: str
    device: str
    cores: int
    samples: tuple[LatencyRecord, ...]
    start_s: float

    @property
    def on_gpu(self) -> bool:
        """Whether its network was computed on a GPU."""
        return self.device != "cpu"

    def of_clips(self, seconds: Callable[[LatencyRecord], float]) -> list[float]:
        """A value of each clip: the median over its samples."""
        of_clip: dict[str, list[float]] = {}
        for sample in self.samples:
            of_clip.setdefault(sample.clip, []).append(seconds(sample))
        return [float(np.median(values)) for values in of_clip.values()]


@dataclass(frozen=True, slots=True)
class Span:
    """An estimate of seconds, from `low` to `high`; both None where one video allows no interval."""

    value: float
    low: float | None
    high: float | None


def parse_machine(text: str) -> Machine:
    """The machine of an option: "cores=16", "gpus=8@24.50", after the @ its price per hour.

    Raises UsageError for any other text.
    """
    what, _, price = text.partition("@")
    kind, _, number = what.partition("=")
    priced = None
    try:
        priced = float(price) if "@" in text else None
        wrong = priced is not None and not (math.isfinite(priced) and priced >= 0)
    except ValueError:
        wrong = True
    if wrong or kind not in ("cores", "gpus") or not (number.isascii() and number.isdigit() and int(number)):
        raise UsageError(
            "is no machine",
            where=f"--estimate-on {text}",
            expected="cores=N or gpus=N, with @PRICE an hour if it is known, e.g. cores=16@0.80",
        )
    return Machine("cores" if kind == "cores" else "gpus", int(number), priced)


def parse_videos(text: str) -> tuple[int, ...]:
    """Numbers of videos, separated by commas. Raises UsageError for any other text."""
    items = [item.strip() for item in text.split(",")]
    if not all(item.isascii() and item.isdigit() and int(item) for item in items):
        raise UsageError(
            "is no list of numbers of videos", where=f"--estimate-videos {text}", expected="e.g. 4000,240000"
        )
    return tuple(dict.fromkeys(map(int, items)))


def work_of_run(path: Path) -> list[MeasuredWork]:
    """The work that a run directory has measured of each model. Raises UsageError if it has none."""
    from ...reports.analysis.load_runs import merge, read_run
    from ...reports.analysis.timing import undisturbed

    found = []
    for model in merge([read_run(path)]).models:
        ended = [process for process in model.processes if process.error is None and process.details]
        samples = undisturbed(model.latencies)
        if samples and ended:
            details = ended[-1].details
            device = "cpu" if model.model.device == "cpu" else str(details.get("device", model.model.device))
            starts = [process.load_s for process in ended if process.load_s is not None]
            reported = (details.get("threads"), model.environment.get("threads"))
            cores = next((threads for threads in reported if type(threads) is int), 1)
            start_s = float(np.median(starts)) if starts else 0.0
            found.append(MeasuredWork(model.model.key, device, cores, tuple(samples), start_s))
    if not found:
        raise UsageError(
            "has no measured times",
            where=f"--estimate-from {path}",
            remedy="Name a finished run with the scenario latency.",
        )
    return found


def span(work: MeasuredWork, machine: Machine, videos: int) -> Span | None:
    """Seconds that predicting `videos` videos takes; None where nothing of that kind was measured."""
    if work.on_gpu != (machine.kind == "gpus"):
        return None
    least = middle = most = 1.0
    if work.on_gpu:
        seconds, at_once = work.of_clips(_beside_gpu), machine.number
    elif machine.number == work.cores:
        seconds, at_once = work.of_clips(lambda sample: sample.total_s), 1
    else:
        seconds, at_once = work.of_clips(lambda sample: sample.cpu_s), machine.number
        least, middle, most = EFFICIENCY
    mean, low, high = _mean(seconds)

    def of(per_clip: float, share: float) -> float:
        return work.start_s + videos * per_clip / at_once / share

    if len(seconds) < 2:
        return Span(of(mean, middle), None, None)
    return Span(of(mean, middle), of(low, most), of(high, least))


def _beside_gpu(sample: LatencyRecord) -> float:
    """Seconds of a video of which the next one is prepared by the cores while it is on the GPU."""
    prediction = sum(sample.stages_s.get(stage, 0.0) for stage in PREDICTION)
    return max(sample.total_s - prediction, prediction)


def _mean(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and its interval by Student's t; of fewer than `FEWEST` values their range."""
    mean = float(np.mean(values))
    if len(values) < FEWEST:
        return mean, min(values), max(values)
    from scipy import special

    t = float(special.stdtrit(len(values) - 1, (1 + LEVEL) / 2))
    half = t * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, max(0.0, mean - half), mean + half


def table(works: Iterable[MeasuredWork], machines: Sequence[Machine], videos: Sequence[int]) -> list[str]:
    """The lines of the table, in Markdown, and of its notes.

    - `works`: what was measured. Of several with one model and kind of device, the one on as many cores as a
      machine has counts for it, else the last.
    - `machines`: its columns. `videos`: numbers of videos; each is a row of each model.
    """
    from tabulate import tabulate

    works = list(works)
    used: dict[int, MeasuredWork] = {}
    rows = []
    for model in dict.fromkeys(work.model for work in works):
        chosen = [_work(works, model, machine) for machine in machines]
        used |= {id(work): work for work in chosen if work is not None}
        for number in videos:
            cells = [_cell(*each, number) for each in zip(chosen, machines, strict=True)]
            rows.append([model, f"{number:,}", *cells])
    head = ["Model", "Videos", *map(str, machines)]
    align = ["left", *["right"] * (len(head) - 1)]
    grid = tabulate(rows, head, tablefmt="pipe", colalign=align, disable_numparse=True)
    return [grid, "", *(f"- {note}" for note in _notes(list(used.values()), machines))]


def _work(works: Sequence[MeasuredWork], model: str, machine: Machine) -> MeasuredWork | None:
    """What a machine is estimated from; see `table`."""
    alike = [work for work in works if work.model == model and work.on_gpu == (machine.kind == "gpus")]
    same = [work for work in alike if not work.on_gpu and work.cores == machine.number]
    return next(reversed(same or alike), None)


def _cell(work: MeasuredWork | None, machine: Machine, videos: int) -> str:
    found = None if work is None else span(work, machine, videos)
    if found is None:
        return "not measured here"
    text = in_words(found.value)
    if found.low is not None and found.high is not None:
        text += f" [{in_words(found.low)} – {in_words(found.high)}]"
    if machine.price_per_hour is not None:
        text += f", costs {machine.price_per_hour * found.value / _PER_HOUR:,.2f}"
    return text


def in_words(seconds: float) -> str:
    """A duration with two significant digits, in the largest unit of which it is at least one and a half."""
    units = (("years", 365 * 86400), ("days", 86400), ("h", _PER_HOUR), ("min", 60), ("s", 1))
    unit, length = next((each for each in units if seconds >= 1.5 * each[1]), units[-1])
    value = seconds / length
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"


def _notes(works: Sequence[MeasuredWork], machines: Sequence[Machine]) -> list[str]:
    notes = ["Estimates of the accuracy pass, flow computed anew; nothing of this size was run."]
    for work in works:
        clips = {sample.clip: sample.video_s for sample in work.samples}
        device = f"{work.cores} cores" if work.device == "cpu" else f"one GPU, {work.device}"
        notes.append(
            f"{work.model}: measured on {device}, with {len(clips)} video{'' if len(clips) == 1 else 's'} of "
            f"{np.mean(list(clips.values())):.3g} s on average; longer videos take longer."
        )
        waiting = [waiting_ratio(sample.waited_s, sample.total_s) for sample in work.samples]
        if any(map(is_disturbed, waiting)):
            notes.append(f"{work.model}: other programs used the cores, so its times are too long.")
    if any(len({sample.clip for sample in work.samples}) > 1 for work in works):
        notes.append(
            f"In brackets: as if all videos took as long as the fastest and the slowest of those that were "
            f"measured; from {FEWEST} videos on, the {LEVEL:.0%} interval of their mean (Student's t)."
        )
    others = {m.number for m in machines if m.kind == "cores"} - {w.cores for w in works if not w.on_gpu}
    if others and not all(work.on_gpu for work in works):
        least, middle, most = (f"{share:.0%}" for share in EFFICIENCY)
        notes.append(
            f"Other numbers of cores: the CPU time of a video, divided by {middle} of the cores (in brackets "
            f"by {least} to {most}). That share is an assumption: cores of the same kind, each busy with "
            "videos of its own, share the bandwidth of the memory."
        )
    if any(work.on_gpu for work in works) and any(m.kind == "gpus" for m in machines):
        notes.append(
            "GPUs: each has as many cores beside it as the one that was measured; a video is prepared while "
            "another is predicted."
        )
    return notes
