"""ActionBench's own TV-L1 on the CPU: the same flow as OpenCV's in a fraction of the time.

Without numba, or on a platform that numba does not support, OpenCV computes the flow instead: with a
warning, and under OpenCV's name.
"""

from __future__ import annotations

import logging
import queue
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import ClipError, MeasurementError, UsageError
from .method import MIN_SIDE, FlowField, FlowMethod
from .schedule import BALANCED, FAITHFUL, FAST, Schedule

if TYPE_CHECKING:
    from .tvl1_cpu.engine import Engine

logger = logging.getLogger(__name__)

FORMAT = 2
"""Version of what the engine computes; raised when a change of it moves the flow."""

RUN = 8
"""Most pairs that a thread takes at a time. A run's first pyramid is made twice; longer runs leave threads
idle at the end of a clip."""

GreyArray = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


class TVL1Flow:
    """A `CompiledFlowMethod` and `BatchFlowMethod` that computes TV-L1 flow.

    - `schedule`: how it is computed.
    - `threads`: threads that the pairs of a clip are distributed over. The flow does not depend on their
      number, bit for bit.

    It also accepts float32 frames in 0…1. Any number of Python threads may call it at the same time. Raises
    UsageError below one thread.
    """

    def __init__(self, schedule: Schedule, threads: int = 1) -> None:
        if threads < 1:
            raise UsageError("a flow method needs at least one thread", found=threads)
        self.name = schedule.name
        self._schedule = schedule
        self._threads = threads
        self._idle: list[Engine] = []

    def __call__(self, previous: GreyArray, following: GreyArray) -> FlowField:
        """Flow from `previous` to `following`, (H, W) uint8 or float32 in 0…1, as (H, W, 2) float32."""
        if (previous.shape, previous.dtype) != (following.shape, following.dtype):
            raise ClipError(
                "two frames of one clip differ in size or type",
                expected=f"{previous.shape} {previous.dtype}",
                found=f"{following.shape} {following.dtype}",
            )
        for frame in (previous, following):
            _check(frame, "(H, W)")
        flow = np.empty((*previous.shape, 2), np.float32)
        with self._engine(*previous.shape) as engine:
            self._run(engine, [previous, following], [flow], threading.Event(), lambda: None)
        return flow

    def fields(
        self,
        grey: GreyArray,
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Flow from each frame to the next: (T, H, W) uint8 or float32 in 0…1 → (T−1, H, W, 2) float32.

        - `grey`: the frames.
        - `cancelled`: called after each pair, in the calling thread; MeasurementError is raised if it returns
          True.
        - `progress`: called with (pairs done, pairs in all) after each pair, in the calling thread.

        Raises ClipError for frames of another shape, type or range, or that are too small.
        """
        _check(grey, "(T, H, W)")
        pairs = len(grey) - 1
        flow = np.empty((pairs, *grey.shape[1:], 2), np.float32)
        stopping = threading.Event()
        finished: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        # A clip of few pairs is shared out evenly.
        run = min(RUN, -(-pairs // self._threads))

        def work(first: int) -> None:
            last = min(first + run, pairs)
            try:
                with self._engine(*grey.shape[1:]) as engine:
                    self._run(
                        engine, grey[first : last + 1], flow[first:last], stopping, lambda: finished.put(None)
                    )
            except BaseException as error:
                finished.put(error)

        with ThreadPoolExecutor(self._threads, "flow") as pool:
            try:
                for first in range(0, pairs, run):
                    pool.submit(work, first)
                for done in range(pairs):
                    if cancelled is not None and cancelled():
                        raise MeasurementError(
                            f"optical flow was cancelled after {done} of {pairs} pairs of frames"
                        )
                    error = finished.get()
                    if error is not None:
                        raise error
                    if progress is not None:
                        progress(done + 1, pairs)
            finally:
                stopping.set()
        return flow

    def warm_up(self) -> None:
        """Compile, or read from the disk, what the first pair of frames would otherwise wait for."""
        still = np.zeros((MIN_SIDE, MIN_SIDE), np.uint8)
        self(still, still + np.uint8(1))

    def describe(self) -> dict[str, Any]:
        """Name, engine and version, numba's version, and every parameter of the schedule."""
        import numba

        from .tvl1_cpu.simd import LANES

        return {
            "name": self.name,
            "algorithm": "TV-L1 of ActionBench on the CPU",
            "format": FORMAT,
            "numba": numba.__version__,
            "lanes": LANES,
            "parameters": self._schedule.describe(),
        }

    @staticmethod
    def _run(
        engine: Engine,
        frames: Any,
        flow: Any,
        stopping: threading.Event,
        finished: Callable[[], None],
    ) -> None:
        """The flow of consecutive pairs, until `stopping`; each frame's pyramid is made once."""
        scale = 1.0 if frames[0].dtype == np.uint8 else 255.0
        pyramid = None
        for pair in range(len(frames) - 1):
            if stopping.is_set():
                return
            first, second = frames[pair], frames[pair + 1]
            if np.array_equal(first, second):
                flow[pair][...] = 0
            else:
                before = engine.pyramid(first, scale) if pyramid is None else pyramid
                pyramid = engine.pyramid(second, scale)
                engine.flow(before, pyramid, flow[pair])
            finished()

    @contextmanager
    def _engine(self, height: int, width: int) -> Iterator[Engine]:
        """An engine for frames of this size that no other thread uses; kept for later calls."""
        from .tvl1_cpu.engine import Engine, is_compiled

        if not is_compiled():
            _announce_compilation()
        engine = None
        while self._idle and engine is None:
            idle = self._idle.pop()
            if (idle.height, idle.width) == (height, width):
                engine = idle
        engine = engine or Engine(self._schedule, height, width)
        try:
            yield engine
        finally:
            self._idle.append(engine)


@cache
def _announce_compilation() -> None:
    """Log why the first flow takes long; the log goes to stderr unless it is configured."""
    logger.warning("compiling TV-L1 for this machine; this takes about 10 s, once")


def _check(frames: GreyArray, shape: str) -> None:
    """Raise ClipError unless `frames` have that shape, are uint8 or float32 in 0…1, and large enough."""
    if frames.ndim != shape.count(",") + 1 or frames.dtype not in (np.uint8, np.float32):
        raise ClipError(
            "a frame does not fit optical flow",
            expected=f"grey, {shape} uint8, or float32 in 0…1",
            found=f"{frames.shape} {frames.dtype}",
            remedy="actionbench.flow.fields.grey converts RGB frames",
        )
    height, width = frames.shape[-2:]
    if min(height, width) < MIN_SIDE:
        raise ClipError(
            "frames are too small for optical flow",
            expected=f"at least {MIN_SIDE}×{MIN_SIDE} pixels",
            found=f"{width}×{height}",
        )
    # Not a number compares false.
    if frames.dtype == np.float32 and not bool(((frames >= 0) & (frames <= 1)).all()):
        raise ClipError(
            "grey frames of float32 must lie in 0…1",
            found=f"{np.min(frames)} to {np.max(frames)}",
            remedy="Divide by 255, and look for NaN and infinite values",
        )


def _method(schedule: Schedule, threads: int) -> FlowMethod:
    try:
        import numba  # noqa: F401
    except ImportError as error:
        from .opencv import dual_tvl1

        warnings.warn(
            f"{schedule.name} needs numba, which cannot be imported ({error}): OpenCV computes the flow, "
            "30 to 200 times slower, and reports name it `opencv`. To repair: pip install numba",
            RuntimeWarning,
            stacklevel=3,
        )
        return dual_tvl1(threads)
    return TVL1Flow(schedule, threads)


def faithful(threads: int = 1) -> FlowMethod:
    """The flow of OpenCV's TV-L1: its parameters and its stopping rule."""
    return _method(FAITHFUL, threads)


def balanced(threads: int = 1) -> FlowMethod:
    """TV-L1 with fixed work for each pair; as good as OpenCV's against ground truth."""
    return _method(BALANCED, threads)


def fast(threads: int = 1) -> FlowMethod:
    """The fastest TV-L1; as good as OpenCV's against ground truth on average."""
    return _method(FAST, threads)
