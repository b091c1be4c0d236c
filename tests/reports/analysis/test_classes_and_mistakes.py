"""Single classes and single mistakes, against counts made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from actionbench.reports.analysis.classes import class_accuracies, classes, weakest_first
from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.mistakes import mistakes, worst_mistakes
from actionbench.reports.analysis.summary import Summary, summarise


@pytest.fixture
def summary(two_models: RunData) -> Summary:
    return summarise(merge([two_models]))


def test_classes_are_counted(summary: Summary) -> None:
    i3d = {c.label: c for c in class_accuracies(summary.models[0])}
    jogging, treadmill = i3d["jogging"], i3d["running on treadmill"]
    assert (jogging.videos, jogging.predicted, jogging.hits) == (10, 7, 7)
    assert (treadmill.videos, treadmill.predicted, treadmill.hits) == (2, 5, 2)
    assert jogging.recall is not None
    assert jogging.recall.value == 0.7
    assert jogging.recall == summary.models[0].accuracy.target.recall
    assert jogging.precision == summary.models[0].accuracy.target.precision


def test_hits_of_classes_add_up_to_top1(fake: SimpleNamespace) -> None:
    summary = summarise(merge([fake.big_run(n_models=1, n_classes=30, per_class=4, processes=1)]))
    (m,) = summary.models
    assert m.accuracy.top1 is not None
    found = class_accuracies(m)
    assert sum(c.hits for c in found) == round(m.accuracy.top1.value * m.accuracy.top1.n)
    assert sum(c.videos for c in found) == m.accuracy.top1.n
    recalls = {c.label: c.hits / c.videos for c in found}
    ordered = [recalls[label] for label in weakest_first(summary)]
    assert ordered == sorted(ordered)


def test_the_least_recognised_class_comes_first(summary: Summary) -> None:
    frame = classes(summary).frame()
    assert list(frame["class"][:2]) == ["jogging", "jogging"]
    assert list(frame["recall"][:2]) == [0.7, 0.5]


def test_mistakes_are_ranked_and_join_the_models(summary: Summary) -> None:
    found = worst_mistakes(summary, 100)
    assert [m.clip for m in found] == [f"jogging/{i:02}.mp4" for i in range(5, 10)]
    first = found[0]
    assert [(s.model, s.label, s.right) for s in first.answers] == [
        ("i3d", "jogging", True),
        ("resnext", "running on treadmill", False),
    ]
    assert first.confidence == pytest.approx(0.9)
    assert len(worst_mistakes(summary, 2)) == 2
    assert len(mistakes(summary).rows) == 3 + 5


def test_the_most_confident_comes_first(fake: SimpleNamespace) -> None:
    summary = summarise(merge([fake.big_run(n_models=2, n_classes=20, per_class=3, processes=1)]))
    assert np.all(np.diff(mistakes(summary).frame()["probability"]) <= 0)
    confidences = [m.confidence for m in worst_mistakes(summary, 12)]
    assert confidences == sorted(confidences, reverse=True)


def test_random_weights_make_no_mistakes(fake: SimpleNamespace) -> None:
    summary = summarise(merge([fake.run([fake.model("net", fake.answers(0, 5), kind="random")])]))
    assert not worst_mistakes(summary, 12)
    assert not mistakes(summary).rows
    assert not classes(summary).rows
