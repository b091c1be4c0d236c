"""A network that stays loaded from one call to the next, whatever happens to its process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.executors.predictor import MOST_CRASHING_CLIPS, Predictor
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import make_plan
from actionbench.bench.worker import supervisor
from actionbench.bench.worker.accuracy import AccuracySettings
from actionbench.bench.worker.events import ClipFailed, Event, Failed, Predicted, Ready
from actionbench.bench.worker.supervisor import Worker
from actionbench.child_process import Child
from actionbench.datasets.clip import Clip

from ..conftest import NETWORKS

pytestmark = pytest.mark.usefixtures("forked_workers")

CRASHING = 1
"""The class whose clips kill the network `fragile`."""


@pytest.fixture
def predictor(
    coloured_videos: Callable[[list[int], int], Path], weights_file: Path, tmp_path: Path
) -> Iterator[tuple[Predictor, Callable[[int], list[Clip]]]]:
    """Of `fragile`, and a function that gives the six clips of a class."""
    data = coloured_videos([CRASHING, 10, 20, 30], 6)
    weights = {"*": str(weights_file)}
    config = RunConfig(models=(f"{NETWORKS}:fragile",), data=str(data), weights=weights, threads=1)
    plan = make_plan(config)
    (model,) = plan.models
    job = model.job("accuracy", (), settings=AccuracySettings())
    predict = Predictor(Worker(job, model.python, tmp_path / "log", 60, print))
    yield predict, lambda index: [clip for clip in plan.clips if clip.path.name.startswith(f"{index}_")]
    predict.close()


def answered(events: list[Event]) -> set[str]:
    return {event.clip for event in events if isinstance(event, Predicted)}


def test_the_network_is_loaded_once(predictor: tuple[Predictor, Callable[[int], list[Clip]]]) -> None:
    predict, of_class = predictor
    for number, index in enumerate((10, 20, 30)):
        events = list(predict(of_class(index)))
        assert answered(events) == {clip.id for clip in of_class(index)}
        assert sum(isinstance(event, Ready) for event in events) == (number == 0)


def test_a_clip_that_kills_it_costs_itself_alone(
    predictor: tuple[Predictor, Callable[[int], list[Clip]]],
) -> None:
    predict, of_class = predictor
    clips = [*of_class(10)[:2], of_class(CRASHING)[0], *of_class(10)[2:]]
    events = list(predict(clips))
    assert [event for event in events if isinstance(event, ClipFailed)] == [
        ClipFailed(of_class(CRASHING)[0].id, "crashed (SIGABRT)")
    ]
    assert answered(events) == {clip.id for clip in of_class(10)}
    assert answered(list(predict(of_class(20)))) == {clip.id for clip in of_class(20)}


def test_it_is_not_the_clips_where_all_of_them_kill_it(
    predictor: tuple[Predictor, Callable[[int], list[Clip]]],
) -> None:
    """Over several calls too: on a cluster one shard follows the other."""
    predict, of_class = predictor
    first = list(predict(of_class(CRASHING)[:2]))
    assert sum(isinstance(event, ClipFailed) for event in first) == 2
    last = list(predict(of_class(CRASHING)[2:]))
    assert isinstance(last[-1], Failed)
    assert f"{MOST_CRASHING_CLIPS} clips in a row killed it" in last[-1].error


def test_a_process_that_is_killed_while_it_waits_is_replaced(
    predictor: tuple[Predictor, Callable[[int], list[Clip]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    predict, of_class = predictor
    children: list[Child] = []
    start: Callable[..., Child] = supervisor.Child  # type: ignore[attr-defined]  # or a fork

    def kept(*arguments: Any, **more: Any) -> Child:
        children.append(start(*arguments, **more))
        return children[-1]

    monkeypatch.setattr(supervisor, "Child", kept)
    list(predict(of_class(10)))
    (child,) = children
    child.kill()
    events = list(predict(of_class(20)))
    assert answered(events) == {clip.id for clip in of_class(20)}
    assert not [event for event in events if isinstance(event, ClipFailed | Failed)]
    assert len(children) == 2
