"""Targets that are about archives of data sets, as streams, and the files that describe such sets."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from actionbench.datasets.archives.members import Member, members
from actionbench.datasets.archives.sets.archive_set import read_set
from actionbench.datasets.archives.stream import open_stream
from actionbench.datasets.archives.writing import write_member
from actionbench.parsing import to_yaml

from .target import Files, Target


def _archives() -> list[Files]:
    """Each format, as plain and compressed files: a folder, two files, a long name."""
    made: list[Files] = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        for mode, ending in (("w", "tar"), ("w:gz", "tar.gz"), ("w:bz2", "tar.bz2")):
            text = io.BytesIO()
            with tarfile.open(fileobj=text, mode=mode, format=form) as archive:  # type: ignore[call-overload]
                folder = tarfile.TarInfo("val")
                folder.type = tarfile.DIRTYPE
                archive.addfile(folder)
                for name in ("val/abc_000001_000011.mp4", "val/läuft.mp4", f"val/{'long' * 24}/b.mp4"):
                    entry = tarfile.TarInfo(name)
                    entry.size = 700
                    archive.addfile(entry, io.BytesIO(bytes(range(70)) * 10))
            made.append({f"part.{ending}": text.getvalue()})
    return made


def _fetched(path: Path) -> None:
    folder = path.parent / "fetched"
    folder.mkdir(exist_ok=True)
    with open_stream(str(path)) as stream:
        for number, found in enumerate(members(stream, path.name)):
            if isinstance(found, Member):
                write_member(found, folder, f"{number}.mp4")


def _sets() -> list[Files]:
    mirror: dict[str, Any] = {
        "name": "mine",
        "title": "A set",
        "licence": "CC BY 4.0",
        "terms": "none",
        "base": "https://example.org/mine/",
        "layout": {"kind": "kinetics"},
        "splits": {
            "val": {
                "parts": [{"address": "val/part_0.tar", "size": 10240, "sha256": "0" * 64}],
                "annotations": "val.csv",
            },
            "train": {"list": "train.txt", "annotations": "train.csv"},
        },
        "sources": {"all": "made for this test"},
    }
    folders = {**mirror, "layout": {"kind": "folders"}, "splits": {"all": {"parts": [{"address": "a.tgz"}]}}}
    return [{"mine.yaml": to_yaml(mirror).encode()}, {"mine.yaml": to_yaml(folders).encode()}]


TARGETS = (
    Target("archive of videos (tar)", _archives, _fetched),
    Target("archive set", _sets, lambda path: read_set(str(path))),
)
