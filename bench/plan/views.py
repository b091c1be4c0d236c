"""How a run cuts its videos into views: what `--views` says, and what the weights in use do."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import UsageError, did_you_mean
from ...models.registry import ModelRequest
from ...models.spec import MOST_CLIPS, Tail, Views, Weights

PUBLISHED, SINGLE = "published", "single"
"""Values of `--views` beside a number of clips."""

_SHOWN = 40
"""Characters of a wrong value that its error repeats."""

_TAILS: Mapping[Tail, str] = {
    "loop": "last one looped",
    "hold": "last one filled with its last frame",
    "drop": "remainder left out",
}


def check_views(value: str) -> None:
    """Raise UsageError for what `--views` does not take."""
    if value in (PUBLISHED, SINGLE) or _clips(value) is not None:
        return
    if value == "video":
        raise UsageError(
            "is now called `published`: the protocol that the weights were published with",
            where="--views video",
            remedy=f"Write --views {PUBLISHED}, or leave it out.",
        )
    shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
    if value.lstrip("-").isdigit():
        raise UsageError(
            "is no number of clips", where=f"--views {shown}", expected=f"1 to {MOST_CLIPS} clips"
        )
    raise UsageError(
        f"unknown value of --views '{shown}'",
        remedy=f"{did_you_mean(value, (PUBLISHED, SINGLE))}Known: {PUBLISHED}, {SINGLE}, and a number of "
        f"clips from 1 to {MOST_CLIPS}",
    )


def _clips(value: str) -> int | None:
    """The number that `value` is; None if it is none from 1 to `MOST_CLIPS`."""
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(MOST_CLIPS))):
        return None  # Python refuses to read a number of thousands of digits
    return int(value) if 1 <= int(value) <= MOST_CLIPS else None


def planned_views(request: ModelRequest, weights: Mapping[str, Weights], value: str) -> Views:
    """The views of a model in a run; for "single", those that it takes one from the middle in place of.

    - `request`: the model. `weights`: stream → the weights in use. `value`: of `--views`.

    Raises WeightsError if the streams' views differ.
    """
    published = request.views(weights)
    clips = _clips(value)
    return published if clips is None else published.with_clips(clips)


def views_in_words(views: Views, single: int | None, weights: Mapping[str, Weights]) -> str:
    """How a video is cut into views and their scores averaged, as text for reports.

    - `views`: of the run. `single`: frames of a single view in their place; None for `views`.
    - `weights`: stream → the weights in use, which say how many frames are left out.
    """
    steps = sorted({each.description.preprocessing.every for each in weights.values()} - {1})
    thinned = [f"every {' or '.join(map(_ordinal, steps))} frame"] if steps else []
    if single is not None:
        return ", ".join([f"one window of up to {single} frames from the middle", *thinned])
    crops = f" × {views.crops} crops" if views.crops > 1 else ""
    averaged = f"{views.average} averaged"
    if views.window is None:
        return ", ".join([f"whole video in one pass{crops}", *thinned, *([averaged] if crops else [])])
    if views.clips is not None:
        counted = f"{views.clips} clip{'s' if views.clips > 1 else ''} of {views.window} frames{crops}"
        where = "evenly spaced" if views.clips > 1 else "from the beginning"
        return ", ".join([counted, where, *thinned, averaged])
    step = "without overlap" if views.stride in (None, views.window) else f"every {views.stride} frames"
    tail = _TAILS[views.tail]
    return ", ".join([f"windows of {views.window} frames{crops} {step}", tail, *thinned, averaged])


def _ordinal(number: int) -> str:
    """ "2nd", "3rd", "4th", "11th"."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
