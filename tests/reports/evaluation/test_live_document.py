"""The document of an evaluation of live labels, from timelines made by hand."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from actionbench.records.live import AnnotatedAction, LabelTimeline, RecordedSession, ShownLabel
from actionbench.reports.evaluation.live_document import write_live_evaluation
from actionbench.reports.evaluation.live_tables import LiveEvaluation, Watched

SESSION = RecordedSession(
    "falls", ("falling", "walking", "other"), {"rgb": "user"}, 25, 25.0, "the likeliest class is 'other'",
    {"stride": 8, "smoothing": 0.5, "hold": 0.5, "threshold": None},
)  # fmt: skip


def watched(
    name: str,
    *labels: tuple[float, str | None],
    actions: tuple[AnnotatedAction, ...] = (),
    end_s: float = 30.0,
) -> Watched:
    shown = tuple(ShownLabel(time_s, 0.0, () if label is None else (label,)) for time_s, label in labels)
    return Watched(name, name, LabelTimeline(shown, end_s), actions, 1.0)


def evaluation(*videos: Watched, notes: tuple[str, ...] = ()) -> LiveEvaluation:
    return LiveEvaluation("ward", SESSION, "falling", ("falling", "walking"), videos, 1.0, notes)


def written(contents: LiveEvaluation, folder: Path) -> tuple[str, dict[str, Any]]:
    path = write_live_evaluation(contents, folder)
    return path.read_text(), json.loads(path.with_suffix(".json").read_text())


def fall(name: str, delay_s: float) -> Watched:
    """Of a fall from 10 to 12 s that is recognised after `delay_s`; infinite: never."""
    labels = [(1.0, None)] if math.isinf(delay_s) else [(1.0, None), (10 + delay_s, "falling"), (20.0, None)]
    return watched(name, *labels, actions=(AnnotatedAction("falling", 10.0, 12.0),))


def test_medians_over_all_actions_with_intervals_over_groups(tmp_path: Path) -> None:
    """Eleven falls: recognised after 0.1 to 0.9 s, one late, after 3.5 s, one never. A window, smoothing and
    hold are 2 s, so that until 14 s a label is late; the sixth of eleven is the median."""
    videos = [fall(f"{n}.mp4", n / 10) for n in range(1, 10)]
    text, found = written(evaluation(*videos, fall("late.mp4", 3.5), fall("no.mp4", math.inf)), tmp_path)
    (row,) = found["recognition"]
    assert (row["class"], row["actions"], row["groups"]) == ("falling", 11, 11)
    assert row["recognised"] == pytest.approx(10 / 11)
    assert row["first_s"] == pytest.approx(0.6)
    assert 0.1 <= row["first_s_low"] < 0.6 < row["first_s_high"]
    assert row["right_to_the_end"] == pytest.approx(9 / 11)
    assert row["share_seen"] == pytest.approx(0.3)
    assert "]<br>0.10–3.50 |" in text
    assert "up to 2 s after its end" in text
    with (tmp_path / "tables" / "actions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [each["first_s"] for each in rows[-2:]] == ["3.5", ""]
    # 29 s a video but for the 4 s of the fall and its late labels.
    (alarms,) = (each for each in found["false_alarms"] if each["class"] == "falling")
    assert (alarms["footage"], alarms["minutes"]) == ("all", pytest.approx(11 * 25 / 60))
    assert alarms["per_hour_high"] == pytest.approx(-math.log(0.025) / (11 * 25 / 3600))
    assert (tmp_path / "plots" / "recognition.svg").is_file()


def test_quiet_footage_has_a_rate_and_no_times(tmp_path: Path) -> None:
    """8 minutes with one alarm of each class: 7.5 an hour."""
    quiet = watched("quiet.mp4", (0.0, None), (9.0, "falling"), (11.0, "walking"), (12.0, None), end_s=480.0)
    text, found = written(evaluation(quiet, notes=("2 of 3 videos are left out: a|b, <c>",)), tmp_path)
    assert found["recognition"] == []
    assert "Time to recognition" not in text
    assert [(each["class"], each["per_hour"]) for each in found["false_alarms"]] == [
        ("falling", pytest.approx(7.5)),
        ("walking", pytest.approx(7.5)),
    ]
    assert "7.50 [0.190–41.8]" in text
    assert "a&#124;b, &lt;c&gt;" in text
    assert not (tmp_path / "plots").exists()


def test_a_video_that_ends_with_its_action_shows_no_late_label(tmp_path: Path) -> None:
    """A label is late until 2 s after the action."""
    missed = [
        watched(name, (1.0, None), actions=(AnnotatedAction("falling", 10.0, 12.0),), end_s=end_s)
        for name, end_s in (("cut.mp4", 13.5), ("whole.mp4", 14.5))
    ]
    text, _ = written(evaluation(*missed), tmp_path)
    assert "whose video ends before a late label could come: 1." in text


def test_without_footage_there_is_no_rate(tmp_path: Path) -> None:
    always = watched(
        "fall.mp4", (0.0, None), (1.0, "falling"), actions=(AnnotatedAction("falling", 0.0, 30.0),)
    )
    text, found = written(evaluation(always), tmp_path)
    assert found["false_alarms"][0]["per_hour"] is None
    assert "There is no footage without falling: its false alarms are not known." in text


def test_actions_that_begin_before_the_first_window_are_counted(tmp_path: Path) -> None:
    early = watched("early.mp4", (1.0, "walking"), actions=(AnnotatedAction("walking", 0.5, 3.0),))
    unknown = watched("lying.mp4", (1.0, None), actions=(AnnotatedAction("lying", 0.0, 3.0),))
    text, _ = written(evaluation(early, unknown), tmp_path)
    assert "1 of 1 actions began before the first whole window" in text
    assert "a late label" not in text
    assert "takes for no action: lying." in text
