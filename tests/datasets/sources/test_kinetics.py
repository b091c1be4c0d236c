"""Kinetics' annotation files and the layouts people keep the videos in."""

from __future__ import annotations

from pathlib import Path

import pytest

from actionbench.datasets.sources.kinetics import is_kinetics, load_kinetics, read_annotations
from actionbench.errors import ClipError

VOCABULARY = ("abseiling", "jogging", "hurling (sport)")
HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"
VALIDATION = HEADER + (
    "abseiling,0wR5jVB-WPk,417,427,val,0\n"
    "abseiling,-3caPS4FHFF,36,46,val,0\n"
    "jogging,_Z_N_12_34,0,10,val,1\n"
    '"hurling (sport)",3yaoNwz99xM,62,72,val,0\n'
)


@pytest.fixture(name="annotations")
def written_annotations(tmp_path: Path) -> Path:
    path = tmp_path / "annotations" / "kinetics_val.csv"
    path.parent.mkdir()
    path.write_text(VALIDATION)
    return path


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    "names",
    [
        ["{label}/{cut}.mp4"],
        ["{folder}/{cut}.webm"],
        ["val/{folder}/{cut}.mkv"],
        ["{cut}.avi"],
        ["train/{folder}/{cut}.mp4", "val/{folder}/{cut}.mp4"],
    ],
)
def test_cut_videos_in_every_layout(annotations: Path, tmp_path: Path, names: list[str]) -> None:
    rows = read_annotations(annotations)
    videos = tmp_path / "videos"
    for note in rows:
        label = note.label or ""
        for name in names:
            touch(videos, name.format(label=label, folder=label.replace(" ", "_"), cut=note.name))
    clips = load_kinetics(str(annotations), vocabulary=VOCABULARY, videos=videos)
    assert [clip.id for clip in clips] == [
        "0wR5jVB-WPk_000417_000427",
        "-3caPS4FHFF_000036_000046",
        "_Z_N_12_34_000000_000010",
        "3yaoNwz99xM_000062_000072",
    ]
    assert [clip.label for clip in clips] == ["abseiling", "abseiling", "jogging", "hurling (sport)"]
    assert {(clip.start_s, clip.end_s) for clip in clips} == {(None, None)}
    assert clips.missing == ()
    assert clips.unknown_labels == ()
    if len(names) > 1:
        assert all("val" in clip.path.parts for clip in clips)


def test_whole_uploads_are_read_in_the_annotated_stretch(annotations: Path, tmp_path: Path) -> None:
    videos = touch(tmp_path / "videos", "abseiling/0wR5jVB-WPk.mp4", "-3caPS4FHFF.mkv", "_Z_N_12_34.webm")
    clips = load_kinetics(str(annotations), vocabulary=VOCABULARY, videos=videos)
    assert [(clip.path.name, clip.start_s, clip.end_s) for clip in clips] == [
        ("0wR5jVB-WPk.mp4", 417.0, 427.0),
        ("-3caPS4FHFF.mkv", 36.0, 46.0),
        ("_Z_N_12_34.webm", 0.0, 10.0),
    ]
    assert [clip.id for clip in clips.missing] == ["3yaoNwz99xM_000062_000072"]


def test_a_cut_file_is_preferred_and_the_right_folder(annotations: Path, tmp_path: Path) -> None:
    videos = touch(
        tmp_path / "videos",
        "0wR5jVB-WPk.mp4",
        "jogging/0wR5jVB-WPk_000417_000427.mp4",
        "Abseiling/0wR5jVB-WPk_000417_000427.mp4",
        "abseiling/0wR5jVB-WPk_000001_000011.mp4",
    )
    clips = load_kinetics(str(annotations), vocabulary=VOCABULARY, videos=videos)
    assert [(clip.path.parent.name, clip.start_s) for clip in clips] == [("Abseiling", None)]
    assert len(clips.missing) == 3


