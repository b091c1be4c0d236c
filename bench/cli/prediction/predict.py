"""`bench predict` and `bench parity`: predictions of a network, and whether its backends agree."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ....atomic import write_file
from ....errors import MeasurementError, UsageError
from ....models.registry import MODEL_IN_WORDS
from ....plain_text import plain_line
from ....reports.numbers import counted
from ...plan.config import SETTINGS, from_mapping
from ..options import check_writable
from ..settings import given_settings, with_settings

if TYPE_CHECKING:
    from ...predict import Prediction

ModelArgument = Annotated[
    str,
    typer.Argument(help=f"Network: {MODEL_IN_WORDS}."),
]


@with_settings("weights", "device", "threads", "views", "flow", "clip_timeout")
def predict(
    context: typer.Context,
    model: ModelArgument,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Videos, or .npy/.npz arrays.")],
    logits: Annotated[
        Path | None, typer.Option(help="Write the logits (views, classes) to this .npy.")
    ] = None,
) -> None:
    """Print the top-5 classes of videos; with --logits, also write the logits of one video."""
    from ...console.progress import Console
    from ...predict import caveat, plan_predictions, predictions

    if logits is not None and logits.suffix != ".npy":
        raise UsageError("is not the name of an .npy file", where="--logits", found=logits)
    check_writable("--logits", logits)
    config = from_mapping({"models": (model,), **given_settings(context)}, "command line")
    console = Console()
    planned, clips = plan_predictions(config, inputs, console.say)
    total = len(clips) + len(clips.missing)
    if logits is not None and total != 1:
        raise UsageError("takes the logits of one input", where="--logits", found=counted(total, "input"))
    if (warning := caveat([each.kind for each in planned.weights.values()])) is not None:
        print(warning)
    for clip in clips.missing:
        console.say(f"{clip.path}: file does not exist")
    failed = len(clips.missing)
    for answer in predictions(planned, clips, config.clip_timeout, console):
        if isinstance(answer, MeasurementError):
            failed += 1
            console.say(str(answer))
            continue
        _print(answer)
        if logits is not None:
            array = io.BytesIO()  # numpy cannot write to a pipe
            np.save(array, answer.logits, allow_pickle=False)
            write_file(logits, array.getvalue())
    if failed:
        raise MeasurementError(f"{failed} of {counted(total, 'input')} could not be predicted")


def _print(answer: Prediction) -> None:
    stages = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in answer.stages_s.items())
    counts = f"{counted(answer.frames, 'frame')}, {counted(answer.views, 'view')}"
    print(f"{plain_line(str(answer.path))}: {counts} ({stages})")
    for label, probability in answer.top():
        print(f"  {probability:8.4%}  {plain_line(label)}")
    if (point := answer.operating_point) is not None:
        probability = float(answer.probabilities[answer.labels.index(point.label)])
        sign = "≥" if probability >= point.threshold else "<"
        reached = f"{plain_line(point.label)} {probability:.4%} {sign} {point.threshold:.4%}, {point.reason}"
        print(f"  at the operating point: {plain_line(answer.decision)} ({reached})")


_OF_PARITY = {
    **{name: SETTINGS[name] for name in ("weights", "device", "threads", "flow", "clip_timeout")},
    "data": replace(
        SETTINGS["data"],
        help=f"compare on clips instead of random input; {SETTINGS['data'].help}",
        default=None,
    ),
}


@with_settings(of=_OF_PARITY)
def parity(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A network with several backends (`bench models`).")
    ] = SETTINGS["models"].default[0],
    backends: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated BACKEND:PRECISION:VARIANT, the first is the reference; by default all that "
            "this machine can run."
        ),
    ] = None,
    shapes: Annotated[
        str | None,
        typer.Option(
            help="Sizes of the random input, comma-separated: frames x height x width [x batch], such as "
            "17x199x210x2; by default five that reveal mistakes in padding."
        ),
    ] = None,
    clips: Annotated[int, typer.Option(help="With --data: number of clips, a seeded random sample.")] = 4,
    target: Annotated[
        str | None, typer.Option(help="Also print the drift of this class's probability.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Reproduce the authors' published example with their weights.")
    ] = False,
) -> None:
    """Check that the backends of a network give the same result with the same weights, on this machine."""
    from ...agreement.parity import check_parity, check_published, parse_shapes
    from ...console.progress import Console

    given = given_settings(context, _OF_PARITY)
    config = from_mapping({"models": (model,), "max_clips": clips, **given}, "command line").resolved()
    names = None if backends is None else tuple(backends.split(","))
    if published:
        check_published(config, names, Console())
    else:
        check_parity(config, names, parse_shapes(shapes), Console(), "data" in given, target)
