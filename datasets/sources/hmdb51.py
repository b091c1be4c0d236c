"""HMDB51: what its files' names say, and its official split lists.

Kuehne et al., ICCV 2011, doi:10.1109/ICCV.2011.6126543. A name is
`FILM_CLASS_VISIBLE_CAMERA_PEOPLE_DIRECTION_QUALITY_NUMBER.avi`, as on the data set's page:
https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import ClipError
from ..clip import Clip, ClipSet
from ..labels import LabelMatcher
from .folder import load_folder
from .split_lists import Side, Sides

CLASSES = (
    *("brush_hair", "cartwheel", "catch", "chew", "clap", "climb", "climb_stairs", "dive", "draw_sword"),
    *("dribble", "drink", "eat", "fall_floor", "fencing", "flic_flac", "golf", "handstand", "hit", "hug"),
    *("jump", "kick", "kick_ball", "kiss", "laugh", "pick", "pour", "pullup", "punch", "push", "pushup"),
    *("ride_bike", "ride_horse", "run", "shake_hands", "shoot_ball", "shoot_bow", "shoot_gun", "sit"),
    *("situp", "smile", "smoke", "somersault", "stand", "swing_baseball", "sword", "sword_exercise"),
    *("talk", "throw", "turn", "walk", "wave"),
)

_NAME = re.compile(
    rf"(?P<film>.+)_(?P<label>{'|'.join(CLASSES)})"
    r"_[fulh]_(?:cm|nm)_np\d+_(?:fr|ba|le|ri)_(?:goo|med|bad)_\d+"
)
_PART = re.compile(r"_\d+$")
_SIDES: Mapping[str, Side | None] = {"1": "train", "2": "test", "0": None}
FIRST_SPLIT = "*_test_split1.txt"


@dataclass(frozen=True, slots=True)
class Name:
    """`film`, as the name has it, and `label`, one of `CLASSES`."""

    film: str
    label: str

    @property
    def whole_film(self) -> str:
        """The film whichever part of it, and however written: "Return_of_the_King_4" and
        "RETURN_OF_THE_KING" are one."""
        return _PART.sub("", self.film).casefold()


def parse_name(stem: str) -> Name | None:
    """What a file's name without its ending says; None if it is not a name of HMDB51's form."""
    match = _NAME.fullmatch(stem)
    return None if match is None else Name(match["film"], match["label"])


def load_hmdb51(argument: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:  # noqa: ARG001
    """The clips under a folder whose names are of HMDB51's form, with the class of the name.

    The folders they lie in do not matter. Other videos count as ignored. Raises ClipError if there is none.
    """
    found = load_folder(argument, vocabulary=())
    matcher = LabelMatcher(vocabulary)
    clips: list[Clip] = []
    unknown: set[str] = set()
    for clip in found:
        name = parse_name(clip.path.stem)
        if name is None:
            continue
        label = matcher(name.label)
        if label is None:
            unknown.add(name.label)
        clips.append(replace(clip, label=label or name.label, source="hmdb51"))
    if not clips:
        raise ClipError(
            "no video with a name of HMDB51",
            where=argument,
            expected="e.g. FILM_fall_floor_f_cm_np1_fr_med_0.avi",
            found=found.clips[0].path.name,
        )
    ignored = found.ignored + len(found) - len(clips)
    return ClipSet(found.name, tuple(clips), unknown_labels=tuple(sorted(unknown)), ignored=ignored)


def read_split_lists(place: Path) -> Sides:
    """Name of a file → its side; None for those that the split leaves out (code 0).

    - `place`: a folder of `CLASS_test_split1.txt` files, or a pattern such as FOLDER/*_test_split2.txt.

    Raises ClipError, with the line, for what is malformed or contradicts another line.
    """
    folder, pattern = (place, FIRST_SPLIT) if place.is_dir() else (place.parent, place.name)
    files = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if not files:
        raise ClipError(
            "no split lists of HMDB51",
            where=place,
            expected=f"a folder with {FIRST_SPLIT}, or a pattern of files",
        )
    sides: dict[str, Side | None] = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ClipError("cannot be read", where=file, found=error) from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            name, _, code = line.strip().rpartition(" ")
            if not name or code not in _SIDES:
                raise ClipError(
                    "not a line of a split list of HMDB51",
                    where=f"{file}:{number}",
                    expected="a file's name and 0, 1 or 2",
                    found=line,
                )
            if sides.setdefault(name.strip(), _SIDES[code]) != _SIDES[code]:
                raise ClipError("the file is on two sides", where=f"{file}:{number}", found=name)
    return sides
