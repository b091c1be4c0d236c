"""From a labelled set to its videos, each with all of its actions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.footage import read_footage
from actionbench.datasets.composed.manifest import write_composed
from actionbench.errors import ClipError, UsageError

Touch = Callable[..., Path]


def test_actions_of_one_file_come_together_with_its_group(touch: Touch, tmp_path: Path) -> None:
    folder = touch("videos", "a.mp4", "deep/b.mp4")
    examples = (
        Example(Clip("1", folder / "a.mp4", "falling", 1.0, 2.0), "x", "x/one", "fall", None),
        Example(Clip("2", folder / "deep/b.mp4", None), "x", "x/two", "", None),
        Example(Clip("3", folder / "deep/../a.mp4", "walking", 3.0, 4.0), "x", "x/one", "walk", None),
    )
    write_composed(tmp_path / "set.csv", ComposedSet("set", ("falling", "walking"), examples, {"x": "CC0"}))
    found = read_footage(str(tmp_path / "set.csv"))
    assert [(each.name, each.group) for each in found.videos] == [("a.mp4", "x/one"), ("deep/b.mp4", "x/two")]
    assert [(clip.label, clip.start_s) for clip in found.videos[0].actions] == [
        ("falling", 1),
        ("walking", 3),
    ]
    assert (found.name, found.grouped, dict(found.licences)) == ("set", True, {"x": "CC0"})


def test_a_list_of_segments_and_what_it_lacks(touch: Touch, tmp_path: Path) -> None:
    """Each video is a group of its own; a line whose end is before its start is counted."""
    folder = touch("videos", "a.mp4", "b.mp4")
    lines = ["a.mp4,fall,1,2", "a.mp4,walk,2,3", "b.mp4,walk,3,2", "gone.mp4,walk,0,1", "b.mp4,walk,0,1"]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,start,end", *lines]) + "\n")
    found = read_footage(f"segments:{tmp_path / 'list.csv'}", folder)
    assert [(each.name, len(each.actions)) for each in found.videos] == [("a.mp4", 2), ("b.mp4", 1)]
    assert (found.grouped, found.missing, found.ignored) == (False, ("gone.mp4",), 1)
    assert len({each.group for each in found.videos}) == 2


def test_a_path_does_not_leave_the_folder(touch: Touch, tmp_path: Path) -> None:
    folder = touch("videos", "a.mp4")
    (tmp_path / "list.csv").write_text("path,label,start,end\n../a.mp4,fall,1,2\n")
    with pytest.raises(ClipError, match="not a path in the folder"):
        read_footage(f"segments:{tmp_path / 'list.csv'}", folder)


@pytest.mark.parametrize("name", ["tags.vott", "tags-export.json"])
def test_annotations_of_frames_are_to_be_cut(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(UsageError, match="bench data cut"):
        read_footage(str(tmp_path / name))
