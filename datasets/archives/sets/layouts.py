"""What the members of an archive are: which video, of which class, for each layout of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from ....parsing import parse_json
from ....plain_text import plain
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


def labels_in(layout: Layout, entries: Iterable[Entry]) -> tuple[dict[str, str], list[str]]:
    """What an archive says of the classes of its videos, for sets without annotations.

    - `layout`: of the set. `entries`: the archive's members.

    Returns the class of each video by its key, and a remark on each video that has none, by its name.
    """
    entries = list(entries)
    videos = {key: entry.name for entry in entries if (key := video_key(layout, entry.name)) is not None}
    if layout.kind == "folders":
        return {key: key.partition("/")[0] for key in videos}, []
    labels: dict[str, str] = {}
    remarks: dict[str, str] = {}
    for entry in entries:
        if entry.text is not None:
            stem = _stem(PurePosixPath(entry.name))
            try:
                labels[stem] = _label(layout, entry.text.strip())
            except ValueError as error:
                remarks[stem] = f"{entry.name}: {error}"
    for key, name in videos.items():
        if key not in labels:
            remarks.setdefault(key, f"{name}: has no .{layout.label.partition(':')[0]} beside it")
    return (
        {key: labels[key] for key in videos if key in labels},
        [remark for key, remark in remarks.items() if key in videos],
    )


def _stem(path: PurePosixPath) -> str:
    """As WebDataset has it: up to the first dot of the file's name."""
    return str(path.parent / path.name.partition(".")[0])


def _label(layout: Layout, text: str) -> str:
    """The class that a member with a label names. Raises ValueError for one that names none."""
    extension, _, key = layout.label.partition(":")
    if extension == "json":
        content = parse_json(text)
        value = content.get(key or "label") if isinstance(content, Mapping) else None
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ValueError(f"no class under the key '{key or 'label'}'")
        text = str(value)
    if layout.classes:
        if not (text.isascii() and text.isdigit() and int(text) < len(layout.classes)):
            raise ValueError(f"not the number of a class, which is below {len(layout.classes)}")
        return layout.classes[int(text)]
    if not text or "\n" in text or plain(text) != text or len(text) > 200:
        raise ValueError("not the name of a class")
    return text
