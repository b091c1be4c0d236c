"""Split lists: files in which a data set publishes which of its videos are for training and which for test.

Three forms are read, each line or row about one video:

- UCF101 (Soomro, Zamir and Shah 2012, arXiv:1212.0402): `CLASS/v_CLASS_g01_c01.avi`, in lists for training
  with the number of the class behind it;
- ARID (Xu et al. 2020, arXiv:2006.03876): its number, that of the class, and the path, between tabs;
- OmniFall (`splits/cs`, `splits/cv`): a CSV whose column `path` has the paths of its lists of segments.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from ...errors import ClipError
from .csv_rows import csv_rows, read_text

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = get_args(Side)

Sides = Mapping[str, Side | None]
"""Path of a video, as its list has it → its side; None: it is listed, and used on none."""

_LINE = re.compile(r"(?:\d+\t\d+\t)?(?P<path>[^\t]+\.\w+)(?: \d+)?")


def read_split_lists(lists: Mapping[Side, Path]) -> Sides:
    """The side of each video.

    - `lists`: side → the file that lists its videos.

    Raises ClipError, with the line, for what is none of the forms, for a video on two sides, and for a list
    without one.
    """
    sides: dict[str, Side | None] = {}
    for side, file in lists.items():
        empty = True
        for line, path in _paths(file):
            empty = False
            if sides.setdefault(path, side) != side:
                raise ClipError(
                    "the video is on two sides",
                    where=f"{file}:{line}",
                    found=f"{path} for {sides[path]} and {side}",
                )
        if empty:
            raise ClipError("the split list names no video", where=file)
    return sides


def _paths(file: Path) -> Iterator[tuple[int, str]]:
    """The number of each line, and the path in it."""
    if file.suffix.lower() == ".csv":
        _, rows = csv_rows(file, ("path",), "split list")
        found = ((line, row["path"].strip()) for line, row in rows)
    else:
        lines = enumerate(read_text(file, "split list").splitlines(), 1)
        found = ((number, _path(line.strip(), f"{file}:{number}")) for number, line in lines if line.strip())
    for line, path in found:
        if not path:
            raise ClipError("no path", where=f"{file}:{line}")
        yield line, path


def _path(line: str, where: str) -> str:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ClipError(
            "not a line of a split list",
            where=where,
            expected="a path, with the class's number after a space, or two numbers and a path with tabs",
            found=line,
        )
    return match["path"]


def listed_paths(files: Sequence[str], listed: Collection[str]) -> list[str | None]:
    """Under which path each file of a folder is listed; None if it is not.

    - `files`: paths in the folder. `listed`: paths in the lists.

    A file is found by its path or, as people sort videos into folders of their own, by its name alone, also
    without a prefix such as "hmdb51_"; but not by a name that several listed paths have.
    """
    names = Counter(PurePosixPath(path).name for path in listed)
    by_name = {name: path for path in listed if names[name := PurePosixPath(path).name] == 1}

    def find(file: str) -> str | None:
        name = PurePosixPath(file).name
        if file in listed:
            return file
        return by_name.get(name) or by_name.get(name.partition("_")[2])

    return [find(file) for file in files]
