"""Published split lists in their own forms, and files found in them wherever people have put them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.datasets.sources.split_lists import listed_paths, read_split_lists
from actionbench.errors import ClipError

FORMS = {
    "trainlist01.txt": "A/v_A_g08_c01.avi 1\nB b/v_B_g08_c01.avi 2\n\n",
    "testlist01.txt": "A/v_A_g08_c01.avi\nB b/v_B_g08_c01.avi\n",
    "train.txt": "0\t0\tA/v_A_g08_c01.avi\r\n1\t1\tB b/v_B_g08_c01.avi\r\n",
    "train.csv": "path\nA/v_A_g08_c01.avi\nB b/v_B_g08_c01.avi\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_each_published_form(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FORMS[name], encoding="utf-8", newline="")
    assert read_split_lists({"train": tmp_path / name}) == {
        "A/v_A_g08_c01.avi": "train",
        "B b/v_B_g08_c01.avi": "train",
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "a.avi\nno path\n", "a.txt:2: not a line of a split list; expected a path"),
        ("a.txt", "0\ta.avi\n", "a.txt:1: not a line of a split list"),
        ("a.txt", "a.avi one\n", "a.txt:1: not a line of a split list"),
        ("a.txt", "\n", "a.txt: the split list names no video"),
        ("a.txt", "a.avi\nb.avi\n", "b.txt:1: the video is on two sides; found b.avi for train and test"),
        ("a.csv", "video\na\n", "a.csv:1: not a split list: column 'path' is missing"),
        ("a.csv", "path,cam\na,1\n,2\n", "a.csv:3: no path"),
        ("a.csv", "path\n", "a.csv: the split list names no video"),
    ],
)
def test_malformed_lists_are_named_by_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "b.txt").write_text("b.avi\n", encoding="utf-8")
    with pytest.raises(ClipError) as caught:
        read_split_lists({"train": tmp_path / name, "test": tmp_path / "b.txt"})
    assert message in str(caught.value)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"none\.txt: no such split list"):
        read_split_lists({"test": tmp_path / "none.txt"})


@given(st.binary(max_size=60), st.sampled_from(["list.txt", "list.csv"]))
@settings(max_examples=50, deadline=None)
def test_any_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = tmp_path_factory.mktemp("lists") / name
    path.write_bytes(content)
    try:
        assert read_split_lists({"train": path})
    except ClipError as error:
        assert name in str(error)  # noqa: PT017


def test_files_are_found_by_path_or_name_or_without_a_prefix() -> None:
    listed = ["A/x.avi", "a_x.avi", "B/y.avi", "B/same.avi", "C/same.avi"]
    files = {
        "A/x.avi": "A/x.avi",
        "other/x.avi": "A/x.avi",
        "a_x.avi": "a_x.avi",
        "z/a_x.avi": "a_x.avi",
        "ucf_y.avi": "B/y.avi",
        "b_ucf_y.avi": None,
        "C/same.avi": "C/same.avi",
        "D/same.avi": None,
        "w.avi": None,
    }
    assert listed_paths(list(files), listed) == list(files.values())


def test_ucf101s_lists(shared_data: Path) -> None:
    """Its first split: 9537 and 3783 videos of 101 classes, the groups 1 to 7 for test, none on two sides."""
    folder = shared_data / "annotations" / "ucf101"
    sides = read_split_lists({"train": folder / "trainlist01.txt", "test": folder / "testlist01.txt"})
    assert Counter(sides.values()) == {"train": 9537, "test": 3783}
    classes = [line.split()[1] for line in (folder / "classInd.txt").read_text().splitlines()]
    assert sorted({PurePosixPath(path).parent.name for path in sides}) == sorted(classes)
    of_group = defaultdict(set)
    for path, side in sides.items():
        match = re.fullmatch(r".*/v_([A-Za-z]+_g\d+)_c\d+\.avi", path)
        assert match is not None
        of_group[match[1]].add(side)
    assert len(of_group) == 101 * 25
    assert {group[-2:] for group, found in of_group.items() if "test" in found} == {
        f"{number:02}" for number in range(1, 8)
    }
    assert all(len(found) == 1 for found in of_group.values())


def test_arids_list(shared_data: Path) -> None:
    folder = shared_data / "annotations" / "arid"
    sides = read_split_lists({"train": folder / "train.txt"})
    classes = [line.split("\t")[1] for line in (folder / "mapping_table_23.txt").read_text().splitlines()]
    assert Counter(PurePosixPath(path).parent.name for path in sides) == dict.fromkeys(classes, 25)
    videos = sorted((shared_data / "videos").rglob("arid_*.mp4"))
    found = listed_paths([video.relative_to(shared_data / "videos").as_posix() for video in videos], sides)
    for video, path in zip(videos, found, strict=True):
        listed = not video.name.startswith("arid_val")
        assert path == (video.name[5:].split("_")[0] + "/" + video.name[5:] if listed else None)
