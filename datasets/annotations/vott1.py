"""VoTT 1: a file `<video>.json` for each video.

Source: microsoft/VoTT, branch v1; and version 2, which reads it: src/models/v1Models.ts,
src/services/importService.ts.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from ...errors import ClipError
from .names import readings
from .tags import RecordedVideo, Tag, checked, distinct, field, label_list, positive


def read_v1(path: Path, content: dict[str, Any]) -> RecordedVideo:
    """The video that a VoTT 1 file is about.

    - `path`: the file; its name without `.json` is the video's.
    - `content`: `frames` has regions by the number of a sample, from 1; sample k is at (k − 1) / `framerate`.
      A tagged sample counts as visited, whether `visitedFrames` has it or not: what is tagged was on screen.

    Raises ClipError, which names the place, for what is damaged.
    """
    where = str(path)
    video = path.name.removesuffix(".json")
    if video == path.name or "." not in video:
        raise ClipError("the name does not say of which video", where=where, expected="<video>.mp4.json")
    rate = positive(content.get("framerate"), f"{where}, framerate")
    labels: dict[int, list[str]] = {}
    for key, regions in field(content, "frames", dict, where).items():
        place = f"{where}, frames, {key}"
        tags = []
        for number, region in enumerate(checked(regions, list, place), 1):
            here = f"{place}, region {number}"
            tags += label_list(field(checked(region, dict, here), "tags", list, here), f"{here}, tags")
        if tags:
            if (sample := _sample(key, place)) in labels:
                raise ClipError("the sample occurs twice", where=place)
            labels[sample] = tags
    for visited in field(content, "visitedFrames", list, where):
        labels.setdefault(_sample(visited, f"{where}, visitedFrames"), [])
    tags_of = tuple(Tag(Fraction(k - 1) / rate, distinct(names)) for k, names in labels.items())
    return RecordedVideo(readings(video, where), where, rate, tags_of)


def _sample(value: Any, where: str) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise ClipError(
            "is not the number of a sample", where=where, expected="1, 2, 3, …", found=repr(value)[:60]
        )
    return int(text)
