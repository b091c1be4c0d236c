"""Clips of actions: which frames are in them, their names, and what stays in memory."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from actionbench.errors import UsageError
from actionbench.live.events import ActionEvent
from actionbench.live.outputs import clips
from actionbench.live.outputs.clips import ClipFolder

from ..making import event, frame, picture, shown

RATE = 8


def run(folder: ClipFolder, seconds: float, events: dict[float, list[ActionEvent]]) -> None:
    """Frames at 8 a second, each as grey as its time; the events come after the frame of their time."""
    for number in range(round(RATE * seconds) + 1):
        time_s = number / RATE
        folder.frame(frame(number, time_s, picture(grey=round(10 * time_s) % 250)), shown())
        for each in events.get(time_s, []):
            folder.event(each)
    folder.close()


def times(path: Path) -> tuple[float, float, int]:
    """First and last time in a clip, by its greys, and its number of frames."""
    with av.open(str(path)) as container:
        greys = [np.median(each.to_ndarray(format="rgb24")) / 10 for each in container.decode(video=0)]
    return float(greys[0]), float(greys[-1]), len(greys)


def test_a_clip_has_what_came_before_and_after(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path / "clips", before_s=2, after_s=1)
    run(folder, 12, {4.5: [event(start_s=4.0)], 5.5: [event("end", start_s=4.0)]})
    (path,) = (tmp_path / "clips").iterdir()
    assert path.name == "20261129T120000Z-falling.mp4"
    first, last, count = times(path)
    assert (first, last) == pytest.approx((2.0, 6.0), abs=0.15)
    assert count == 4 * RATE + 1


def test_a_clip_can_be_played_as_soon_as_there_is_a_file(tmp_path: Path) -> None:
    """What lies on the disk then is what a process leaves that is killed."""
    folder = ClipFolder(tmp_path, before_s=2)
    for number in range(4):
        folder.frame(frame(number, number / RATE, picture()), shown())
    folder.event(event(start_s=0.3))
    (path,) = tmp_path.iterdir()
    assert times(path)[2] == 1
    folder.close()
    assert times(path)[2] == 4


def test_sessions_that_share_a_folder_do_not_share_a_clip(tmp_path: Path) -> None:
    first, second = ClipFolder(tmp_path), ClipFolder(tmp_path)
    for folder in (first, second):
        folder.frame(frame(0, 0.0, picture()), shown())
        folder.event(event(start_s=0.0))
    for folder in (first, second):
        folder.close()
    assert {path.name: times(path)[2] for path in tmp_path.iterdir()} == {
        "20261129T120000Z-falling.mp4": 1,
        "20261129T120000Z-falling-2.mp4": 1,
    }


def test_actions_that_follow_each_other_share_a_clip(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, before_s=1, after_s=2)
    run(
        folder,
        16,
        {
            3.0: [event(start_s=3.0)],
            4.25: [event("end", start_s=3.0), event(start_s=5.0, id="s-2", label="running")],
            6.25: [event("end", start_s=5.0, id="s-2", label="running")],
            12.0: [event(start_s=12.0, id="s-3")],
        },
    )
    first, second = sorted(tmp_path.iterdir(), key=lambda path: len(path.name))
    assert times(first)[:2] == pytest.approx((2.0, 8.0), abs=0.15)
    assert second.name == "20261129T120000Z-falling-2.mp4"
    assert times(second)[:2] == pytest.approx((11.0, 16.0), abs=0.15)


def test_only_chosen_classes_are_saved(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, labels={"falling"})
    run(folder, 2, {1.0: [event(label="running")]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("label", "name"),
    [("../../etc/passwd", "etc-passwd"), ("跌倒", "action"), ("a" * 300, "a" * 40), ("", "action")],
)
def test_names_are_safe_whatever_a_class_is_called(tmp_path: Path, label: str, name: str) -> None:
    folder = ClipFolder(tmp_path / "clips")
    run(folder, 1, {0.5: [event(label=label, start_s=0.5)]})
    assert [path.name for path in (tmp_path / "clips").iterdir()] == [f"20261129T120000Z-{name}.mp4"]
    assert [path.name for path in tmp_path.iterdir()] == ["clips"]


def test_memory_is_bounded_by_time_and_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ClipFolder(tmp_path, before_s=2)
    run(folder, 20, {})
    assert len(folder._kept) == (2 + clips.LATENESS_S) * RATE + 1
    each = folder._kept[-1].jpeg.nbytes
    monkeypatch.setattr(clips, "MOST_BYTES", 5 * each)
    folder = ClipFolder(tmp_path, before_s=2)
    run(folder, 20, {})
    assert 1 <= len(folder._kept) <= 5
    assert folder._bytes == sum(kept.jpeg.nbytes for kept in folder._kept)


def test_a_clip_has_a_longest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "LONGEST_S", 6.0)
    folder = ClipFolder(tmp_path, before_s=1, after_s=1)
    run(folder, 12, {2.0: [event(start_s=2.0)], 11.0: [event("end", start_s=2.0)]})
    (path,) = tmp_path.iterdir()
    assert times(path)[:2] == pytest.approx((1.0, 7.0), abs=0.2)


def test_what_cannot_be_is_refused_before_the_session(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--clips .*clips cannot be saved: File exists"):
        ClipFolder(tmp_path / "file")
    with pytest.raises(UsageError, match="--before: must be from 0"):
        ClipFolder(tmp_path, before_s=-1)
