"""`bench flow`: the optical-flow methods, their comparison, and their flow as a video."""

from __future__ import annotations

import statistics
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...atomic import write_file
from ...errors import ClipError, UsageError
from ...reports.numbers import counted
from ..plan.config import SETTINGS
from .options import check_writable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ...datasets.clip import Clip
    from ...flow.evaluation.comparison import MethodResult
    from ..console.progress import Console

app = typer.Typer(
    help="Optical flow: list the methods, compare them, render their flow as a video.", no_args_is_help=True
)

RATE = Fraction(25)
"""Frames a second that flow is computed at, as I3D was trained."""

SHORT_SIDE = 256
"""Shorter side of the frames, pixels, as I3D was trained."""


@app.command("list")
def list_() -> None:
    """List the methods that `--flow` takes, their parameters, and their error on a synthetic frame pair."""
    from ...errors import BackendUnavailable
    from ...flow.evaluation.known_motion import SHIFT, known_motion_error
    from ...flow.registry import get_method, method_names, summary

    for name in method_names():
        try:
            method = get_method(name)
        except BackendUnavailable as error:
            print(f"{name}: {error}\n")
            continue
        print(f"{name}: {summary(name)}")
        for key, value in method.describe().items():
            if isinstance(value, dict):
                value = ", ".join(f"{k} {v}" for k, v in value.items() if k != "name")
            if key != "name":
                print(f"  {key}: {value}")
        print(f"  error on a synthetic pair, measured now: {known_motion_error(method):.3f} px")
        print()
    print(
        f"The synthetic pair moves by {SHIFT[0]:g}, {SHIFT[1]:g} px; "
        "`bench flow compare` measures on real video."
    )


@app.command()
def compare(
    videos: Annotated[
        list[Path] | None, typer.Argument(help="Videos or folders of videos; by default the demo clips.")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Names of methods, comma-separated; by default all, without a CUDA device all but `-torch`."
        ),
    ] = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option(help="Folder of frame pairs with true flow (Middlebury, KITTI, Flying Chairs)."),
    ] = None,
    pairs: Annotated[
        int, typer.Option(help="Number of consecutive frame pairs from the middle of each video.")
    ] = 10,
    threads: Annotated[
        int | None,
        typer.Option(help="Methods are timed with one thread and with this number; by default one per core."),
    ] = None,
    repetitions: Annotated[int, typer.Option(help="Number of rounds over all videos.")] = 3,
    output: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
) -> None:
    """Time the methods in turns on the same pairs of frames, and measure the error of their flow."""
    from ...flow.evaluation.comparison import compare as compare_methods
    from ...flow.evaluation.ground_truth import load_ground_truth, shrunk
    from ...flow.fields import GREY
    from ...flow.registry import get_method
    from ...reports.formats.files import json_document
    from ..console.progress import Console

    if pairs < 1 or repetitions < 1:
        raise UsageError("must be at least 1", where="--pairs/--repetitions")
    names, left_out = _default_methods() if methods is None else (methods.replace(" ", "").split(","), "")
    for name in names:
        get_method(name)  # an unknown one ends the command before videos are read
    check_writable("--json", output)
    counts = sorted({1, _threads(threads)})
    truths = [] if ground_truth is None else [shrunk(t, SHORT_SIDE) for t in load_ground_truth(ground_truth)]
    sequences = _sequences(videos, pairs, Console())
    total = len(names) * (1 + len(sequences) * repetitions) * len(counts) + len(names) * len(truths)
    with Console().task("flow", total) as progress:
        measured = compare_methods(names, sequences, truths, counts, repetitions, progress.advance)
    _print(measured, counts, len(sequences), pairs)
    if left_out:
        print(left_out)
    if output is not None:
        numbers = {
            "pairs": pairs,
            "short_side": SHORT_SIDE,
            "rate": str(RATE),
            "grey": GREY,
            "left_out": left_out,
            "methods": [_plain(m) for m in measured],
        }
        write_file(output, json_document(numbers))


def _threads(wanted: int | None) -> int:
    """The number of threads, one per core for None. Raises UsageError for far too many."""
    from ..plan.environment import check_threads, cores

    if wanted is None:
        return cores()
    check_threads("--threads", wanted)
    return wanted


def _default_methods() -> tuple[list[str], str]:
    """The methods that are compared by default, and a sentence on those that are left out."""
    from importlib.util import find_spec

    from ...flow.registry import NEEDS_TORCH, method_names

    names = list(method_names())
    if find_spec("torch") is None:
        reason = "torch is not installed"
    else:
        import torch

        if torch.cuda.is_available():
            return names, ""
        reason = "without a CUDA device they are twenty times slower than the same methods without `-torch`"
    left_out = [name for name in names if name in NEEDS_TORCH]
    return (
        [name for name in names if name not in NEEDS_TORCH],
        f"Left out: {', '.join(left_out)} ({reason}; --methods names them).",
    )


