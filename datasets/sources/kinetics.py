"""Kinetics: the official annotation files joined to the videos on disk.

Annotations (deepmind.com/research/open-source/kinetics): `label,youtube_id,time_start,time_end,split[,is_cc]`
for training and validation, the same without `label` for the test list. Times are whole seconds.

Videos, anywhere under the folder, in any container: `ytid_000010_000020.mp4`, a file that was cut, or
`ytid.mp4`, the whole upload, of which the annotated segment is read. Usual layouts are `class name/`,
`split/class_name/` and flat; of several files of one name, the one in its class's folder, then in its
split's, is preferred.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import ClipError
from ..clip import Clip, ClipSet
from ..labels import LabelMatcher
from .csv_rows import Row, csv_rows
from .walk import VIDEO_SUFFIXES, media_files

COLUMNS = ("youtube_id", "time_start", "time_end", "split")
CUT_NAME = re.compile(r"(?P<id>.+)_(?P<start>\d+)_(?P<end>\d+)")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One line of an annotation file.

    - `youtube_id`: id of the upload.
    - `start_s`, `end_s`: the segment, whole seconds.
    - `split`: as in the file, e.g. "validate".
    - `label`: class name as in the file; None in the test list.
    """

    youtube_id: str
    start_s: int
    end_s: int
    split: str
    label: str | None

    @property
    def name(self) -> str:
        """Name of the cut file without suffix, "ytid_000010_000020"; also the clip's id."""
        return f"{self.youtube_id}_{self.start_s:06d}_{self.end_s:06d}"


def is_kinetics(path: Path) -> bool:
    """Whether the CSV file's first line has Kinetics' columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error):
        return False
    return set(COLUMNS) <= set(header)


def load_kinetics(argument: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:
    """Annotated clips in the file's order; those without a video are in `ClipSet.missing`.

    - `argument`: path of the CSV file.
    - `vocabulary`: the class names.
    - `videos`: folder of the videos; None for the folder of the CSV file.

    Raises ClipError for a malformed file, and if none of its videos exists.
    """
    path = Path(argument)
    annotations = read_annotations(path)
    root = path.parent if videos is None else videos
    if not root.is_dir():
        raise ClipError("no such folder of videos", where=root)
    files, ignored = media_files(root, VIDEO_SUFFIXES)
    cut, whole = _index(files)
    matcher = LabelMatcher(vocabulary)
    clips: list[Clip] = []
    missing: list[Clip] = []
    unknown: set[str] = set()
    for note in annotations:
        label = note.label
        if label is not None:
            known = matcher(label)
            if known is None:
                unknown.add(label)
            label = known or label
        found = cut.get((note.youtube_id, note.start_s, note.end_s))
        if found:
            clips.append(Clip(note.name, _best(found, note), label, source="kinetics"))
            continue
        found = whole.get(note.youtube_id)
        file = _best(found, note) if found else root / f"{note.name}.mp4"
        clip = Clip(note.name, file, label, float(note.start_s), float(note.end_s), source="kinetics")
        (clips if found else missing).append(clip)
    if not clips:
        raise ClipError(
            f"none of the {len(annotations)} annotated videos exists",
            where=root,
            expected=f"e.g. {annotations[0].name}.mp4, in any sub-folder" if annotations else None,
            found=f"{len(files)} other videos",
            remedy="Give the folder of the videos (--videos DIR), or put the CSV file into it",
        )
    return ClipSet(path.stem, tuple(clips), tuple(missing), tuple(sorted(unknown)), ignored)


def read_annotations(path: Path) -> list[Annotation]:
    """The file's lines; a repeated line counts once. Raises ClipError with the line that is malformed."""
    _, rows = csv_rows(path, COLUMNS, "Kinetics annotation file", f"[label,]{','.join(COLUMNS)}")
    seen: dict[str, Annotation] = {}
    for line, row in rows:
        note = _annotation(row, f"{path}:{line}")
        earlier = seen.setdefault(note.name, note)
        if earlier.label != note.label:
            raise ClipError(
                "the same segment has two labels",
                where=f"{path}:{line}",
                expected=earlier.label,
                found=note.label,
            )
    return list(seen.values())


def _annotation(row: Row, where: str) -> Annotation:
    youtube_id, start, end, split = (row[column].strip() for column in COLUMNS)
    try:
        note = Annotation(
            youtube_id, int(float(start)), int(float(end)), split, row.get("label", "").strip() or None
        )
    except (ValueError, OverflowError):
        raise ClipError(
            "times are not numbers", where=where, expected="seconds", found=f"{start}, {end}"
        ) from None
    if not youtube_id or not 0 <= note.start_s < note.end_s:
        raise ClipError(
            "not a segment of a video",
            where=where,
            expected="youtube_id, and time_start before time_end",
            found=f"{youtube_id or 'no id'}, {start} to {end}",
        )
    return note


Cut = dict[tuple[str, int, int], list[Path]]


def _index(files: Sequence[Path]) -> tuple[Cut, dict[str, list[Path]]]:
    """Files by (id, start, end) where their name says so, and by the whole name, which may be an id.

    Ids may hold "_" and digits, so every file is in the second index too.
    """
    cut: Cut = defaultdict(list)
    whole: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        whole[path.stem].append(path)
        match = CUT_NAME.fullmatch(path.stem)
        if match:
            cut[match["id"], int(match["start"]), int(match["end"])].append(path)
    return cut, whole


def _best(files: Sequence[Path], note: Annotation) -> Path:
    """Of files with the same name, the one in the annotated class's folder, then in the split's."""
    fits = LabelMatcher(name for name in (note.label, note.split) if name)
    return max(files, key=lambda path: [fits(part) is not None for part in path.parts[-2:-4:-1]])
