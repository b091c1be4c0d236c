"""What annotations of video say, whatever tool and format they come from.

A tagging tool shows samples of a video, so many a second. The annotator visits some of them, and tags some of
those.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...errors import ClipError
from ...parsing import parse_fraction


@dataclass(frozen=True, slots=True)
class Tag:
    """A sample that the annotator visited.

    - `time_s`: seconds from the video's first frame; the sample is the frame on screen at that time.
    - `labels`: distinct, sorted; none for a sample that was visited and not tagged. A sample that was not
      visited says nothing and has no `Tag`.
    """

    time_s: Fraction
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordedVideo:
    """A tagged video as the annotations have it; its file is yet to be found.

    - `names`: the path by which the tool knew it, "/" between folders; two where it can be read in two ways.
    - `where`: the place in the annotations that names it. `sha256`: of the file, where that is recorded.
    - `rate`: samples a second; None if the format does not record it. `tags`: in any order.
    """

    names: tuple[str, ...]
    where: str
    rate: Fraction | None
    tags: tuple[Tag, ...]
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class TaggedVideo:
    """A tagged video and its file.

    - `path`: of the file; None if it is not there. `name`: its path in the folder of the videos, or, if it is
      not there, the recorded one.
    - `rate`: samples a second. `tags`: in the order of their times, no two at one time.
    """

    name: str
    path: Path | None
    rate: Fraction
    tags: tuple[Tag, ...]


def distinct(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels of a `Tag`: each once, sorted."""
    return tuple(sorted(set(labels)))


KINDS = {dict: "an object", list: "a list", str: "text", int: "a whole number"}


def field(record: dict[str, Any], key: str, kind: type, where: str) -> Any:
    """The value of `key` in a JSON object, of the given kind. Raises ClipError, which names the place."""
    if key not in record:
        raise ClipError(f"has no `{key}`", where=where, expected=KINDS[kind])
    return checked(record[key], kind, f"{where}, {key}")


def checked(value: Any, kind: type, where: str) -> Any:
    """The value, which must be of the given kind. Raises ClipError, which names the place."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ClipError("has the wrong type", where=where, expected=KINDS[kind], found=repr(value)[:60])
    return value


def number(value: Any, where: str) -> Fraction:
    """A finite number of 0 or more, exactly as its decimals say: 0.1 is 1/10.

    - `value`: a JSON number or a text.

    Raises ClipError, which names the place, for anything else.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 40:
            raise ValueError
        found = parse_fraction(str(value))
        if not 0 <= found < 10**9:
            raise ValueError
        return found
    except ValueError:
        raise ClipError(
            "is not a number", where=where, expected="0 or more", found=repr(value)[:60]
        ) from None


def positive(value: Any, where: str) -> Fraction:
    """As `number`, and not 0."""
    result = number(value, where)
    if not result:
        raise ClipError("is 0", where=where, expected="samples a second, more than 0")
    return result


def label_list(value: Any, where: str) -> list[str]:
    """The labels of a region. Raises ClipError, which names the place, for what is no list of names."""
    labels = checked(value, list, where)
    for label in labels:
        if not checked(label, str, where).strip():
            raise ClipError("a tag has no name", where=where)
    return [label.strip() for label in labels]
