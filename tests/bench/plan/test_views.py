"""The views of a run: of the weights in use, of `:K=`, and of `--views`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import plan_models
from actionbench.bench.plan.planned_model import PlannedModel
from actionbench.bench.plan.views import check_views, views_in_words
from actionbench.bench.scenarios.scenario import scenario
from actionbench.errors import UsageError, WeightsError
from actionbench.models.registry import find_model
from actionbench.models.spec import Views, Weights
from actionbench.models.weights.descriptions import description

from ..conftest import NETWORKS

RESNEXT = description("hara-resnext-101-16f")
I3D = description("deepmind-rgb-imagenet")

Plan = Callable[..., PlannedModel]


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    """Function that plans the tiny network with a file of weights and what stands beside that."""

    def plan(beside: str = "", model: str = f"{NETWORKS}:tiny", **settings: object) -> PlannedModel:
        file = tmp_path / "colours.bin"
        file.write_bytes(b"colours")
        file.with_name("colours.bin.yaml").write_text(beside or "licence: mine")
        (found,) = plan_models(
            RunConfig(models=(model,), weights={"*": str(file)}, **settings),  # type: ignore[arg-type]
            target=None,
        )
        return found

    return plan


CLIPS = "window: 8\nclips: 5\ncrops: 3\nevery: 4\nsingle: 8"


def test_a_file_beside_the_weights_changes_the_views_of_a_run(planned: Plan) -> None:
    assert planned().views == Views(4, 4, "loop", "softmax", 1)
    model = planned(CLIPS)
    assert model.views == Views(8, 4, "loop", "softmax", 1, single=8, clips=5, crops=3)
    assert (
        model.record().views
        == "5 clips of 8 frames × 3 crops, evenly spaced, every 4th frame, softmax averaged"
    )
    assert not model.whole
    assert (model.stream_window, model.stream_rate, model.stream_every) == (8, None, 4)


def test_a_number_of_clips_takes_the_place_of_what_is_published(planned: Plan) -> None:
    model = planned(CLIPS, views="2")
    assert (model.views.window, model.views.clips, model.views.crops, model.window) == (8, 2, 1, None)
    assert model.record().views == "2 clips of 8 frames, evenly spaced, every 4th frame, softmax averaged"
    assert planned(CLIPS, views="1").whole
    single = planned(CLIPS, views="single")
    assert (single.window, single.whole) == (8, True)
    assert single.record().views == "one window of up to 8 frames from the middle, every 4th frame"


@pytest.mark.parametrize("views", ["published", "single", "3"])
def test_accuracy_and_times_are_of_the_same_views(planned: Plan, views: str) -> None:
    model = planned(CLIPS, views=views)
    config = RunConfig(views=views)
    jobs = [scenario(name).job(model, (), config) for name in ("latency", "pipelined", "throughput")]
    accuracy = model.job("accuracy", ())
    assert {(job.views, job.window) for job in jobs} == {(accuracy.views, accuracy.window)}


def test_windows_of_so_many_frames() -> None:
    (model,) = plan_models(RunConfig(models=("resnext:K=32",), weights={"*": "random"}), target=None)
    assert model.views == replace(RESNEXT.views, window=32, stride=32)
    (model,) = plan_models(
        RunConfig(models=("i3d-rgb:K=32",), weights={"*": "random"}, views="4"), target=None
    )
    assert (model.views.window, model.views.clips) == (32, 4)


def test_a_request_with_windows_changes_the_views_of_any_weights() -> None:
    request = find_model("resnext:K=32")
    other = replace(RESNEXT, views=replace(RESNEXT.views, clips=5, window=8))
    assert request.views({"rgb": Weights("user", other)}).window == 32


def test_streams_with_different_views_are_refused() -> None:
    request = find_model("i3d")
    flow = description("deepmind-flow-imagenet")
    other = replace(flow, views=replace(flow.views, window=16))
    with pytest.raises(WeightsError, match="i3d: the streams' weights cut a video into different views"):
        request.views({"rgb": Weights("user", I3D), "flow": Weights("user", other)})


def test_a_camera_gives_the_frames_that_the_network_sees(planned: Plan) -> None:
    def fps(beside: str) -> Fraction:
        settings: object = (
            scenario("stream").job(planned(beside), (), RunConfig(scenarios=("stream",))).settings
        )
        return settings.fps  # type: ignore[attr-defined,no-any-return]

    assert fps("every: 1") == 25
    assert fps("every: 2") == Fraction(25, 2)
    assert fps("rate: 30\nevery: 4") == Fraction(15, 2)


@pytest.mark.parametrize("value", ["published", "single", "1", "10", "1000"])
def test_what_the_option_takes(value: str) -> None:
    check_views(value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "unknown value of --views ''"),
        ("0", "--views 0: is no number of clips; expected 1 to 1000 clips"),
        ("-1", "--views -1: is no number of clips"),
        ("1001", "--views 1001: is no number of clips; expected 1 to 1000 clips"),
        ("999999999", "is no number of clips"),
        ("9" * 5000, f"--views {'9' * 40}…: is no number of clips"),
        ("²", "--views ²: is no number of clips"),
        ("2.5", "unknown value of --views '2.5'"),
        ("video", "is now called `published`"),
        ("singel", "Did you mean: single? Known: published, single, and a number of clips from 1 to 1000"),
    ],
)
def test_what_the_option_does_not_take(value: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        check_views(value)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("views", "single", "every", "words"),
    [
        (I3D.views, None, 1, "whole video in one pass"),
        (I3D.views, 64, 1, "one window of up to 64 frames from the middle"),
        (
            replace(I3D.views, crops=3),
            None,
            2,
            "whole video in one pass × 3 crops, every 2nd frame, logits averaged",
        ),
        (RESNEXT.views, None, 1, "windows of 16 frames without overlap, last one looped, softmax averaged"),
        (
            replace(RESNEXT.views, tail="hold"),
            *(None, 1),
            "windows of 16 frames without overlap, last one filled with its last frame, softmax averaged",
        ),
        (
            replace(RESNEXT.views, stride=8, tail="drop"),
            *(None, 11),
            "windows of 16 frames every 8 frames, remainder left out, every 11th frame, softmax averaged",
        ),
        (replace(RESNEXT.views, clips=5), None, 1, "5 clips of 16 frames, evenly spaced, softmax averaged"),
        (
            replace(RESNEXT.views, clips=1),
            None,
            3,
            "1 clip of 16 frames, from the beginning, every 3rd frame, softmax averaged",
        ),
    ],
)
def test_the_protocol_in_words(views: Views, single: int | None, every: int, words: str) -> None:
    how = replace(RESNEXT.preprocessing, every=every)
    weights = {"rgb": Weights("random", replace(RESNEXT, preprocessing=how))}
    assert views_in_words(views, single, weights) == words
