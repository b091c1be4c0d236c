"""From a clip to the input of a network's streams: decode, resize, flow, windows, crops.

The order of the steps is the authors': resize, then grey, then flow on the whole frame, then the crop
(field facts and sources: docs/preprocessing.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..datasets.clip import Clip
from ..datasets.sources.arrays import read_inputs
from ..datasets.video.reader import read_frames
from ..errors import ClipError
from ..flow.cache import FlowCache, cache_key
from ..flow.method import DeviceFlowMethod, FlowMethod
from ..models.spec import FloatArray, InputArray, Preprocessing, Views
from .device_flow import network_flow
from .geometry import Geometry
from .pixels import normalise
from .stopwatch import Stopwatch
from .views import ClipViews

if TYPE_CHECKING:  # OpenCV is not needed by input that is preprocessed
    from .people.main_person import FindsPerson
    from .people.square import Square

MAX_FRAMES = 4500
"""Most frames of one clip, 3 minutes at 25 fps: the streams are held in memory, 1 MB a frame for I3D."""

_CHUNK = 16
"""Frames decoded between two resizing steps: few enough to keep large frames out of memory."""

NOBODY = "no person found: the network saw whole frames"
NOT_LOOKED_FOR = "preprocessed input: no person was looked for"
"""Notes of a clip that the network did not see a person's square of, though it was asked for."""

ONE_CROP = "preprocessed input: one crop of each window"
"""Note of a clip that several crops were asked of."""

View = Mapping[str, InputArray]
"""One view of a clip: stream → (T, H, W, C) float32, or uint8 (`Preparer.uint8_streams`)."""

ReportProgress = Callable[[str, int, int], None]
"""Is called with a stage, how many units of it are done, and how many there are (0: unknown)."""


