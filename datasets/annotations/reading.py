"""Reading annotations of any known format into one type."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...errors import ClipError, UsageError
from ...parsing import parse_json
from ..clip import require_file
from ..sources.csv_rows import read_text
from .names import VideoFolder
from .tags import RecordedVideo, Tag, TaggedVideo
from .vott1 import read_v1
from .vott2 import DECIMALS, read_assets, read_csv, read_export, read_project

ASSET = "-asset.json"


def read_annotations(
    path: Path, videos: Path | None = None, rate: Fraction | None = None
) -> tuple[TaggedVideo, ...]:
    """The tagged videos of VoTT annotations, sorted by name.

    - `path`: a VoTT 1 file (`<video>.json`), a VoTT 2 project (`.vott`), asset (`<id>-asset.json`), JSON
      export or CSV export; or a folder that holds one project, or any number of the other JSON files.
    - `videos`: the folder in which the videos are looked up; the annotations' own by default.
    - `rate`: samples a second, more than 0, for the formats that do not record it: CSV exports, and assets
      without their project.

    Raises ClipError, which names the file and the place in it, for what is damaged or ambiguous; UsageError
    if `rate` is missing or is not the recorded one.
    """
    recorded = _read(path)
    folder = VideoFolder(videos if videos is not None else path if path.is_dir() else path.parent)
    found: dict[Path, RecordedVideo] = {}
    result = []
    for video in recorded:
        file = folder.find(video.names, video.sha256, video.where)
        if file is not None:
            other = found.setdefault(file, video)
            if other is not video:
                raise ClipError(
                    "two videos of the annotations are the same file",
                    where=file,
                    found=f"{other.names[0]} ({other.where}) and {video.names[0]} ({video.where})",
                )
        samples = _sampling_rate(video, rate)
        name = video.names[0] if file is None else file.relative_to(folder.root).as_posix()
        result.append(TaggedVideo(name, file, samples, _in_order(video, samples)))
    return tuple(sorted(result, key=lambda each: each.name))


def _read(path: Path) -> list[RecordedVideo]:
    if path.is_dir():
        return _read_folder(path)
    if path.suffix.lower() == ".csv":
        require_file(path)
        return read_csv(path)
    return _read_json([path])


def _read_folder(path: Path) -> list[RecordedVideo]:
    projects = sorted(path.glob("*.vott"))
    if len(projects) > 1:
        raise ClipError(
            "holds several projects",
            where=path,
            found=", ".join(p.name for p in projects[:4]),
            remedy="Name one",
        )
    files = projects or sorted(path.glob("*.json"))
    if not files:
        raise ClipError("holds no annotations", where=path, expected="a .vott or .json files of VoTT")
    return _read_json(files)


def _read_json(files: list[Path]) -> list[RecordedVideo]:
    videos: list[RecordedVideo] = []
    assets = []
    for file in files:
        content = _json(file)
        if file.suffix.lower() == ".vott":
            videos += read_project(file, content, _json)
        elif "frames" in content:
            videos.append(read_v1(file, content))
        elif "assets" in content:
            videos += read_export(file, content)
        elif "asset" in content:
            assets.append((file, content))
        else:
            raise ClipError(
                "is not of VoTT",
                where=file,
                expected="`frames`, `assets` or `asset`",
                found=", ".join(content)[:80],
            )
    return videos + (read_assets(assets) if assets else [])


def _json(path: Path) -> dict[str, Any]:
    require_file(path)
    try:
        content = parse_json(read_text(path, "annotation file"))
    except ValueError as error:
        raise ClipError("not JSON", where=path, found=error) from None
    if not isinstance(content, dict):
        raise ClipError("not a JSON object", where=path, found=type(content).__name__)
    return content


def _sampling_rate(video: RecordedVideo, given: Fraction | None) -> Fraction:
    if video.rate is None and given is None:
        raise UsageError(
            "the sampling rate is not recorded",
            where=video.where,
            remedy="Give the frame extraction rate of the VoTT project with --rate",
        )
    if video.rate is not None and given not in (None, video.rate):
        raise UsageError(
            "is not the recorded sampling rate",
            where=f"--rate {float(given or 0):g}",
            expected=f"{float(video.rate):g}, as in {video.where}",
            remedy="Leave the option out",
        )
    rate = video.rate or given
    assert rate is not None
    return rate


def _in_order(video: RecordedVideo, rate: Fraction) -> tuple[Tag, ...]:
    """The video's tags in the order of their times; rounded times are put back on the samples' own."""
    tags: dict[Fraction, Tag] = {}
    for tag in video.tags:
        sample = round(tag.time_s * rate) / rate
        time_s = sample if abs(sample - tag.time_s) <= DECIMALS else tag.time_s
        if time_s in tags:
            raise ClipError(
                "a sample occurs twice", where=video.where, found=f"{video.names[0]} at {float(time_s):g} s"
            )
        tags[time_s] = replace(tag, time_s=time_s)
    return tuple(tags[time_s] for time_s in sorted(tags))