def _sequences(videos: list[Path] | None, pairs: int, console: Console) -> dict[str, npt.NDArray[np.uint8]]:
    """Grey frames from the middle of each video: name → (pairs + 1, H, W) uint8, or fewer frames.

    A video that cannot be read is left out with a message on `console`. Raises ClipError if none is left.
    """
    from ...datasets.sources.registry import load_clips
    from ...flow.fields import grey

    sources = ["demo"] if not videos else [str(path) for path in videos]
    found = {}
    for source in sources:
        clips = load_clips(source, vocabulary=())
        for clip in (*clips.clips, *clips.missing):
            try:
                frames = _frames(clip)
            except ClipError as error:
                console.say(f"left out: {error}")
                continue
            begin = max(0, (len(frames) - pairs - 1) // 2)
            found[f"{source}: {clip.id}"] = grey(frames[begin : begin + pairs + 1])
    if not found:
        raise ClipError("none of the videos can be read", where=", ".join(sources))
    return found


def _frames(clip: Clip) -> npt.NDArray[np.uint8]:
    """(T, H, W, 3) uint8 RGB, T at least 2. Raises ClipError for what cannot be read or has one frame."""
    import numpy as np

    from ...datasets.video.reader import read_frames
    from ...preprocessing.pixels import resize

    with read_frames(clip, RATE) as reader:
        frames = [resize(frame, SHORT_SIDE, "opencv-bilinear") for frame in reader]
    if len(frames) < 2:
        raise ClipError("has a single frame; flow needs two", where=clip.path)
    return np.stack(frames)


def _print(measured: list[MethodResult], counts: list[int], videos: int, pairs: int) -> None:
    from tabulate import tabulate

    from ...flow.evaluation.comparison import REFERENCE
    from ...flow.fields import GREY

    reference = next((m for m in measured if m.name == REFERENCE), None)
    headers = [
        "method",
        *(f"ms / pair\n{counted(n, 'thread')}" for n in counts),
        "pairs / s",
        "real-time\nfactor",
    ]
    headers += [
        f"times as fast\nas {REFERENCE}",
        f"px off\n{REFERENCE}",
        "worst\nvideo",
        "> 1 px\noff",
        "px off\ntruth",
    ]
    rows = []
    for m in measured:
        times = [m.milliseconds(n) for n in counts]
        rate = 1e3 / times[-1] if times[-1] else None
        rows.append(
            [
                m.name,
                *times,
                rate,
                rate / float(RATE) if rate else None,
                m.speed_up(reference, 1) if reference else None,
                statistics.fmean(m.to_reference) if m.to_reference else None,
                max(m.to_reference, default=None),
                f"{statistics.fmean(m.over_one):.1%}" if m.over_one else None,
                statistics.fmean(m.to_truth.values()) if m.to_truth else None,
            ]
        )
    print(tabulate(rows, headers=headers, floatfmt=".3g", missingval="–"))
    print(
        f"{counted(videos, 'video')}, {counted(pairs, 'pair')} of each, shorter side {SHORT_SIDE}, "
        f"{RATE} frames per second. "
        "Times: medians of wall time; speed relative to the reference: CPU time on one thread. "
        "Errors relative to OpenCV: in the centre 224×224, after clipping to ±20 px; relative to the true "
        f"flow: wherever it is known. Grey: {GREY}."
    )


def _plain(m: MethodResult) -> dict[str, object]:
    return {
        "method": m.name,
        "seconds_per_pair": {str(n): values for n, values in m.seconds.items()},
        "cpu_seconds_per_pair": {str(n): values for n, values in m.cpu_seconds.items()},
        "endpoint_error_to_reference_px": m.to_reference,
        "share_over_1_px": m.over_one,
        "endpoint_error_to_truth_px": m.to_truth,
    }


@app.command()
def render(
    video: Annotated[Path, typer.Argument(help="Video to compute the flow of.")],
    out: Annotated[Path, typer.Argument(help="Video to write (.mp4), or a folder for images.")],
    method: Annotated[str, typer.Option(help=SETTINGS["flow"].help)] = SETTINGS["flow"].default,
    fastest: Annotated[
        float, typer.Option(help="Speed, in pixels per frame, that is shown in full saturation.")
    ] = 10.0,
    threads: Annotated[int | None, typer.Option(help="CPU threads; by default one per core.")] = None,
) -> None:
    """Write the flow of a video as a video in colours: hue is direction, saturation is speed."""
    from ...datasets.sources.registry import load_clips
    from ...flow.fields import flow_fields, grey
    from ...flow.registry import get_method
    from ...flow.render import colours
    from ..console.progress import Console
    from .pictures import check_output, write_pictures

    check_output(out)
    clips = load_clips(str(video), vocabulary=())
    if len(clips) != 1:
        raise UsageError("is not one video", where=video, found=counted(len(clips), "clip"))
    frames = _frames(clips.clips[0])
    flow_method = get_method(method, _threads(threads))
    with Console().task(f"flow · {method}", len(frames) - 1) as progress:
        fields = flow_fields(grey(frames), flow_method, progress=lambda *_: progress.advance())
    write_pictures(out, colours(fields, fastest), RATE)
    print(f"{out}: {counted(len(fields), 'picture')}, full saturation at {fastest:g} px per frame")
