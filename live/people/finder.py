"""Who is in the picture, where, and what the network sees of each person."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ...models.detectors.detector import Detector
from ...preprocessing.people.main_person import LOOKS_PER_S
from ...preprocessing.people.rolling import PeopleStream, PersonFrames
from ...preprocessing.people.square import Pixels
from .zones import Box, Zones

PATIENCE_S = 1.0
"""Seconds without a detection after which a person has left. Detectors miss persons who fall, and live nobody
can look at later frames first: twice as long as in a clip."""

MOST_PEOPLE = 8
"""Persons who have windows at most: each takes as much memory and preparation as a whole picture."""


@dataclass(frozen=True, slots=True)
class People:
    """How persons are found: `detector`, and the `zones` in which they are recognised; None: everywhere."""

    detector: Detector
    zones: Zones | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """A person in the picture.

    - `id`: the same as long as the person is followed; never used again.
    - `box`: where the person is.
    - `zone`: in which the person stands; None for none.
    - `watched`: whether the person is recognised: not outside all zones, and not beyond MOST_PEOPLE.
    """

    id: int
    box: Box
    zone: str | None
    watched: bool


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What a frame adds to one window.

    - `person`: whose window it is; None for that of whole frames.
    - `frames`: (H, W, 3) uint8 RGB each, oldest first; none: the window's last frame stands there once more.
    - `anew`: the window begins again with `frames`; otherwise `frames` is one frame at most.
    """

    person: Present | None
    frames: tuple[Pixels, ...]
    anew: bool


class PeopleFinder:
    """Finds and follows persons in the frames that the network is to see.

    - `people`: how.
    - `length`: frames of a window. `rate`: frames a second.
    """

    def __init__(self, people: People, length: int, rate: Fraction) -> None:
        every = max(1, round(rate / Fraction(LOOKS_PER_S)))
        self._stream = PeopleStream(people.detector, length, every, max(1, round(PATIENCE_S * rate)))
        self._zones = people.zones
        self._kept: set[int] = set()
        self.present: tuple[Present, ...] = ()

    def add(self, pixels: Pixels) -> tuple[Cut, ...]:
        """What the next frame adds to each person's window; `present` is then who is in it.

        Persons outside all zones have windows too, so that there is a label as soon as they enter one.
        """
        found = self._stream.add(pixels)
        height, width = pixels.shape[:2]
        boxes: dict[int, Box] = {}
        for person in found:
            x0, y0, x1, y1 = map(float, person.corners)
            boxes[person.id] = (x0 / width, y0 / height, x1 / width, y1 / height)
        zones = {id: None if self._zones is None else self._zones.at(box) for id, box in boxes.items()}

        def rank(person: PersonFrames) -> tuple[bool, bool]:
            return (self._zones is not None and zones[person.id] is None, person.id not in self._kept)

        kept = sorted(found, key=rank)[:MOST_PEOPLE]
        self._kept = {person.id for person in kept}
        by_id = {
            id: Present(
                id, box, zones[id], id in self._kept and (self._zones is None or zones[id] is not None)
            )
            for id, box in boxes.items()
        }
        self.present = tuple(by_id.values())
        return tuple(Cut(by_id[person.id], person.frames, person.anew) for person in kept)

    @property
    def too_many(self) -> str | None:
        """That not all who are in the picture have windows, as a clause; None if all have."""
        many = len(self.present) > MOST_PEOPLE
        return f"{len(self.present)} persons, of whom {MOST_PEOPLE} are recognised" if many else None

    def repeat(self) -> tuple[Cut, ...]:
        """The same where the last frame stands in the place of one that is missing; costs hardly anything."""
        self._stream.repeat()
        return tuple(Cut(person, (), anew=False) for person in self.present if person.id in self._kept)

    def forget(self) -> None:
        """Follow nobody any more: the next frame does not follow the last one."""
        self._stream.forget()
        self._kept, self.present = set(), ()
