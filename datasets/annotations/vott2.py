"""VoTT 2: a project and its assets, the JSON export, and the CSV export.

Source: microsoft/VoTT at v2.2.0: src/models/applicationState.ts, src/providers/export/vottJson.ts and csv.ts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...errors import ClipError
from ..sources.csv_rows import csv_rows
from ..sources.manifest import SHA256
from .names import readings
from .tags import RecordedVideo, Tag, checked, distinct, field, label_list, number, positive

VIDEO_FRAME = 3
"""The `AssetType` in applicationState.ts of what alone has a time; others are images and whole videos."""

NOT_VISITED, VISITED, TAGGED = 0, 1, 2
"""`AssetState` there."""

DECIMALS = Fraction(1, 10**6)
"""VoTT writes times to six decimals."""

COLUMNS = "image,xmin,ymin,xmax,ymax,label"


@dataclass(frozen=True, slots=True)
class _Frame:
    names: tuple[str, ...]
    sha256: str | None
    where: str
    tag: Tag


def read_project(path: Path, content: dict[str, Any], load: Any) -> list[RecordedVideo]:
    """The videos of a project, a `.vott` file with one `<id>-asset.json` beside it for each tagged asset.

    - `load`: reads a JSON object from a path.

    Asset files that the project does not list belong to other projects and are not read. Raises ClipError,
    which names the place, for what is damaged or missing.
    """
    rate, known = _rate(path, content), _known_tags(path, content)
    frames: list[_Frame] = []
    for name, asset in field(content, "assets", dict, str(path)).items():
        where = f"{path}, assets, {name}"
        if not re.fullmatch(r"[\w-]{1,100}", name):
            raise ClipError("is not the id of an asset", where=where)
        file = path.with_name(f"{name}-asset.json")
        state = field(checked(asset, dict, where), "state", int, where)
        if file.is_file():
            entry = load(file)
            where = str(file)
            stored = field(field(entry, "asset", dict, where), "state", int, where)
            if state != stored:
                raise ClipError(
                    "project and asset disagree about its state",
                    where=where,
                    expected=f"{state}, as in {path}",
                    found=stored,
                    remedy="Open the project in VoTT and save it",
                )
        elif state == TAGGED:
            raise ClipError("the project's asset has no file", where=where, expected=file)
        else:
            entry = {"asset": asset, "regions": []}
        frames += _frames(name, entry, where, known)
    return _videos(frames, rate, path)


def read_assets(files: Iterable[tuple[Path, dict[str, Any]]]) -> list[RecordedVideo]:
    """The videos of asset files, by path, without their project; the sampling rate is not recorded."""
    frames: list[_Frame] = []
    path = Path()
    for path, entry in files:
        frames += _frames(path.name.removesuffix("-asset.json"), entry, str(path), None)
    return _videos(frames, None, path)


def read_export(path: Path, content: dict[str, Any]) -> list[RecordedVideo]:
    """The videos of a JSON export. Raises ClipError, which names the place, for what is damaged.

    `sha256` of a frame's parent says which file it is. VoTT does not write it; our own annotations have it.
    """
    rate, known = _rate(path, content), _known_tags(path, content)
    frames: list[_Frame] = []
    for name, entry in field(content, "assets", dict, str(path)).items():
        where = f"{path}, assets, {name}"
        frames += _frames(name, checked(entry, dict, where), where, known)
    return _videos(frames, rate, path)


def read_csv(path: Path) -> list[RecordedVideo]:
    """The videos of a CSV export: tagged samples only, times in their names, the sampling rate not recorded.

    Raises ClipError, which names the line, for what is damaged.
    """
    labels: dict[tuple[tuple[str, ...], Fraction], list[str]] = defaultdict(list)
    places: dict[tuple[str, ...], str] = {}
    _, rows = csv_rows(path, ("image", "label"), "CSV export of VoTT", COLUMNS)
    for line, row in rows:
        where = f"{path}:{line}"
        (label,) = label_list([row["label"]], where)
        video, time_s = _split_time(row["image"], where)
        if time_s is None:
            raise _no_frame(where, row["image"])
        names = readings(video, where)
        places.setdefault(names, where)
        labels[names, time_s].append(label)
    frames = [
        _Frame(names, None, places[names], Tag(time_s, distinct(found)))
        for (names, time_s), found in labels.items()
    ]
    return _videos(frames, None, path)


def _rate(path: Path, content: dict[str, Any]) -> Fraction:
    settings = field(content, "videoSettings", dict, str(path))
    return positive(settings.get("frameExtractionRate"), f"{path}, videoSettings, frameExtractionRate")


def _known_tags(path: Path, content: dict[str, Any]) -> set[str]:
    where = f"{path}, tags"
    tags = field(content, "tags", list, str(path))
    return set(label_list([field(checked(tag, dict, where), "name", str, where) for tag in tags], where))


def _frames(name: str, entry: dict[str, Any], where: str, known: set[str] | None) -> Iterator[_Frame]:
    """The sample that an asset is, if it is a visited frame of a video."""
    asset = field(entry, "asset", dict, where)
    regions = field(entry, "regions", list, where)
    if asset.get("id", name) != name:
        raise ClipError(
            "has the id of another asset", where=where, expected=name, found=repr(asset["id"])[:60]
        )
    labels: list[str] = []
    for count, region in enumerate(regions, 1):
        here = f"{where}, region {count}"
        labels += label_list(field(checked(region, dict, here), "tags", list, here), f"{here}, tags")
    for label in labels:
        if known is not None and label not in known:
            raise ClipError(
                "the tag is none of the project's",
                where=where,
                expected=", ".join(sorted(known)),
                found=label,
            )
    kind = field(asset, "type", int, where)
    if kind != VIDEO_FRAME and labels:
        raise _no_frame(where, ", ".join(labels))
    if kind != VIDEO_FRAME:
        return
    state = field(asset, "state", int, where)
    if state not in (NOT_VISITED, VISITED, TAGGED) or (state != TAGGED and labels):
        raise ClipError(
            "the state does not fit the tags",
            where=where,
            expected=f"{TAGGED} (tagged)" if labels else "0, 1 or 2",
            found=state,
        )
    if state == NOT_VISITED:
        return
    parent = field(asset, "parent", dict, where)
    names = readings(field(parent, "path", str, where), where)
    if "name" in parent:
        named = readings(field(parent, "name", str, where), where)
        if not {_last(n) for n in named} & {_last(n) for n in names}:
            raise ClipError(
                "name and path of the video differ",
                where=f"{where}, parent",
                expected=_last(names[0]),
                found=named[0],
            )
    sha256 = parent.get("sha256")
    if sha256 is not None and not SHA256.fullmatch(str(sha256)):
        raise ClipError("not a sha256", where=f"{where}, parent", found=repr(sha256)[:80])
    yield _Frame(names, sha256, where, Tag(_time(asset, where), distinct(labels)))


def _time(asset: dict[str, Any], where: str) -> Fraction:
    """Seconds of a frame, which its name and its timestamp say; they must agree."""
    _, in_name = _split_time(field(asset, "name", str, where), where)
    stated = None if "timestamp" not in asset else number(asset["timestamp"], f"{where}, timestamp")
    time_s = stated if stated is not None else in_name
    if time_s is None:
        raise ClipError("has no time", where=where, expected="`timestamp`, or `#t=` and seconds in the name")
    if in_name is not None and abs(time_s - in_name) > DECIMALS:
        raise ClipError(
            "name and timestamp disagree",
            where=where,
            expected=f"{float(in_name):g} s",
            found=f"{float(time_s):g} s",
        )
    return time_s


def _split_time(name: str, where: str) -> tuple[str, Fraction | None]:
    """`video.mp4#t=5.066667` as its name and its time; no time if it has none."""
    video, mark, seconds = name.rpartition("#t=")
    return (video, number(seconds, where)) if mark else (name, None)


def _no_frame(where: str, found: str) -> ClipError:
    return ClipError(
        "tags what is no frame of a video, and so has no time",
        where=where,
        expected="a frame, named video.mp4#t=SECONDS",
        found=found,
        remedy="Annotations of still images cannot be cut",
    )


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _videos(frames: list[_Frame], rate: Fraction | None, path: Path) -> list[RecordedVideo]:
    if not frames:
        raise ClipError(
            "holds no visited frame of a video",
            where=path,
            remedy="In VoTT, tag frames and export visited assets",
        )
    grouped: dict[tuple[tuple[str, ...], str | None], list[_Frame]] = defaultdict(list)
    for frame in frames:
        grouped[frame.names, frame.sha256].append(frame)
    return [
        RecordedVideo(names, group[0].where, rate, tuple(frame.tag for frame in group), sha256)
        for (names, sha256), group in grouped.items()
    ]
