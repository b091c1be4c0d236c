"""`bench flow`: the optical-flow methods, side by side, and their flow to look at."""

from __future__ import annotations

import json
import statistics
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..datasets.clip import Clip
    from ..flow.comparison import Measured

app = typer.Typer(
    help="Optical flow: list the methods, compare them, look at their flow.", no_args_is_help=True
)

RATE = Fraction(25)
"""Frames a second that flow is computed at, as I3D was trained."""

SHORT_SIDE = 256
"""Shorter side of the frames, pixels, as I3D was trained."""


@app.command("list")
def list_() -> None:
    """List the methods that `--flow` takes: what they are, their parameters, their error on a drawn pair."""
    from ..errors import BackendUnavailable
    from ..flow.known_motion import SHIFT, known_motion_error
    from ..flow.registry import get_method, method_names, summary

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
        print(f"  error on a drawn pair, measured now: {known_motion_error(method):.3f} px")
        print()
    print(
        f"The drawn pair moves by {SHIFT[0]:g}, {SHIFT[1]:g} px; `bench flow compare` measures on real video."
    )


@app.command()
def compare(
    videos: Annotated[
        list[Path] | None, typer.Argument(help="Videos or folders of them; the drawn clips by default.")
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Comma-separated; by default all that are at home on this machine.")
    ] = None,
    ground_truth: Annotated[
        Path | None, typer.Option(help="Folder of pairs with a true flow (Middlebury, KITTI, Chairs).")
    ] = None,
    pairs: Annotated[int, typer.Option(help="Consecutive pairs from the middle of each video.")] = 10,
    threads: Annotated[int | None, typer.Option(help="Timed with 1 and with so many; all cores.")] = None,
    repetitions: Annotated[int, typer.Option(help="Rounds through all videos.")] = 3,
    output: Annotated[Path | None, typer.Option("--json", help="Write every number to this file.")] = None,
) -> None:
    """Time the methods in turns on the same pairs of frames, and measure how far their flow is off."""
    from ..flow.comparison import compare as compare_methods
    from ..flow.fields import GREY
    from ..flow.ground_truth import load_ground_truth, shrunk
    from .environment import cores
    from .progress import Console

    if pairs < 1 or repetitions < 1:
        raise UsageError("must be at least 1", where="--pairs/--repetitions")
    names, left_out = _default_methods() if methods is None else (methods.replace(" ", "").split(","), "")
    counts = sorted({1, threads or cores()})
    truths = [] if ground_truth is None else [shrunk(t, SHORT_SIDE) for t in load_ground_truth(ground_truth)]
    sequences = _sequences(videos, pairs)
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
        output.write_text(json.dumps(numbers, indent=1), encoding="utf-8")


def _default_methods() -> tuple[list[str], str]:
    """The methods that are compared when none is named, and what to say of those that are not."""
    from importlib.util import find_spec

    from ..flow.registry import NEEDS_TORCH, method_names

    names = list(method_names())
    if find_spec("torch") is None:
        reason = "torch is not installed"
    else:
        import torch

        if torch.cuda.is_available():
            return names, ""
        reason = "without a CUDA device they take twenty times as long as the same methods without `-torch`"
    left_out = [name for name in names if name in NEEDS_TORCH]
    return (
        [name for name in names if name not in NEEDS_TORCH],
        f"Left out: {', '.join(left_out)} ({reason}; --methods names them).",
    )


def _sequences(videos: list[Path] | None, pairs: int) -> dict[str, npt.NDArray[np.uint8]]:
    """Grey frames from the middle of each video: its id → (pairs + 1, H, W) uint8, or fewer."""
    from ..datasets.sources import load_clips
    from ..flow.fields import grey

    sources = ["demo"] if not videos else [str(path) for path in videos]
    found = {}
    for source in sources:
        for clip in load_clips(source, vocabulary=()):
            frames = _frames(clip)
            begin = max(0, (len(frames) - pairs - 1) // 2)
            found[clip.id] = grey(frames[begin : begin + pairs + 1])
    return found


def _frames(clip: Clip) -> npt.NDArray[np.uint8]:
    import numpy as np

    from ..datasets.transform import resize
    from ..datasets.video import read_frames

    with read_frames(clip, RATE) as reader:
        return np.stack([resize(frame, SHORT_SIDE, "opencv-bilinear") for frame in reader])


def _print(measured: list[Measured], counts: list[int], videos: int, pairs: int) -> None:
    from tabulate import tabulate

    from ..flow.comparison import REFERENCE
    from ..flow.fields import GREY

    reference = next((m for m in measured if m.name == REFERENCE), None)
    headers = ["method", *(f"ms / pair\n{n} threads" for n in counts), "pairs / s", "real-time\nfactor"]
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
        f"{videos} videos, {pairs} pairs of each, shorter side {SHORT_SIDE}, {RATE} frames a second. "
        "Medians of wall time; how many times as fast: by CPU time on one thread. "
        "Errors to OpenCV in the centre 224×224, after clipping to ±20 px; to the truth wherever it is "
        f"known. Grey: {GREY}."
    )


def _plain(m: Measured) -> dict[str, object]:
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
    method: Annotated[str, typer.Option(help="Optical-flow method.")] = "tvl1",
    fastest: Annotated[float, typer.Option(help="Pixels a frame that get full colour.")] = 10.0,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all cores by default.")] = None,
) -> None:
    """Write the flow of a video as colours: the hue is the direction, the saturation the speed."""
    from ..datasets.sources import load_clips
    from ..flow.fields import flow_fields, grey
    from ..flow.registry import get_method
    from ..flow.render import colours
    from .environment import cores
    from .pictures import write_pictures
    from .progress import Console

    clips = load_clips(str(video), vocabulary=())
    if len(clips) != 1:
        raise UsageError("is not one video", where=video, found=f"{len(clips)} clips")
    frames = _frames(clips.clips[0])
    flow_method = get_method(method, threads or cores())
    with Console().task(f"flow · {method}", len(frames) - 1) as progress:
        fields = flow_fields(grey(frames), flow_method, progress=lambda *_: progress.advance())
    write_pictures(out, colours(fields, fastest), RATE)
    print(f"{out}: {len(fields)} pictures, full colour at {fastest:g} px a frame")
