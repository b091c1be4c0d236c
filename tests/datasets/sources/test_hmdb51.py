"""HMDB51's names and split lists, in the official layout and with prefixes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from actionbench.datasets.sources.hmdb51 import (
    CLASSES,
    Name,
    load_hmdb51,
    parse_name,
    read_split_lists,
)
from actionbench.datasets.sources.registry import load_clips
from actionbench.errors import ClipError

from ...known import known


@pytest.mark.parametrize(
    ("stem", "film", "label", "whole"),
    [
        ("APOCALYPTO_fall_floor_f_nm_np1_ba_med_5", "APOCALYPTO", "fall_floor", "apocalypto"),
        ("metacafe_coolsoccer_run_f_cm_np10_le_bad_2", "metacafe_coolsoccer", "run", "metacafe_coolsoccer"),
        ("Return_of_the_King_4_run_u_cm_np1_fr_goo_1", "Return_of_the_King_4", "run", "return_of_the_king"),
        ("RETURN_OF_THE_KING_hit_l_cm_np2_ri_bad_12", "RETURN_OF_THE_KING", "hit", "return_of_the_king"),
        # Its film is named like a class.
        ("kick_ball_kick_ball_f_cm_np1_ba_bad_0", "kick_ball", "kick_ball", "kick_ball"),
        ("hmdb51_a_kick_h_cm_np0_ba_bad_0", "hmdb51_a", "kick", "hmdb51_a"),
    ],
)
def test_names(stem: str, film: str, label: str, whole: str) -> None:
    assert parse_name(stem) == Name(film, label)
    assert known(parse_name(stem)).whole_film == whole


@pytest.mark.parametrize("stem", ["", "fall-01-cam0", "run_f_cm_np1_fr_bad_1", "a_jog_f_cm_np1_fr_bad_1"])
def test_other_names(stem: str) -> None:
    assert parse_name(stem) is None


def test_the_class_is_the_names_whatever_the_folder(tmp_path: Path) -> None:
    for name in ("falling/A_fall_floor_f_cm_np1_fr_med_0.avi", "x/B_walk_f_cm_np1_fr_med_0.avi", "x/c.avi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    clips = load_clips(f"hmdb51:{tmp_path}", vocabulary=["walk"])
    assert [clip.label for clip in clips] == ["fall_floor", "walk"]
    assert clips.unknown_labels == ("fall_floor",)
    assert clips.ignored == 1


def test_a_folder_without_such_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.avi").touch()
    with pytest.raises(ClipError, match=r"no video with a name of HMDB51.*found c\.avi"):
        load_hmdb51(str(tmp_path), vocabulary=())


def test_lists_of_another_split(tmp_path: Path) -> None:
    (tmp_path / "run_test_split1.txt").write_text("a b.avi 1 \n\nc.avi 2\nd.avi 0\n")
    (tmp_path / "run_test_split2.txt").write_text("a b.avi 2\n")
    assert read_split_lists(tmp_path) == {"a b.avi": "train", "c.avi": "test", "d.avi": None}
    assert read_split_lists(tmp_path / "*_test_split2.txt") == {"a b.avi": "test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.avi 1\na.avi 3\n", "run_test_split1.txt:2: not a line of a split list"),
        ("a.avi\n", ":1: not a line of a split list"),
        ("a.avi 1\na.avi 2\n", ":2: the file is on two sides; found a.avi"),
    ],
)
def test_malformed_lists_are_named_by_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run_test_split1.txt").write_text(text)
    with pytest.raises(ClipError) as caught:
        read_split_lists(tmp_path)
    assert message in str(caught.value)


def test_lists_that_are_not_there_are_named(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none", tmp_path / "*_test_split2.txt", tmp_path / "none" / "*"):
        with pytest.raises(ClipError, match="no split lists of HMDB51"):
            read_split_lists(place)


def test_the_published_lists(shared_data: Path) -> None:
    folder = shared_data / "annotations" / "hmdb51"
    assert sorted(CLASSES) == sorted((folder / "class_list.txt").read_text().split())
    sides = read_split_lists(folder)
    names = {file: parse_name(file.removesuffix(".avi")) for file in sides}
    assert None not in names.values()
    falls = Counter(side for file, side in sides.items() if known(names[file]).label == "fall_floor")
    assert (falls["train"], falls["test"]) == (70, 30)