def _silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clip as input of the network.

    - `views`: for each view, stream → (T, H, W, C) float32, or uint8 (`Preparer.uint8_streams`); a tensor
      where flow stays on the device.
    - `frames`: frames that the views cover.
    - `video_s`: seconds of video that are answered: of the whole video, or those that the views show where
      their number does not depend on its length (`ClipViews.covered`).
    - `source_frames`: frames that the video itself has in `video_s`; None where it is sampled in time, which
      takes as many frames of any video, and for network input.
    - `stages_s`: seconds spent in "decode", "people", "resize" and "flow".
    - `flow_cached`: whether the flow was read from the cache.
    - `notes`: remarks on the clip that reports show with its figures.
    - `middle`: the middle frame, resized (H, W, 3) uint8; None unless the preparer keeps it.
    - `preprocessed`: whether the clip was a file of network input: nothing was decoded, resized or computed.
    """

    views: tuple[View, ...]
    frames: int
    video_s: float
    stages_s: dict[str, float]
    flow_cached: bool = False
    notes: tuple[str, ...] = ()
    middle: npt.NDArray[np.uint8] | None = None
    preprocessed: bool = False
    source_frames: float | None = None


@dataclass(frozen=True, slots=True)
class Resized:
    """The resized frames of a clip.

    - `pixels`: (T, H, W, 3) uint8.
    - `video_s`: seconds of video that they cover.
    - `source_frames`: frames that the video itself has there; None where it was sampled in time.
    - `notes`: remarks on irregularities.
    """

    pixels: npt.NDArray[np.uint8]
    video_s: float
    source_frames: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preparer:
    """Prepares clips for one network.

    - `streams`: stream → how its pixels are prepared.
    - `views`: how a video is cut into views.
    - `single`: frames of a single window from the middle instead of `views`; None for `views`.
    - `flow`: the flow method, None if no stream needs flow.
    - `cache`: of flow; None for none, as always when time is measured.
    - `notes`: remarks that apply to every clip.
    - `uint8_streams`: streams whose pixels the network normalises itself.
    - `keep_middle`: keep the middle frame of each clip, for the report.
    - `people`: finds the main person, of whom the network sees a square; None: it sees whole frames.
    - `on_device`: leave flow on the method's device, as a tensor, for a network there (a `DeviceFlowMethod`).
    """

    streams: Mapping[str, Preprocessing]
    views: Views
    single: int | None = None
    flow: FlowMethod | None = None
    cache: FlowCache | None = None
    notes: tuple[str, ...] = ()
    uint8_streams: frozenset[str] = frozenset()
    keep_middle: bool = False
    people: FindsPerson | None = None
    on_device: bool = False

    def __call__(self, clip: Clip, progress: ReportProgress = _silent) -> Prepared:
        """Prepare `clip`. Raises ClipError if it cannot be read or has too few or too many frames."""
        watch = Stopwatch()
        with watch.stage("decode"):
            inputs = read_inputs(clip)
        if inputs is not None:
            return self.from_inputs(clip, inputs, watch)
        views: list[dict[str, InputArray]] = []
        square, remarks = self.main_person(clip, watch, progress)
        frames, video_s, notes, cached = 0, 0.0, {*self.notes, *remarks}, False
        source_frames: float | None = None
        middle = None
        for geometry, names in self.geometries().items():
            resized = self.resized_frames(clip, geometry, watch, progress, square=square)
            pixels = resized.pixels
            notes.update(resized.notes)
            if self.keep_middle and middle is None:
                middle = pixels[len(pixels) // 2].copy()
            selections = self.clip_views.select(len(pixels))
            covered, share = self.clip_views.covered(selections, len(pixels))
            frames, video_s = max(frames, covered), max(video_s, resized.video_s * share)
            if resized.source_frames is not None:
                source_frames = resized.source_frames * share
            views = views or [{} for _ in range(len(selections) * self.clip_views.crops)]
            for number, selection in enumerate(selections):
                chosen = pixels if len(selection) == len(pixels) else pixels[selection]
                for name in names:
                    spec = self.streams[name]
                    if spec.modality == "rgb":
                        arrays: Sequence[InputArray] = self.rgb_input(chosen, name, watch)
                    else:
                        arrays, hit = self._flow(chosen, spec, watch, progress)
                        cached = cached or hit
                    for view, array in zip(self.clip_views.of_window(number), arrays, strict=True):
                        views[view][name] = array
        self.require_frames(clip, views)
        return Prepared(
            tuple(views),
            frames,
            video_s,
            dict(watch.seconds),
            cached,
            tuple(sorted(notes)),
            middle,
            source_frames=source_frames,
        )

    @property
    def clip_views(self) -> ClipViews:
        """How a clip is cut into views."""
        return ClipViews(self.views, self.single)

    def geometries(self) -> dict[Geometry, list[str]]:
        """Streams that share rate and size, so that their frames are decoded and resized once."""
        groups: dict[Geometry, list[str]] = {}
        for name, how in self.streams.items():
            groups.setdefault(Geometry.of(how), []).append(name)
        return groups

    def main_person(
        self, clip: Clip, watch: Stopwatch, progress: ReportProgress
    ) -> tuple[Square | None, list[str]]:
        """The square that is shown of the clip's frames, None for whole frames; remarks on it.

        - `clip`: the clip.
        - `watch`: gets the time of "people", which includes a decoding.
        - `progress`: called after each frame that persons are looked for in.

        Raises ClipError if the clip cannot be read or is too long.
        """
        if self.people is None:
            return None, []
        with watch.stage("people"):
            square = self.people(clip, lambda looked: progress("people", looked, 0))
        return square, [] if square is not None else [NOBODY]

    def resized_frames(
        self,
        clip: Clip,
        geometry: Geometry,
        watch: Stopwatch,
        progress: ReportProgress,
        resized_so_far: Callable[[list[npt.NDArray[np.uint8]]], None] = lambda _: None,
        square: Square | None = None,
    ) -> Resized:
        """The clip's frames at a rate and size.

        - `clip`: the clip.
        - `geometry`: a key of `geometries`.
        - `watch`: gets the time of "decode" and "resize".
        - `progress`: called after every few frames.
        - `resized_so_far`: called with the frames so far, after every few frames.
        - `square`: the part of the frames that is resized; None for all of it.

        Raises ClipError if the clip cannot be read or has more than MAX_FRAMES frames.
        """
        resized: list[npt.NDArray[np.uint8]] = []
        with watch.stage("decode"):
            reader = read_frames(clip, geometry.rate, every=geometry.every)
        with closing(reader):
            for chunk in self._chunks(reader, watch):
                with watch.stage("resize"):
                    shown = chunk if square is None else map(square.cut, chunk)
                    resized += [geometry.resized(frame) for frame in shown]
                progress("decode", len(resized), 0)
                resized_so_far(resized)
                if len(resized) > MAX_FRAMES:
                    raise ClipError(
                        f"has more than {MAX_FRAMES} frames",
                        where=clip.path,
                        remedy="Cut it into segments in a manifest (start_s, end_s).",
                    )
        with watch.stage("resize"):
            pixels = np.stack(resized)
        own_frames = reader.source_frames if geometry.rate is None else None
        return Resized(pixels, float(reader.video_s), own_frames, tuple(reader.notes))

    @staticmethod
    def _chunks(reader: Any, watch: Stopwatch) -> Iterator[list[npt.NDArray[np.uint8]]]:
        while True:
            with watch.stage("decode"):
                chunk = list(islice(reader, _CHUNK))
            if not chunk:
                return
            yield chunk

    def rgb_input(self, frames: npt.NDArray[np.uint8], name: str, watch: Stopwatch) -> tuple[InputArray, ...]:
        """The inputs of an RGB stream, one of each crop: (T, crop, crop, 3) float32, or uint8 for
        `uint8_streams`.

        - `frames`: resized frames (T, H, W, 3).
        - `name`: of the stream.
        - `watch`: gets the time of "resize".
        """
        spec = self.streams[name]
        with watch.stage("resize"):
            ordered = frames if spec.colour == "rgb" else frames[..., ::-1]
            squares = self.clip_views.cropped(ordered, spec)
            if name in self.uint8_streams:
                return tuple(map(np.ascontiguousarray, squares))
            return tuple(
                normalise(square, spec.scale, spec.channel_mean, spec.channel_std) for square in squares
            )

    def _flow(
        self, frames: npt.NDArray[np.uint8], spec: Preprocessing, watch: Stopwatch, progress: ReportProgress
    ) -> tuple[tuple[FloatArray, ...], bool]:
        grey_frames = self.grey(frames, watch)
        if self.cache is None:
            return self.flow_input(grey_frames, spec, watch, progress), False
        assert self.flow is not None, "a plan with a flow stream names a method"
        key = cache_key(grey_frames, self.flow)
        fields = self.cache.get(key)
        hit = fields is not None
        if fields is None:
            fields = self._fields(grey_frames, watch, progress)
            self.cache.put(key, fields)
        return self.fields_input(fields, spec, watch), hit

    @staticmethod
    def grey(frames: npt.NDArray[np.uint8], watch: Stopwatch) -> npt.NDArray[np.uint8]:
        """Grey frames (T, H, W) of resized ones (T, H, W, 3), from which flow is computed."""
        from ..flow.fields import grey  # only here: input that is preprocessed needs no OpenCV

        with watch.stage("flow"):
            return grey(frames)

    def flow_input(
        self,
        grey_frames: npt.NDArray[np.uint8],
        spec: Preprocessing,
        watch: Stopwatch,
        progress: ReportProgress,
    ) -> tuple[FloatArray, ...]:
        """The inputs of a flow stream, one of each crop: (T−1, crop, crop, 2) float32; tensors where
        `on_device` is set.

        - `grey_frames`: (T, H, W).
        - `spec`: how the stream's pixels are prepared.
        - `watch`: gets the time of "flow" and "resize".
        - `progress`: called after each pair of frames.
        """
        if self.on_device:
            assert isinstance(self.flow, DeviceFlowMethod)
            return network_flow(
                grey_frames,
                self.flow,
                spec,
                lambda fields: self.clip_views.cropped(fields, spec),
                watch,
                progress,
            )
        return self.fields_input(self._fields(grey_frames, watch, progress), spec, watch)

    def _fields(
        self, grey_frames: npt.NDArray[np.uint8], watch: Stopwatch, progress: ReportProgress
    ) -> npt.NDArray[np.float32]:
        from ..flow.fields import flow_fields

        assert self.flow is not None, "a plan with a flow stream names a method"
        with watch.stage("flow"):
            return flow_fields(
                grey_frames, self.flow, progress=lambda done, total: progress("flow", done, total)
            )

    def fields_input(
        self, fields: npt.NDArray[np.float32], spec: Preprocessing, watch: Stopwatch
    ) -> tuple[FloatArray, ...]:
        """The inputs of a flow stream, (T, crop, crop, 2) float32 of each crop, from fields (T, H, W, 2)."""
        from ..flow.fields import FLOW_BOUND, to_network

        with watch.stage("resize"):
            bound = spec.flow_bound or FLOW_BOUND
            return tuple(to_network(square, bound) for square in self.clip_views.cropped(fields, spec))

    def from_inputs(self, clip: Clip, inputs: Mapping[str, FloatArray], watch: Stopwatch) -> Prepared:
        """The views of an array file that contains network input: nothing is resized or computed.

        - `clip`: the clip.
        - `inputs`: stream → (T, H, W, C) float32 (`read_inputs`).
        - `watch`: has the time of "decode".

        Raises ClipError if a stream is missing or too short.
        """
        missing = sorted(self.streams.keys() - inputs.keys())
        if missing:
            raise ClipError(
                f"holds no `{'`, `'.join(missing)}` input", where=clip.path, found=", ".join(sorted(inputs))
            )
        length = min(len(inputs[name]) for name in self.streams)
        selections = self.clip_views.select(length)
        views: list[dict[str, InputArray]] = [
            {name: inputs[name][selection] for name in self.streams} for selection in selections
        ]
        self.require_frames(clip, views)
        rates = [(how.rate or Fraction(25)) / how.every for how in self.streams.values()]
        covered, share = self.clip_views.covered(selections, length)
        notes = [] if self.people is None else [NOT_LOOKED_FOR]
        notes += [] if self.clip_views.crops == 1 else [ONE_CROP]
        return Prepared(
            tuple(views),
            covered,
            share * float(length / rates[0]),
            dict(watch.seconds),
            notes=tuple(notes),
            preprocessed=True,
        )

    def require_frames(self, clip: Clip, views: Sequence[View]) -> None:
        """Raise ClipError, with the clip's path, if a stream of `views` is too short for the network."""
        shortest = min((len(stream) for view in views for stream in view.values()), default=0)
        if shortest < self.views.min_frames:
            raise ClipError(
                "is too short for the network",
                where=clip.path,
                expected=f"at least {self.views.min_frames} frames in each stream",
                found=shortest,
            )
