"""Manifests: lists of clips with SHA-256 digests, so that exactly the same set can be used elsewhere.

CSV with a header, or JSON Lines, by the file's suffix. Columns or keys: `path` (needed; relative to the
manifest, or absolute), `id` (default: the path), `label`, `start_s`, `end_s`, `sha256`; others are ignored.

A path may lead anywhere (`..`, absolute), because our own commands write manifests of files wherever they
lie: a manifest is trusted like a command line. Lists of segments and annotations come from others and are
not: their paths must stay in the folder of the videos.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...atomic import FREE_SPACE, NO_SPACE, replacing
from ...errors import ClipError
from ...parsing import parse_json
from ..clip import Clip, ClipSet
from ..labels import LabelMatcher
from .arrays import input_pair
from .csv_rows import csv_rows, read_text

COLUMNS = ("path", "id", "label", "start_s", "end_s", "sha256")
SUFFIXES = (".csv", ".jsonl")
SHA256 = re.compile(r"[0-9a-f]{64}")


def read_manifest(path: Path, vocabulary: Sequence[str]) -> ClipSet:
    """The manifest's clips, in its order; those whose file does not exist are in `ClipSet.missing`.

    - `path`: the manifest, .csv or .jsonl.
    - `vocabulary`: the class names that labels are matched to.

    Raises ClipError, with the line, for malformed entries and for an id that is used twice.
    """
    matcher = LabelMatcher(vocabulary)
    clips: list[Clip] = []
    missing: list[Clip] = []
    unknown: set[str] = set()
    lines: dict[str, int] = {}
    for line, row in manifest_rows(path):
        clip = clip_of_row(path, line, row)
        refuse_repeated_id(path, line, clip.id, lines)
        if clip.label is not None:
            known = matcher(clip.label)
            if known is None:
                unknown.add(clip.label)
            clip = replace(clip, label=known or clip.label)
        (clips if clip.path.is_file() else missing).append(clip)
    if not lines:
        raise ClipError("the manifest lists no clips", where=path)
    return ClipSet(path.stem, tuple(clips), tuple(missing), tuple(sorted(unknown)))


def load_manifest(argument: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:  # noqa: ARG001
    """`read_manifest` as a `Source`; `videos` is not used."""
    return read_manifest(Path(argument), vocabulary)


def write_manifest(path: Path, clips: Iterable[Clip]) -> None:
    """Write a manifest; the file appears only when it is complete.

    - `path`: the manifest; its suffix decides between CSV and JSON Lines.
    - `clips`: their digests are computed where they are None; paths are written relative to the manifest.

    Raises ClipError if a clip's file does not exist, or the manifest cannot be written.
    """
    write_rows(path, COLUMNS, [row_of_clip(path, clip) for clip in clips])


def row_of_clip(path: Path, clip: Clip) -> dict[str, Any]:
    """Column → value of a clip in the manifest `path`; its digest is computed where it is not known."""
    place = os.path.relpath(clip.path.resolve(), path.resolve().parent)
    return {
        "path": Path(place).as_posix(),
        "id": clip.id,
        "label": clip.label,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "sha256": clip.sha256 or file_digest(clip.path),
    }


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, CSV or JSON Lines by suffix, whole or not at all. Raises ClipError if that fails."""
    text = io.StringIO(newline="")
    if _is_json(path):
        text.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    try:
        with replacing(path) as file:
            file.write(text.getvalue().encode())
    except OSError as error:
        raise ClipError(
            f"the manifest cannot be written: {error.strerror}",
            where=path,
            remedy=FREE_SPACE if error.errno in NO_SPACE else None,
        ) from error


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, in hex; over both files, RGB first, if it is one of a pair of arrays."""
    files = [file for file in input_pair(path).values() if file.is_file()] or [path]
    digest = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise ClipError("file cannot be read", where=file, found=error.strerror) from None
    return digest.hexdigest()


def verify(clip: Clip) -> None:
    """Raise ClipError if the clip has a digest and its file has another one."""
    if clip.sha256 is not None and (found := file_digest(clip.path)) != clip.sha256:
        raise ClipError(
            "the file is not the one in the manifest",
            where=clip.path,
            expected=f"sha256 {clip.sha256}",
            found=found,
            remedy="Get the original file, or write the manifest again",
        )


def _is_json(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ClipError(
            "not a manifest's name", where=path, expected=" or ".join(SUFFIXES), found=suffix or "no suffix"
        )
    return suffix == ".jsonl"


def manifest_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and content, key → value, of each entry. Raises ClipError for what is malformed."""
    if not _is_json(path):
        yield from csv_rows(path, ["path"], "manifest", ",".join(COLUMNS))[1]
        return
    for line, content in enumerate(read_text(path, "manifest").splitlines(), 1):
        if content.strip():
            yield line, _json_object(content, f"{path}:{line}")


def _json_object(text: str, where: str) -> dict[str, Any]:
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ClipError("not JSON", where=where, found=error) from None
    if not isinstance(content, dict):
        raise ClipError("not a JSON object", where=where, found=type(content).__name__)
    return content


def refuse_repeated_id(path: Path, line: int, name: str, lines: dict[str, int]) -> None:
    """Note in `lines`, id → line, where an id stands. Raises ClipError if it has stood before."""
    if name in lines:
        raise ClipError("id used twice", where=f"{path}:{line}", found=f"{name}, also in line {lines[name]}")
    lines[name] = line


def clip_of_row(manifest: Path, line: int, row: Mapping[str, Any]) -> Clip:
    """The clip of an entry; whether its file is there is not looked at. Raises ClipError, with the line."""
    where = f"{manifest}:{line}"
    place, name, label, sha256 = (text_of_row(row, key, where) for key in ("path", "id", "label", "sha256"))
    if place is None or "\0" in place:
        raise ClipError("no path", where=where)
    if sha256 is not None and not SHA256.fullmatch(sha256 := sha256.lower()):
        raise ClipError("not a sha256", where=where, expected="64 hexadecimal digits", found=sha256)
    start_s, end_s = (_seconds(row, key, where) for key in ("start_s", "end_s"))
    if end_s is not None and end_s <= (start_s or 0):
        raise ClipError("the segment is empty", where=where, found=f"{start_s or 0} s to {end_s} s")
    return Clip(name or place, manifest.parent / place, label, start_s, end_s, "manifest", sha256)


def text_of_row(row: Mapping[str, Any], key: str, where: str) -> str | None:
    """The text in a column, None where there is none. Raises ClipError for a value that is no text."""
    value = row.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ClipError(f"{key} is not text", where=where, found=value)
    return value


def _seconds(row: Mapping[str, Any], key: str, where: str) -> float | None:
    value = row.get(key)
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0) or isinstance(value, bool):
        raise ClipError(f"{key} is not a time", where=where, expected="seconds, 0 or more", found=value)
    return seconds
