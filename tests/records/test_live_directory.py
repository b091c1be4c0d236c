"""The folder of watched videos: what survives, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from actionbench.errors import UsageError
from actionbench.records.live import LabelTimeline, RecordedSession, ShownLabel, WatchedVideo
from actionbench.records.live_directory import SESSION, VIDEOS, LiveDirectory

SESSION_RECORD = RecordedSession(
    "falls", ("falling", "other"), {"rgb": "user"}, 32, 25.0, "the likeliest class is 'other'", {"stride": 8}
)
TIMELINE = LabelTimeline((ShownLabel(1.24, 0.0, ()), ShownLabel(2.0, 0.0, ("falling",))), 5.0)


def video(digest: str) -> WatchedVideo:
    return WatchedVideo(digest, f"{digest}.mp4", 125, TIMELINE, ("1 damaged packets",))


def test_what_was_added_is_there_again_without_a_torn_line(tmp_path: Path) -> None:
    with LiveDirectory(tmp_path, SESSION_RECORD) as directory:
        directory.add(video("a"))
        directory.add(video("b"))
    whole = (tmp_path / VIDEOS).read_bytes()
    (tmp_path / VIDEOS).write_bytes(whole[:-9])
    with LiveDirectory(tmp_path, SESSION_RECORD) as directory:
        assert directory.watched == {"a": video("a")}
        directory.add(video("b"))
    assert (tmp_path / VIDEOS).read_bytes() == whole


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (replace(SESSION_RECORD, settings={"stride": 4}), "another stride; expected 8; found 4"),
        (replace(SESSION_RECORD, weights={"rgb": "demo"}), "another weights"),
        (replace(SESSION_RECORD, labels=("falling", "walking")), "another labels"),
    ],
)
def test_videos_that_were_watched_otherwise_are_refused(
    tmp_path: Path, other: RecordedSession, says: str
) -> None:
    with LiveDirectory(tmp_path, SESSION_RECORD):
        pass
    with pytest.raises(UsageError, match=says):
        LiveDirectory(tmp_path, other)
    with LiveDirectory(tmp_path, SESSION_RECORD):  # the lock was released
        pass


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    with LiveDirectory(tmp_path, SESSION_RECORD), pytest.raises(UsageError, match="another evaluation"):
        LiveDirectory(tmp_path, SESSION_RECORD)


@pytest.mark.parametrize("name", [SESSION, VIDEOS])
def test_damage_is_named(tmp_path: Path, name: str) -> None:
    with LiveDirectory(tmp_path, SESSION_RECORD) as directory:
        directory.add(video("a"))
    (tmp_path / name).write_text('{"schema": 1}\n')
    with pytest.raises(UsageError, match=f"{name}.*damaged"):
        LiveDirectory(tmp_path, SESSION_RECORD)
