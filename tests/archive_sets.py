"""Archive sets in the layout of Kinetics, drawn for tests: parts, annotations, the YAML file."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml


def tar_of(members: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar archive of files. `mode`: of tarfile, with the compression."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def name_of(number: int) -> str:
    """Name of a cut video as Kinetics has it, without extension."""
    return f"video{number:06}_000010_000020"


def annotation_file(labels: Mapping[str, str]) -> str:
    """The CSV file of videos. `labels`: name of a cut video → class."""
    lines = ["label,youtube_id,time_start,time_end,split"]
    for name, label in labels.items():
        youtube_id, start, end = name.rsplit("_", 2)
        lines.append(f'"{label}",{youtube_id},{int(start)},{int(end)},val')
    return "\n".join(lines) + "\n"


def kinetics_files(
    parts: Sequence[Mapping[str, bytes]],
    labels: Mapping[str, str],
    mode: str = "w:gz",
    corrections: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Path → content of all files of a set in the layout of Kinetics.

    - `parts`: for each archive, name of a cut video → content.
    - `labels`: name of each annotated video → class.
    - `mode`: compression of the archives.
    - `corrections`: videos of an archive that replaces others.
    """
    files = {
        f"val/part_{n}.tar": tar_of({f"./val/{name}.mp4": data for name, data in part.items()}, mode)
        for n, part in enumerate(parts)
    }
    listed = "\n".join(files) + "\n"
    if corrections is not None:
        files["corrections.tgz"] = tar_of({f"{name}.mp4": data for name, data in corrections.items()})
    return files | {"val/list.txt": listed.encode(), "val.csv": annotation_file(labels).encode()}


def kinetics_yaml(base: str, corrections: bool = False) -> str:
    """The YAML file of such a set. `base`: address of its files."""
    split: dict[str, object] = {"list": "val/list.txt", "annotations": "val.csv"}
    if corrections:
        split["corrections"] = [{"address": "corrections.tgz"}]
    content = {
        "name": "drawn",
        "title": "Drawn clips",
        "licence": "none needed",
        "base": base,
        "layout": {"kind": "kinetics"},
        "splits": {"val": split},
    }
    return yaml.safe_dump(content)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files under a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
