"""`bench data augment-preview`: a clip after each filter, for people to judge how strong they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import numpy.typing as npt
import typer

from ....errors import UsageError
from ....reports.numbers import counted
from .options import SeedOption

if TYPE_CHECKING:
    from fractions import Fraction

    import torch
    from PIL.Image import Image

    from ....training.augmentation.augmentation import Augmentation

Pixels = npt.NDArray[np.uint8]

SHORT_SIDE = 256
"""Shorter side of the frames, pixels: what the filters' strengths are meant for."""

MOST_FRAMES = 64
"""Frames that are shown: the longest window that is trained on."""

COLUMNS = 6
ROW_HEIGHT = 128
"""Pixels of a picture on the contact sheet: on a screen's width there is room for six."""

_LABEL_WIDTH = 200
_GAP = 4


def augment_preview(
    video: Annotated[Path, typer.Argument(help="Video to augment.")],
    out: Annotated[Path, typer.Option(help="New folder for `sheet.png` and a video of each filter.")],
    draws: Annotated[int, typer.Option(help="How often each filter is drawn.")] = 2,
    seed: SeedOption = 0,
    start: Annotated[float, typer.Option(help="Where in the video the frames begin, seconds.")] = 0.0,
    config: Annotated[
        Path | None, typer.Option(help="YAML of the filters and their strengths (docs/augmentation.md).")
    ] = None,
) -> None:
    """Preview the augmentation: a contact sheet (a row for each draw, a column for each time), and videos.

    Each video has the original on the left, and the draws beside it.
    """
    import torch

    from ....training.augmentation.augmentation import Augmentation
    from ...console.progress import Console
    from ..pictures import write_pictures

    if draws < 1:
        raise UsageError("must be at least 1", where="--draws", found=draws)
    if start < 0:
        raise UsageError("must not be negative", where="--start", found=start)
    if out.exists():
        raise UsageError("exists already", where=f"--out {out}", remedy="Name a new folder.")
    augmentation = Augmentation() if config is None else _configured(config)
    frames, rate = _window(video, start)
    looks = _looks(augmentation)
    try:
        out.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=f"--out {out}") from error
    generator = torch.Generator().manual_seed(seed)
    rows = [Row("original", "", _columns(frames))]
    with Console().task("augmenting", len(looks)) as progress:
        for name, look in looks.items():
            beside = [frames]
            for _ in range(draws):
                words, augmented = _augmented(look, frames, generator)
                beside.append(augmented)
                rows.append(Row(name, words, _columns(augmented)))
            write_pictures(out / f"{name}.mp4", np.concatenate(beside, axis=2), rate)
            progress.advance(name)
    contact_sheet(rows).save(out / "sheet.png")
    print(f"{out / 'sheet.png'}; {counted(len(looks), 'video')} of {counted(len(frames), 'frame')} beside it")


def _configured(config: Path) -> Augmentation:
    from ....settings import from_mapping, read_config
    from ....training.augmentation.augmentation import Augmentation

    return from_mapping(Augmentation, read_config(config), f"--config {config}")


def _looks(augmentation: Augmentation) -> dict[str, Augmentation]:
    """What is shown: each filter alone, then the modes that combine them."""
    alone = {name: replace(augmentation, mode="one", filters=(name,)) for name in augmentation.filters}
    if "flip" in alone:
        alone["flip"] = replace(alone["flip"], flip=1.0)  # there is nothing to see of one that does not
    return alone | {"some": replace(augmentation, mode="some"), "all": replace(augmentation, mode="all")}


def _augmented(look: Augmentation, frames: Pixels, generator: torch.Generator) -> tuple[str, Pixels]:
    """What was drawn, in words, and the frames after it."""
    import torch

    augmented = torch.from_numpy(frames)
    drawn = look.draw(frames.shape, generator)
    for each in drawn:
        augmented = each.apply(augmented)
    words = [each.words if look.mode == "one" else f"{each.name}: {each.words}" for each in drawn]
    return "\n".join(words), augmented.numpy()


def _window(video: Path, start_s: float) -> tuple[Pixels, Fraction]:
    """The first `MOST_FRAMES` frames (T, H, W, 3) after `start_s`, or fewer, and their rate."""
    from ....datasets.sources.registry import load_clips
    from ....datasets.video.reader import read_frames
    from ....preprocessing.pixels import resize

    clips = load_clips(str(video), vocabulary=())
    if len(clips) != 1:
        raise UsageError("is not one video", where=video, found=counted(len(clips), "clip"))
    with read_frames(replace(clips.clips[0], start_s=start_s)) as reader:
        frames = [resize(frame, SHORT_SIDE, "opencv-bilinear") for frame in islice(reader, MOST_FRAMES)]
        return np.stack(frames), reader.rate


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the contact sheet: what was done, with which values, and the frames (N, H, W, 3) uint8."""

    name: str
    words: str
    frames: Pixels


def _columns(frames: Pixels) -> Pixels:
    """The frames of the sheet's columns, evenly spaced in time."""
    times = np.unique(np.linspace(0, len(frames) - 1, COLUMNS).round().astype(int))
    return np.take(frames, times, axis=0)


def contact_sheet(rows: list[Row]) -> Image:
    """The rows below each other as one picture, what was done on the left."""
    from PIL import Image, ImageDraw, ImageFont

    count, height, width = rows[0].frames.shape[:3]
    size = (max(1, ROW_HEIGHT * width // height), ROW_HEIGHT)
    columns = [_LABEL_WIDTH + number * (size[0] + _GAP) for number in range(count)]
    sheet = Image.new("RGB", (columns[-1] + size[0], len(rows) * (ROW_HEIGHT + _GAP) - _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top = number * (ROW_HEIGHT + _GAP)
        draw.text((_GAP, top), row.name, "black", ImageFont.load_default(18))
        draw.multiline_text((_GAP, top + 24), row.words, "black", ImageFont.load_default(11), spacing=2)
        for left, frame in zip(columns, row.frames, strict=True):
            sheet.paste(Image.fromarray(frame).resize(size), (left, top))
    return sheet
