"""Clips in flight from file to answer, several steps and several clips at a time.

The steps of a clip, in order of urgency: decode and resize; flow, a few pairs at a time, as soon as their
frames are there; the pixels of the RGB streams; the forward passes. The longest way comes first, so that the
passes of both streams can end at the same time. Older clips come before younger ones, so that what is begun
is brought to its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from ...datasets.clip import Clip
from ...datasets.sources.arrays import read_inputs
from ...errors import ClipError
from ...models.spec import FloatArray, InputArray, Preprocessing
from ...preprocessing.device_flow import computes_on_gpu
from ...preprocessing.geometry import Geometry
from ...preprocessing.people.square import Square
from ...preprocessing.preparer import Preparer, ReportProgress, View
from ...preprocessing.stopwatch import Stopwatch
from .inference import average_views, forward_views, remarks
from .stream_networks import StreamNetwork
from .thread_pool import ThreadPool

PAIRS = 8
"""Pairs of frames in one task of flow: few, so that threads are idle only briefly at a clip's end."""

_GPU, _NETWORK = "gpu", "network"
"""What does one thing at a time: a GPU, and a backend that cannot compute several forward calls at once."""

Frames = list[npt.NDArray[np.uint8]]
"""(H, W, 3) uint8 each."""

_DECODE, _FLOW, _PIXELS, _FORWARD = range(4)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a clip: its probabilities (classes,), or the error.

    `seconds`: from its being taken up. The rest: see `Prepared`.
    """

    clip: Clip
    seconds: float
    probabilities: FloatArray | None = None
    error: ClipError | None = None
    views: int = 0
    frames: int = 0
    video_s: float = 0.0
    source_frames: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Flight:
    """A clip in flight. `awaited`: forward results until its answer, None while it is being decoded."""

    number: int
    clip: Clip
    begin: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: bool = False
    views: list[dict[str, InputArray]] = field(default_factory=list)
    logits: dict[int, FloatArray] = field(default_factory=dict)
    computed: int = 0
    awaited: int | None = None
    frames: int = 0
    video_s: float = 0.0
    source_frames: float | None = None
    notes: set[str] = field(default_factory=set)


class Pipeline:
    """Takes clips to their answers on the threads of `pool`, which call `answered` with each."""

    def __init__(
        self,
        pool: ThreadPool,
        preparer: Preparer,
        networks: Sequence[StreamNetwork],
        classes: int,
        batch: int,
        answered: Callable[[Answer], None],
        progress: ReportProgress,
    ) -> None:
        self._pool, self._preparer, self._networks = pool, preparer, networks
        self._classes, self._batch = classes, batch
        self._answered, self._progress = answered, progress
        self._begun = 0
        self._lock = threading.Lock()
        self._calls = self._views = 0
        self._flow_on_gpu = computes_on_gpu(preparer.flow)
        self._network_alone = _GPU if preparer.on_device and self._flow_on_gpu else _NETWORK

    def counted(self) -> tuple[int, int]:
        """Forward calls so far, and the views in them: a call takes what is there when a thread is free."""
        with self._lock:
            return self._calls, self._views

    def start(self, clip: Clip) -> None:
        """Send a clip on its way."""
        flight = _Flight(self._begun, clip, time.perf_counter())
        self._begun += 1
        self._submit(flight, _DECODE, partial(self._decode, flight))

    def _submit(self, flight: _Flight, rank: int, step: Callable[[], None], on_gpu: bool = False) -> None:
        def task() -> None:
            if flight.over:
                return
            try:
                step()
            except ClipError as error:
                self._end(flight, Answer(flight.clip, 0.0, error=error))

        urgency = (flight.number, rank)
        if on_gpu:
            self._pool.gather((_GPU, rank), urgency, task, lambda tasks: tasks[0](), alone=_GPU)
        else:
            self._pool.submit(urgency, task)

    def _decode(self, flight: _Flight) -> None:
        preparer, clip, watch = self._preparer, flight.clip, Stopwatch()
        inputs = read_inputs(clip)
        if inputs is not None:
            prepared = preparer.from_inputs(clip, inputs, watch)
            flight.frames, flight.video_s = prepared.frames, prepared.video_s
            flight.notes.update(remarks(prepared))
            flight.views = [{} for _ in prepared.views]
            for number, view in enumerate(prepared.views):
                for stream, array in view.items():
                    self.arrived(flight, number, stream, array)
        else:
            square, about_people = preparer.main_person(clip, watch, self._progress)
            flight.notes.update(preparer.notes, about_people)
            for geometry, streams in preparer.geometries().items():
                self._decode_geometry(flight, geometry, streams, watch, square)
        with flight.lock:
            flight.awaited = len(flight.views) * len(self._networks)
        self._conclude(flight)

    def _decode_geometry(
        self,
        flight: _Flight,
        geometry: Geometry,
        streams: list[str],
        watch: Stopwatch,
        square: Square | None,
    ) -> None:
        preparer = self._preparer
        specs = {stream: preparer.streams[stream] for stream in streams}
        of_flow = [stream for stream, spec in specs.items() if spec.modality == "flow"]
        runs: dict[tuple[int, str], _FlowRuns] = {}

        def flow_runs(window: int, stream: str) -> _FlowRuns:
            return runs.setdefault((window, stream), _FlowRuns(self, flight, window, stream, specs[stream]))

        def resized_so_far(frames: list[npt.NDArray[np.uint8]]) -> None:
            # Which frames a window has is known at the end, unless it has all of them.
            if preparer.clip_views.whole and not self._flow_on_gpu:
                for stream in of_flow:
                    flow_runs(0, stream).feed(frames)

        resized = preparer.resized_frames(
            flight.clip, geometry, watch, self._progress, resized_so_far, square
        )
        frames = resized.pixels
        flight.notes.update(resized.notes)
        selections = preparer.clip_views.select(len(frames))
        covered, share = preparer.clip_views.covered(selections, len(frames))
        flight.frames = max(flight.frames, covered)
        flight.video_s = max(flight.video_s, resized.video_s * share)
        if resized.source_frames is not None:
            flight.source_frames = resized.source_frames * share
        flight.views = flight.views or [{} for _ in range(len(selections) * preparer.clip_views.crops)]
        for number, selection in enumerate(selections):
            chosen = frames if len(selection) == len(frames) else frames[selection]
            for stream, spec in specs.items():
                if spec.modality == "flow" and self._flow_on_gpu:
                    self._flow_in_one(flight, number, stream, spec, chosen)
                elif spec.modality == "flow":
                    flow_runs(number, stream).finish(list(chosen))
                else:
                    self._submit(flight, _PIXELS, partial(self._pixels, flight, number, stream, chosen))

    def _pixels(self, flight: _Flight, window: int, stream: str, frames: npt.NDArray[np.uint8]) -> None:
        self.window_arrived(flight, window, stream, self._preparer.rgb_input(frames, stream, Stopwatch()))

    def window_arrived(self, flight: _Flight, window: int, stream: str, arrays: Sequence[InputArray]) -> None:
        """A window of a stream is there, once for each crop."""
        for view, array in zip(self._preparer.clip_views.of_window(window), arrays, strict=True):
            self.arrived(flight, view, stream, array)

    def arrived(self, flight: _Flight, view: int, stream: str, array: InputArray) -> None:
        """An input of a view is there; its network begins where that was the last one."""
        self._preparer.require_frames(flight.clip, [{stream: array}])
        (number, owner) = next((i, n) for i, n in enumerate(self._networks) if stream in n.streams)
        with flight.lock:
            flight.views[view][stream] = array
            if not all(name in flight.views[view] for name in owner.streams):
                return
            inputs = {name: flight.views[view].pop(name) for name in owner.streams}
        self._pool.gather(
            (number, *((type(inputs[name]), inputs[name].shape) for name in owner.streams)),
            (flight.number, _FORWARD),
            (flight, view, inputs),
            partial(self._forward, owner),
            self._batch,
            None if owner.at_once else self._network_alone,
        )

    def _forward(self, owner: StreamNetwork, items: list[tuple[_Flight, int, View]]) -> None:
        items = [item for item in items if not item[0].over]
        if not items:
            return
        try:
            logits = forward_views(
                owner.network, [inputs for _, _, inputs in items], self._classes, Stopwatch()
            )
        except ClipError as error:
            for flight, _, _ in items:
                self._end(flight, Answer(flight.clip, 0.0, error=error))
            return
        self._progress("forward", 0, 0)
        with self._lock:
            self._calls += 1
            self._views += len(items)
        for (flight, view, _), row in zip(items, logits, strict=True):
            with flight.lock:
                flight.logits[view] = flight.logits[view] + row if view in flight.logits else row
                flight.computed += 1
            self._conclude(flight)

    def _conclude(self, flight: _Flight) -> None:
        """The answer, if nothing is missing any more."""
        with flight.lock:
            if flight.computed != flight.awaited:
                return
        logits = np.stack([flight.logits[view] for view in sorted(flight.logits)])
        probabilities = average_views(logits, self._preparer.views.average)
        self._end(
            flight,
            Answer(
                flight.clip,
                0.0,
                probabilities,
                views=len(logits),
                frames=flight.frames,
                video_s=flight.video_s,
                source_frames=flight.source_frames,
                notes=tuple(sorted(flight.notes)),
            ),
        )

    def _end(self, flight: _Flight, answer: Answer) -> None:
        with flight.lock:
            if flight.over:
                return
            flight.over = True
        self._answered(replace(answer, seconds=time.perf_counter() - flight.begin))

    def flow(
        self,
        flight: _Flight,
        frames: Frames,
        spec: Preprocessing,
        then: Callable[[tuple[FloatArray, ...]], None],
    ) -> None:
        """Have a thread compute the flow between consecutive `frames`; `then` takes it as network input, once
        for each crop."""

        def step() -> None:
            grey_frames = self._preparer.grey(np.stack(frames), Stopwatch())
            then(self._preparer.flow_input(grey_frames, spec, Stopwatch(), self._progress))

        self._submit(flight, _FLOW, step)

    def _flow_in_one(
        self, flight: _Flight, window: int, stream: str, spec: Preprocessing, frames: npt.NDArray[np.uint8]
    ) -> None:
        """Have the GPU compute the flow of a window; the thread that decoded it makes the grey frames."""
        grey_frames = self._preparer.grey(frames, Stopwatch())

        def step() -> None:
            inputs = self._preparer.flow_input(grey_frames, spec, Stopwatch(), self._progress)
            self.window_arrived(flight, window, stream, inputs)

        self._submit(flight, _FLOW, step, on_gpu=True)


class _FlowRuns:
    """The flow of one window, computed a few pairs at a time, while its frames are still arriving."""

    def __init__(
        self, pipeline: Pipeline, flight: _Flight, window: int, stream: str, spec: Preprocessing
    ) -> None:
        self._pipeline, self._flight = pipeline, flight
        self._window, self._stream, self._spec = window, stream, spec
        self._lock = threading.Lock()
        self._begun = 0
        self._pieces: dict[int, tuple[FloatArray, ...]] = {}
        self._pairs: int | None = None
        self._done = 0

    def feed(self, frames: Frames) -> None:
        """Begin the flow of whole runs of `frames`, the window's first ones, so far as it has not begun."""
        while self._begun + PAIRS < len(frames):
            self._begin(frames[self._begun : self._begun + PAIRS + 1])

    def finish(self, frames: Frames) -> None:
        """Begin what is left; `frames` are all of the window's. Raises ClipError for a single one."""
        if len(frames) < 2:
            raise ClipError("optical flow needs at least two frames", where=self._flight.clip.path)
        pairs = len(frames) - 1
        with self._lock:
            self._pairs = pairs
        self.feed(frames)
        if self._begun < pairs:
            self._begin(frames[self._begun :])
        else:
            self._conclude()

    def _begin(self, frames: Frames) -> None:
        first = self._begun
        self._begun += len(frames) - 1
        self._pipeline.flow(self._flight, frames, self._spec, lambda piece: self._computed(first, piece))

    def _computed(self, first: int, piece: tuple[FloatArray, ...]) -> None:
        with self._lock:
            self._pieces[first] = piece
            self._done += len(piece[0])
        self._conclude()

    def _conclude(self) -> None:
        with self._lock:
            if self._done != self._pairs:
                return
            pieces, self._pieces = self._pieces, {}
            self._pairs = None  # once only
        crops = zip(*(pieces[first] for first in sorted(pieces)), strict=True)
        fields = [np.concatenate(of_crop) for of_crop in crops]
        self._pipeline.window_arrived(self._flight, self._window, self._stream, fields)
