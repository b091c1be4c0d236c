"""Comparison of flow methods: time per pair, and the error of their flow relative to OpenCV and the truth.

All methods are measured in one process, in turns, so that a drift of the machine's speed affects all alike.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..fields import FLOW_BOUND, flow_fields
from ..method import FlowField, FlowMethod
from ..registry import HOLDS_IN, get_method
from .ground_truth import GroundTruth

REFERENCE = "opencv"
"""The method that the others' flow is compared with."""

CROP = 224
"""Side of the centre in which errors are taken, pixels: what I3D looks at."""


@dataclass(slots=True)
class MethodResult:
    """One method's measurements.

    - `name`: of the method.
    - `seconds`: threads → wall time per pair, seconds, one number for each sequence and repetition.
    - `cpu_seconds`: CPU time of the same.
    - `to_reference`: mean endpoint error to OpenCV's flow in each sequence, pixels; empty for OpenCV itself.
    - `over_one`: share of pixels with an error above one pixel, in each sequence; empty for OpenCV itself.
    - `to_truth`: name of a pair → mean endpoint error to the true flow of the whole frame; empty for a method
      whose flow holds in the centre only.
    """

    name: str
    seconds: dict[int, list[float]] = field(default_factory=dict)
    cpu_seconds: dict[int, list[float]] = field(default_factory=dict)
    to_reference: list[float] = field(default_factory=list)
    over_one: list[float] = field(default_factory=list)
    to_truth: dict[str, float] = field(default_factory=dict)

    def milliseconds(self, threads: int) -> float | None:
        """Median wall time of a pair with that number of threads, ms; None if it was not timed with it."""
        return 1e3 * statistics.median(self.seconds[threads]) if self.seconds.get(threads) else None

    def speed_up(self, reference: MethodResult, threads: int) -> float | None:
        """Mean CPU time of `reference` over that of this method, with that number of threads.

        Means, since both computed the same pairs and OpenCV's time depends on the pair.
        """
        ours, theirs = self.cpu_seconds.get(threads), reference.cpu_seconds.get(threads)
        return statistics.fmean(theirs) / statistics.fmean(ours) if ours and theirs else None


def compare(
    names: Sequence[str],
    sequences: Mapping[str, npt.NDArray[np.uint8]],
    truths: Sequence[GroundTruth] = (),
    threads: Sequence[int] = (1,),
    repetitions: int = 3,
    progress: Callable[[str], None] = lambda _: None,
) -> list[MethodResult]:
    """Measure methods on sequences of frames.

    - `names`: of the methods.
    - `sequences`: name → grey frames (T, H, W) uint8.
    - `truths`: pairs with a true flow; errors only, not timed.
    - `threads`: numbers of threads to time with. Errors do not depend on them.
    - `repetitions`: number of rounds over all sequences.
    - `progress`: called with the name of what is computed next.

    Each method runs once on the first pair before it is timed. Raises UsageError for an unknown method,
    BackendUnavailable for one that cannot be loaded.
    """
    order = [*([REFERENCE] if REFERENCE in names else []), *(n for n in names if n != REFERENCE)]
    measured = {name: MethodResult(name) for name in order}
    flows: dict[tuple[str, str], FlowField] = {}
    for n_threads in threads:
        # OpenCV's number of threads is the process's: all methods of a round are made with the same one.
        methods = {name: get_method(name, n_threads) for name in order}
        for name, method in methods.items():
            for frames in list(sequences.values())[:1]:
                progress(f"{name}: warming up")
                flow_fields(frames[:2], method)
        for repetition in range(repetitions):
            for title, frames in sequences.items():
                for name, method in methods.items():
                    progress(f"{name} on {title}, {n_threads} threads, round {repetition + 1}")
                    flow = _timed(measured[name], method, frames, n_threads)
                    flows.setdefault((name, title), flow)
    _compare_with_reference(measured, flows, sequences)
    _compare_with_truth(measured, truths, progress)
    return list(measured.values())


def _timed(
    measured: MethodResult, method: FlowMethod, frames: npt.NDArray[np.uint8], threads: int
) -> FlowField:
    cpu, wall = time.process_time(), time.perf_counter()
    flow = flow_fields(frames, method)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    pairs = len(frames) - 1
    measured.seconds.setdefault(threads, []).append(wall / pairs)
    measured.cpu_seconds.setdefault(threads, []).append(cpu / pairs)
    return flow


def _compare_with_reference(
    measured: Mapping[str, MethodResult],
    flows: Mapping[tuple[str, str], FlowField],
    titles: Mapping[str, object],
) -> None:
    for name, result in measured.items():
        for title in titles:
            if name == REFERENCE or (REFERENCE, title) not in flows:
                continue
            errors = endpoint_errors(flows[name, title], flows[REFERENCE, title])
            result.to_reference.append(float(errors.mean()))
            result.over_one.append(float((errors > 1).mean()))


def _compare_with_truth(
    measured: Mapping[str, MethodResult], truths: Sequence[GroundTruth], progress: Callable[[str], None]
) -> None:
    for name, result in measured.items():
        if not truths or name in HOLDS_IN:
            continue
        method = get_method(name)
        for truth in truths:
            progress(f"{name} on {truth.name}")
            flow = method(truth.previous, truth.following)
            errors = np.linalg.norm(flow - truth.flow, axis=-1)[truth.known]
            result.to_truth[truth.name] = float(errors.mean())


def endpoint_errors(
    flow: FlowField, reference: FlowField, bound: float = FLOW_BOUND, crop: int = CROP
) -> npt.NDArray[np.float32]:
    """Endpoint errors, pixels, as an I3D network would see them: (…, crop, crop) float32.

    - `flow`, `reference`: (…, H, W, 2), pixels per frame.
    - `bound`: both are clipped to ±`bound` first.
    - `crop`: side of the centre that is compared; smaller frames are compared as a whole.
    """
    height, width = flow.shape[-3:-1]
    top, left = max(0, (height - crop) // 2), max(0, (width - crop) // 2)
    inside = np.s_[..., top : top + crop, left : left + crop, :]
    difference = np.clip(flow[inside], -bound, bound) - np.clip(reference[inside], -bound, bound)
    errors: npt.NDArray[np.float32] = np.linalg.norm(difference, axis=-1)
    return errors


def quantisation_error(flow: FlowField, bound: float = FLOW_BOUND) -> float:
    """Mean endpoint error, pixels, that keeping `flow` in 8 bits costs, as I3D's authors did for training.

    [−bound, bound] in steps of 2·bound/255 (MediaPipe, tvl1_flow_and_rgb_from_file.pbtxt).
    """
    step = 2 * bound / 255
    kept = np.round((np.clip(flow, -bound, bound) + bound) / step) * step - bound
    return float(endpoint_errors(kept.astype(np.float32), flow, bound).mean())
