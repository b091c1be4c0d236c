"""What the members of an archive are: which video, of which class, for each layout of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from ....errors import ClipError
from ....parsing import parse_json
from ...sources.walk import VIDEO_SUFFIXES
from .archive_set import Layout
from .index import Entry

MOST_LABEL_BYTES = 1 << 16
"""Largest member that is read as a label."""


def video_key(layout: Layout, name: str) -> str | None:
    """What identifies the video of a member within its set, as clip ids do; None for what is no video.

    - `layout`: of the set. `name`: of the member, with its folders.

    "kinetics": the file's name without extension, "ID_000010_000020". "folders": class and file,
    "Archery/v_Archery_g01_c01.avi". "webdataset": the name with its folders, without extension.
    """
    path = PurePosixPath(name)
    if path.suffix.lower() not in VIDEO_SUFFIXES or path.name.startswith("."):
        return None
    if layout.kind == "kinetics":
        return path.stem
    if layout.kind == "folders":
        return "/".join(path.parts[-2:]) if len(path.parts) > 1 else None
    return _stem(path)


def holds_label(layout: Layout, name: str) -> bool:
    """Whether a member holds the class of the video beside it."""
    return layout.kind == "webdataset" and PurePosixPath(name).suffix == "." + layout.label.partition(":")[0]


def labels_in(layout: Layout, entries: Iterable[Entry], archive: str) -> dict[str, str]:
    """Key of each video of an archive → its class, where the archive says so; for sets without annotations.

    - `layout`: of the set. `entries`: the archive's members. `archive`: its name, for errors.

    Raises ClipError for a label that cannot be read.
    """
    entries = list(entries)
    keys = [key for entry in entries if (key := video_key(layout, entry.name)) is not None]
    if layout.kind == "folders":
        return {key: key.partition("/")[0] for key in keys}
    texts = {
        _stem(PurePosixPath(entry.name)): _label(layout, entry, archive)
        for entry in entries
        if entry.text is not None
    }
    return {key: texts[key] for key in keys if key in texts}


def _stem(path: PurePosixPath) -> str:
    """As WebDataset has it: up to the first dot of the file's name."""
    return str(path.parent / path.name.partition(".")[0]) if path.parts[:-1] else path.name.partition(".")[0]


def _label(layout: Layout, entry: Entry, archive: str) -> str:
    text = (entry.text or "").strip()
    where = f"{archive}: {entry.name}"
    extension, _, key = layout.label.partition(":")
    if extension == "json":
        try:
            content = parse_json(text)
        except ValueError as error:
            raise ClipError("not JSON", where=where, found=error) from None
        value = content.get(key or "label") if isinstance(content, Mapping) else None
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ClipError(f"no class under the key '{key or 'label'}'", where=where)
        text = str(value)
    if layout.classes:
        if not (text.isascii() and text.isdigit() and int(text) < len(layout.classes)):
            raise ClipError("not the number of a class", where=where, expected=f"below {len(layout.classes)}")
        return layout.classes[int(text)]
    if not text or "\n" in text or len(text) > 200:
        raise ClipError("not the name of a class", where=where, found=f"{len(text)} characters")
    return text
