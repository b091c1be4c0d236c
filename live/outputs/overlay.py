"""What a session sees, drawn on its picture: the label above, the session's state below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ...plain_text import plain_line
from ..labelling import PersonLabel
from .output import Shown

Pixels = npt.NDArray[np.uint8]

WHITE, GREY, AMBER, GREEN = (255, 255, 255), (200, 200, 200), (255, 200, 60), (90, 220, 120)

SHADE = 0.3
"""What is left of the picture's brightness below text: white on a white picture then has a contrast of 8:1
(WCAG 2.1 asks for 4.5:1)."""

LINES = 24
"""Lines of text that would fill the picture's height, above the smallest font."""

SMALLEST = 10
"""Font size in pixels below which letters cannot be told apart."""

TALL = 200
"""Height in pixels from which on there is room for the likeliest classes."""


def drawn(pixels: Pixels, shown: Shown) -> Pixels:
    """A copy of the picture with what stands on it.

    - `pixels`: (H, W, 3) uint8 RGB, of any size from 160×120 on.
    - `shown`: what stands on it.

    Above: label, a bar of its confidence and, on pictures of `TALL` pixels, the likeliest classes. Below:
    everything that limits what the label means, the label's age, and the frames a second. Between: a box for
    each person, with id and label; the likeliest classes then leave room for these.
    """
    made = pixels.copy()
    height, width = made.shape[:2]
    size = max(SMALLEST, height // LINES)
    people = shown.people or ()
    for person in people:
        _box(made, person, size)
    above = _Panel(width, size)
    _label(above, shown, size)
    if height >= TALL and shown.people is None:
        for name, probability in shown.top:
            above.line(f"{100 * probability:3.0f} %  {name}", GREY)
    below = _Panel(width, size)
    for caveat in shown.status.caveats:
        below.paragraph(caveat, AMBER)
    age = "no label yet" if shown.age_s is None else f"label {shown.age_s:.2f} s old"
    below.line(f"{age} · {shown.status.processed_fps:.1f} fps", GREY)
    above.onto(made, top=True)
    below.onto(made, top=False)
    between = made[above.height : max(above.height, height - below.height)]
    _tags(between, people, size, above.height, height)
    return made


def _label(panel: _Panel, shown: Shown, size: int) -> None:
    decision = shown.decision
    if decision is None:
        panel.line(str(shown.waiting), GREY)
        return
    whose = "" if shown.person is None else f" (person {shown.person})"
    clearing = f" ({decision.clearing[-1]} ended)" if decision.clearing else ""
    if decision.label is None:
        panel.line(f"no action{whose}{clearing}", GREY, scale=1.4)
    else:
        panel.line(f"{decision.label} {100 * decision.confidence:.0f} %{whose}", WHITE, scale=1.4)
        panel.bar(decision.confidence, max(3, size // 3))


def _box(picture: Pixels, label: PersonLabel, size: int) -> None:
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = (min(max(share, 0.0), 1.0) for share in label.person.box)
    first = (round(x0 * (width - 1)), round(y0 * (height - 1)))
    last = (round(x1 * (width - 1)), round(y1 * (height - 1)))
    cv2.rectangle(picture, first, last, _colour(label), max(1, size // 10))


def _tags(picture: Pixels, people: Sequence[PersonLabel], size: int, offset: int, whole: int) -> None:
    """Id and label of each person at the upper edge of the box, or as near to it as there is room.

    - `picture`: the part between the panels, which begins at row `offset` of `whole`.
    """
    height, width = picture.shape[:2]
    line = round(1.3 * size)
    taken: list[tuple[int, int, int]] = []
    for person in people:
        text = plain_line(_person_text(person))
        length = min(round(_font(size).getlength(text)) + size // 2, width)
        x = min(max(round(person.person.box[0] * width), 0), width - length)
        y = min(max(round(person.person.box[1] * whole) - offset, 0), max(0, height - line))
        while any(x < right and left < x + length and abs(y - top) < line for left, right, top in taken):
            y += line
        if y + line > height:
            continue
        taken.append((x, x + length, y))
        image = Image.fromarray((SHADE * picture[y : y + line, x : x + length]).astype(np.uint8))
        ImageDraw.Draw(image).text((size // 4, 0), text, _colour(person), _font(size))
        picture[y : y + line, x : x + length] = np.asarray(image)


def _colour(label: PersonLabel) -> tuple[int, int, int]:
    if not label.person.watched:
        return GREY
    return GREEN if label.decision is not None and label.decision.label is not None else WHITE


def _person_text(label: PersonLabel) -> str:
    """Id and label of a person, on one line."""
    decision = label.decision
    if not label.person.watched:
        return f"{label.person.id}"
    if decision is None:
        return f"{label.person.id}: waiting"
    if decision.label is None:
        return f"{label.person.id}: no action"
    return f"{label.person.id}: {decision.label} {100 * decision.confidence:.0f} %"


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with Matplotlib and has Latin, Greek, Cyrillic and Arabic letters."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


class _Panel:
    """Lines of text below each other, for a part of a picture of `width` pixels; `size`: of the font."""

    def __init__(self, width: int, size: int) -> None:
        self._width, self._size, self._margin = width, size, max(2, size // 3)
        self._height = self._margin
        self._texts: list[tuple[int, str, tuple[int, int, int], int]] = []
        self._bars: list[tuple[int, int, int]] = []

    def line(self, text: str, colour: tuple[int, int, int], scale: float = 1.0) -> None:
        """A line, cut with an ellipsis where it is too long."""
        size = round(scale * self._size)
        self._texts.append((self._height, self._fitted(plain_line(text), size), colour, size))
        self._height += round(1.25 * size)

    def paragraph(self, text: str, colour: tuple[int, int, int]) -> None:
        """As many lines as the text needs."""
        words = plain_line(text).split(" ")
        while words:
            count = len(words)
            while count > 1 and not self._fits(" ".join(words[:count]), self._size):
                count -= 1
            self.line(" ".join(words[:count]), colour)
            words = words[count:]

    def bar(self, share: float, height: int) -> None:
        """A bar as long as a share, 0–1, of the width."""
        length = round(min(max(share, 0.0), 1.0) * (self._width - 2 * self._margin))
        self._bars.append((self._height, height, length))
        self._height += height + self._margin

    @property
    def height(self) -> int:
        """Pixels."""
        return self._height + self._margin

    def onto(self, picture: Pixels, *, top: bool) -> None:
        """Draw it on the picture's upper or lower edge; what has no room there is left out."""
        height = min(self.height, len(picture))
        part = slice(None, height) if top else slice(len(picture) - height, None)
        image = Image.fromarray((SHADE * picture[part]).astype(np.uint8))
        draw = ImageDraw.Draw(image)
        for y, text, colour, size in self._texts:
            draw.text((self._margin, y), text, colour, _font(size))
        for y, thickness, length in self._bars:
            left = self._margin
            draw.rectangle((left, y, self._width - left - 1, y + thickness - 1), (70, 70, 70))
            if length:
                draw.rectangle((left, y, left + length - 1, y + thickness - 1), GREEN)
        picture[part] = np.asarray(image)

    def _fits(self, text: str, size: int) -> bool:
        return _font(size).getlength(text) <= self._width - 2 * self._margin

    def _fitted(self, text: str, size: int) -> str:
        if self._fits(text, size):
            return text
        while text and not self._fits(f"{text}…", size):
            text = text[:-1]
        return f"{text}…"
