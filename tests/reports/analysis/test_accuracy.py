"""Accuracy from hand-made answers: counts, what is undefined, what is not measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actionbench.operating_point import Costs, OperatingPoint
from actionbench.reports.analysis.accuracy import (
    DEMO_WEIGHTS,
    RANDOM_WEIGHTS,
    Accuracy,
    Paired,
    accuracy,
    pairs,
)
from actionbench.reports.analysis.load_runs import RunData, merge, read_run
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.formats.export import results
from actionbench.reports.formats.html import page
from actionbench.reports.formats.markdown import report
from actionbench.reports.statistics.intervals import wilson
from actionbench.reports.tables.accuracy import at_operating_points, paired_sentence
from actionbench.reports.tables.all_tables import all_tables

from ...known import known


def accuracy_of(
    fake: SimpleNamespace, answers: dict[str, Any], target: str = "jogging", **changes: object
) -> Accuracy:
    (measured,) = merge([fake.run([fake.model("net", answers, **changes)])]).models
    return accuracy(measured, target)


def test_counts_and_intervals(two_models: RunData) -> None:
    i3d = accuracy(merge([two_models]).models[0], "jogging")
    top1 = known(i3d.top1)
    assert (top1.value, top1.n) == (17 / 20, 20)
    assert top1.interval == wilson(17, 20)
    assert known(i3d.top5).value == 1
    target = i3d.target
    assert (target.videos, target.predicted, target.hits) == (10, 7, 7)
    recall = known(target.recall)
    assert (known(target.precision).value, recall.value) == (1, 0.7)
    assert recall.interval == wilson(7, 10)
    assert known(target.f1).value == pytest.approx(2 * 7 / 17)
    assert target.taken_for == (("running on treadmill", 3),)
    assert target.mistaken == ()


def test_average_precision_has_an_interval_around_it(fake: SimpleNamespace) -> None:
    answers = fake.answers(6, 10) | {f"y/{i}": ("yoga", "jogging") for i in range(4)}
    estimate = known(accuracy_of(fake, answers).target.average_precision)
    interval = known(estimate.interval)
    assert interval.low < estimate.value < interval.high
    assert estimate.n == 10


def test_confusions_go_both_ways_most_frequent_first(fake: SimpleNamespace) -> None:
    answers = {
        "a": ("jogging", "yoga"),
        "b": ("jogging", "zumba"),
        "c": ("jogging", "zumba"),
        "d": ("walking the dog", "jogging"),
        "e": ("jogging", "jogging"),
    }
    target = accuracy_of(fake, answers).target
    assert target.taken_for == (("zumba", 2), ("yoga", 1))
    assert target.mistaken == (("walking the dog", 1),)
    assert known(target.precision).value == 0.5


def test_without_a_video_of_the_target_nothing_is_zero(fake: SimpleNamespace) -> None:
    target = accuracy_of(fake, fake.answers(0, 0)).target
    assert "no video of jogging" in known(target.reason)
    assert (target.precision, target.recall, target.f1, target.average_precision) == (None,) * 4


def test_never_predicted_leaves_precision_undefined_and_recall_zero(fake: SimpleNamespace) -> None:
    target = accuracy_of(fake, fake.answers(0, 4)).target
    assert target.precision is None
    recall = known(target.recall)
    assert recall.value == 0
    assert known(recall.interval).high > 0.3


def test_a_target_the_network_does_not_know(fake: SimpleNamespace) -> None:
    found = accuracy_of(fake, fake.answers(1, 2), target="curling")
    assert "not a class" in known(found.target.reason)


def test_errors_and_unlabelled_videos_are_counted_apart(fake: SimpleNamespace) -> None:
    answers = fake.answers(2, 2, others=0) | {
        "broken.mp4": ("jogging", OSError("no moov atom")),
        "unlabelled.mp4": (None, "yoga"),
        "unknown.mp4": ("juggling knives", "yoga"),
    }
    found = accuracy_of(fake, answers)
    top1 = known(found.top1)
    assert (top1.value, top1.n) == (1, 2)
    assert found.failed == (("broken.mp4", "no moov atom"),)
    assert (found.unlabelled, found.unknown_label) == (1, 1)


def test_an_operating_point_decides_beside_the_most_probable_class(fake: SimpleNamespace) -> None:
    """Missed videos have a probability of 0.05 of their own class, others at most 0.01."""
    data = fake.run([fake.model("net", fake.answers(7, 10)), fake.model("other", fake.answers(7, 10))])
    point = OperatingPoint("jogging", 0.04, "recall", 31, 9)
    first, second = data.run.models
    run = replace(data.run, models=(replace(first, operating_point=point), second))
    summary = summarise(merge([replace(data, run=run)]))
    found = known(summary.models[0].accuracy.at_operating_point)
    assert (found.most_probable.hits, found.most_probable.videos) == (7, 10)
    assert (found.decided.hits, found.decided.videos, found.decided.predicted) == (10, 10, 10)
    assert known(found.accuracy).value == 1
    assert found.decided.taken_for == ()
    assert found.most_probable.taken_for == (("running on treadmill", 3),)
    assert summary.models[1].accuracy.at_operating_point is None
    table = at_operating_points(summary)
    assert [record["threshold"] for record in table.records] == [None, 0.04]
    assert [record["class_hits"] for record in table.records] == [7, 10]
    assert any("F2, which favours recall, on 31 validation examples" in note for note in table.notes)
    written = results(summary)["models"]
    assert written[0]["accuracy"]["at_operating_point"]["threshold"] == 0.04
    assert written[0]["accuracy"]["at_operating_point"]["decided"]["hits"] == 10
    assert written[1]["accuracy"]["at_operating_point"] is None
    text = report(summary, all_tables(summary))
    assert "### At the operating point" in text
    assert "probability ≥ 4.0 %" in text
    page_text = page(summary, all_tables(summary), [])
    assert "probability ≥ 4.0 %" in page_text


def test_a_run_with_an_operating_point_is_read_as_it_was_written(
    fake: SimpleNamespace, tmp_path: Path
) -> None:
    data = fake.run([fake.model("net", fake.answers(7, 10))])
    for point in (OperatingPoint("jogging", 0.04, Costs(5, 1), 31, 9), OperatingPoint("jogging", 0.5)):
        run = replace(data.run, models=(replace(data.run.models[0], operating_point=point),))
        folder = fake.write(tmp_path / f"{point.threshold}", replace(data, run=run))
        assert read_run(folder).run.models[0].operating_point == point


def test_random_weights_have_no_accuracy(fake: SimpleNamespace) -> None:
    found = accuracy_of(fake, fake.answers(2, 2), kind="random")
    assert (found.top1, found.top5, found.target.recall) == (None,) * 3
    assert found.reason == found.target.reason == RANDOM_WEIGHTS


def test_demo_weights_have_figures(fake: SimpleNamespace) -> None:
    assert known(accuracy_of(fake, fake.answers(2, 2), kind="demo").top1).value == 1
    assert "real video" in DEMO_WEIGHTS


def test_pairs_on_all_videos_and_on_the_target(two_models: RunData) -> None:
    everything, target = pairs(merge([two_models]))
    assert (everything.label, target.label) == (None, "jogging")
    assert (everything.both, everything.only_first, everything.only_second, everything.neither) == (
        15,
        2,
        0,
        3,
    )
    assert (target.n, target.only_first, target.p_value) == (10, 2, 0.5)


def test_pairs_use_only_videos_that_both_answered(fake: SimpleNamespace) -> None:
    whole = fake.answers(3, 3, others=2)
    partly = whole | {"jogging/00.mp4": ("jogging", OSError("gone"))}
    (everything, _) = pairs(merge([fake.run([fake.model("a", whole), fake.model("b", partly)])]))
    assert everything.n == 4


def test_random_weights_are_not_paired(fake: SimpleNamespace) -> None:
    models = [fake.model("a", fake.answers(1, 2)), fake.model("b", fake.answers(1, 2), kind="random")]
    assert pairs(merge([fake.run(models)])) == ()


def test_three_models_are_adjusted_for_three_pairs(fake: SimpleNamespace) -> None:
    models = [fake.model(k, fake.answers(hits, 10)) for k, hits in (("a", 10), ("b", 2), ("c", 2))]
    everything = [p for p in pairs(merge([fake.run(models)])) if p.label is None]
    assert [p.adjusted_p for p in everything] == [min(1, 3 * everything[0].p_value)] * 2 + [1.0]


def pair(only_first: int, only_second: int, n: int) -> Paired:
    p = 0.01 if abs(only_first - only_second) > 7 else 0.5
    return Paired("a", "b", None, n - only_first - only_second, only_first, only_second, 0, p, p)


def test_the_sentence_says_what_so_many_videos_can_tell() -> None:
    assert "cannot distinguish two models" in paired_sentence(pair(2, 0, 3))
    ten = paired_sentence(pair(2, 0, 10))
    assert "no significant difference" in ten
    assert "fewer than 6 videos (60 %)" in ten
    assert paired_sentence(pair(0, 9, 20)).startswith("b is more often right")
