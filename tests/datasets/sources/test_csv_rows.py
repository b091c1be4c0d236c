"""Every CSV file that people give is read by one function, which names file and line of what is wrong."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.datasets.annotations.vott2 import read_csv
from actionbench.datasets.composed.groups import read_groups
from actionbench.datasets.sources.csv_rows import csv_rows
from actionbench.datasets.sources.kinetics import read_annotations
from actionbench.datasets.sources.manifest import read_manifest
from actionbench.datasets.sources.segments import read_segments
from actionbench.errors import ClipError

READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "groups": ("path,group", read_groups),
    "kinetics": ("label,youtube_id,time_start,time_end,split", read_annotations),
    "manifest": ("path,label", lambda path: read_manifest(path, ())),
    "segments": ("path,label,start,end", lambda path: read_segments(path, path.parent)),
    "vott": ("image,label", read_csv),
}


@pytest.mark.parametrize("name", READERS)
def test_all_readers_refuse_the_same(tmp_path: Path, name: str) -> None:
    header, read = READERS[name]
    path = tmp_path / "list.csv"
    fields = header.count(",") + 1
    damaged = {
        b"": r"list\.csv:1: no",
        b"\xff\xfe\x00": "list\\.csv: not a text file",
        f"{header},{header}\n".encode(): r"list\.csv:1: column '\w+' occurs twice",
        f"{header}\n{',' * fields}\n".encode(): r"list\.csv:2: more fields than columns",
        f'{header}\n"a\n'.encode(): r"list\.csv:\d: not CSV",
        f'"{header}\n'.encode(): r"list\.csv:1: not CSV",
    }
    for content, message in damaged.items():
        path.write_bytes(content)
        with pytest.raises(ClipError, match=message):
            read(path)
    path.unlink()
    with pytest.raises(ClipError, match=r"list\.csv: no such"):
        read(path)
    path.mkdir()
    with pytest.raises(ClipError, match=r"list\.csv: the .* cannot be read: Is a directory"):
        read(path)


@settings(max_examples=30)
@given(
    rows=st.lists(
        st.lists(st.text('ab ,"\n=ü', max_size=6), min_size=3, max_size=3).filter(any), min_size=1, max_size=8
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([["x", "y", "z"], *rows])
    header, found = csv_rows(path, ("x",), "list")
    assert header == ["x", "y", "z"]
    assert [list(row.values()) for _, row in found] == rows


def test_a_field_that_a_line_lacks_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,y\n1\n\n2,3\n")
    _, found = csv_rows(path, ("x", "y"), "list")
    assert list(found) == [(2, {"x": "1", "y": ""}), (4, {"x": "2", "y": "3"})]
