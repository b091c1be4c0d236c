"""What is told of a delivery: shortfalls first, everything by name, nothing that controls the terminal."""

from __future__ import annotations

from pathlib import Path

from actionbench.datasets.archives.sets.summary import Summary

RECORD = Path("selection.json")


def test_everything_that_is_missing_is_named() -> None:
    summary = Summary(
        videos={"falling": 1, "jumping": 2, "hurling": 0},
        asked=2,
        passed_over={"falling": {"a": "in none of the archives"}},
        refused={"part_0.tar": ("../x.mp4 leads out of its folder by '..'",)},
        damaged={"part_1.tar": "the archive is damaged"},
    )
    assert summary.shortfalls == {"falling": 1, "hurling": 0}
    assert list(summary.lines(RECORD)) == [
        "3 videos of 2 classes",
        "  falling: 1 of 2 videos",
        "  hurling: 0 of 2 videos",
        "  part_1.tar: the archive is damaged",
        "  part_0.tar: refused: ../x.mp4 leads out of its folder by '..'",
        "  falling: a replaced by the next of its class, where there is one: in none of the archives",
    ]


def test_of_each_kind_of_remark_a_long_list_is_cut_and_says_where_the_rest_is() -> None:
    over = {"falling": {f"video\x1b{n}": "broken" for n in range(50)}}
    refused = {"part_0.tar": tuple(f"link{n} is a link" for n in range(25))}
    lines = list(Summary({"falling": 1}, None, over, refused, {"part_1.tar": "is damaged"}).lines(RECORD))
    assert len(lines) == 1 + 1 + 21 + 21
    assert lines[1] == "  part_1.tar: is damaged"
    assert lines[22] == "  … and 5 more like these, in selection.json"
    assert lines[-1] == "  … and 30 more like these, in selection.json"
    assert not any("\x1b" in line for line in lines)
    assert "left out: broken" in lines[23]