def test_the_test_list_has_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "kinetics_test.csv"
    path.write_text("youtube_id,time_start,time_end,split\n--6bJUbfpnQ,17,27,test\n--8YXc8iCt8,0,10,test\n")
    touch(tmp_path, "test/--6bJUbfpnQ_000017_000027.mp4")
    assert is_kinetics(path)
    clips = load_kinetics(str(path), vocabulary=VOCABULARY)
    assert [(clip.id, clip.label) for clip in clips] == [("--6bJUbfpnQ_000017_000027", None)]
    assert [clip.label for clip in clips.missing] == [None]


def test_byte_order_mark_line_ends_and_repeated_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = (VALIDATION + "abseiling,0wR5jVB-WPk,417,427,val,0\n").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert is_kinetics(path)
    assert len(read_annotations(path)) == 4


def test_unknown_labels_are_kept(annotations: Path, tmp_path: Path) -> None:
    touch(tmp_path, "v/_Z_N_12_34_000000_000010.mp4")
    clips = load_kinetics(str(annotations), vocabulary=("abseiling",), videos=tmp_path / "v")
    assert clips.unknown_labels == ("hurling (sport)", "jogging")
    assert [clip.label for clip in clips] == ["jogging"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("abseiling,abc,ten,20,val,0", r":6: times are not numbers.*ten"),
        ("abseiling,abc,20,10,val,0", r":6: not a segment"),
        ("abseiling,,10,20,val,0", r":6: not a segment.*no id"),
        ("abseiling,abc,nan,20,val,0", r":6: times are not numbers"),
        ("abseiling,abc", r":6: times are not numbers"),
        ("jogging,0wR5jVB-WPk,417,427,val,0", r":6: the same segment has two labels"),
    ],
)
def test_malformed_lines_are_named(annotations: Path, line: str, message: str) -> None:
    annotations.write_text(VALIDATION + line + "\n")
    with pytest.raises(ClipError, match=message):
        read_annotations(annotations)


def test_other_files_and_empty_folders_are_refused(annotations: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("path,label\na,b\n")
    assert not is_kinetics(other)
    with pytest.raises(ClipError, match="not a Kinetics annotation file: column 'youtube_id' is missing"):
        read_annotations(other)
    twice = tmp_path / "twice.csv"
    twice.write_text("label,youtube_id,time_start,time_end,split,label\na,b,0,10,val,c\n")
    with pytest.raises(ClipError, match=r"twice.csv:1: column 'label' occurs twice"):
        read_annotations(twice)
    with pytest.raises(ClipError, match=r"none of the 4 annotated videos.*0wR5jVB-WPk_000417_000427"):
        load_kinetics(str(annotations), vocabulary=VOCABULARY)
    with pytest.raises(ClipError, match="no such folder"):
        load_kinetics(str(annotations), vocabulary=VOCABULARY, videos=tmp_path / "nowhere")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    assert not is_kinetics(binary)
    with pytest.raises(ClipError, match="not a text file"):
        read_annotations(binary)


def test_the_official_files(shared_data: Path) -> None:
    folder = shared_data / "annotations/kinetics"
    names = (folder / "label_map.txt").read_text().splitlines()
    validation = read_annotations(folder / "kinetics-400_val.csv")
    assert len(validation) == 19906
    assert {note.label for note in validation} == set(names)
    assert {note.end_s - note.start_s for note in validation} == {10}
    assert {note.split for note in validation} == {"val"}
    assert len(read_annotations(folder / "reduced_kinetics-400_train.csv")) == 26778
    clips = load_kinetics(
        str(folder / "kinetics-400_val.csv"), vocabulary=names, videos=shared_data / "videos/kinetics_like"
    )
    assert {clip.id for clip in clips} == {"R6llTwEh07w_000000_000010", "WUzgd7C1pWA_000101_000111"}
    assert {clip.label for clip in clips} == {"using segway"}
    assert len(clips.missing) == 19904
    assert not is_kinetics(folder / "kinetics_400_labels.csv")
