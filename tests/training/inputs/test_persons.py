"""Main persons of a set's clips: found once, and remembered with the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.array_cache import ArrayCache
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import plan_models
from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.manifest import read_composed
from actionbench.errors import ClipError, UsageError, WeightsError
from actionbench.models.detectors.registry import ChosenDetector
from actionbench.models.finetuning.finetuned import PEOPLE, finetuned_weights, read_description
from actionbench.models.registry import find_model
from actionbench.parsing import parse_json
from actionbench.preprocessing.people.main_person import MainPerson
from actionbench.preprocessing.people.square import Square
from actionbench.training import finetune as training
from actionbench.training.augmentation.augmentation import Augmentation
from actionbench.training.config import FinetuneConfig
from actionbench.training.inputs.features import Features, Wanted
from actionbench.training.inputs.frames import ResizedFrames
from actionbench.training.inputs.memory import HeldArrays
from actionbench.training.inputs.persons import KnownPersons
from actionbench.training.inputs.windows import Drawing, Windows
from actionbench.training.task import plan

from ...detector_files import finding
from ...preprocessing.people.moving import Knowing


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def config(squares: Path, learner: str, tmp_path: Path) -> FinetuneConfig:
    """A short training on the left half of the frames, as a detector finds a person there."""
    return FinetuneConfig(
        model=learner,
        data=str(squares),
        weights="scratch",
        train="all",
        split="fold:1/3",
        epochs=1,
        threads=1,
        people=f"onnx:{finding(tmp_path / 'left.onnx', (0, 0, 0.5, 1))}@onnx",
        out=str(tmp_path / "out"),
    )


class Counting:
    """Finds what it is told to, and counts how often it is asked."""

    def __init__(self, square: Square | None) -> None:
        self.square, self.asked = square, 0

    def __call__(self, clip: Clip, looked: Callable[[int], None]) -> Square | None:  # noqa: ARG002
        self.asked += 1
        return self.square

    def describe(self) -> dict[str, Any]:
        return {"square": str(self.square)}


@pytest.mark.parametrize("square", [None, Square(-3, 5, 1234)])
def test_a_clip_is_asked_about_once(square: Square | None, squares: Path, tmp_path: Path) -> None:
    first, second = (each.clip for each in read_composed(squares).examples[:2])
    finder = Counting(square)
    for _ in range(2):  # as another process finds it again
        known = KnownPersons(finder, ArrayCache(tmp_path / "people", 10**6))
        assert [known(first), known(second), known(first)] == [square] * 3
    assert finder.asked == 2
    other = Counting(Square(0, 0, 7))
    assert KnownPersons(other, ArrayCache(tmp_path / "people", 10**6))(first) == Square(0, 0, 7)


def test_no_person_is_remembered_of_a_file_that_is_not_the_clips(squares: Path, tmp_path: Path) -> None:
    clip = read_composed(squares).examples[0].clip
    clip.path.write_bytes(b"another file")
    known = KnownPersons(Counting(None), ArrayCache(tmp_path / "people", 10**6))
    with pytest.raises(ClipError):
        known(clip)


def test_frames_show_the_square_and_features_have_a_key_of_their_own(squares: Path, learner: str) -> None:
    how = find_model(learner).model.streams["rgb"].preprocessing
    clip = read_composed(squares).examples[0].clip
    left = MainPerson(Knowing(lambda _: [(0, 0, 16, 32)]))
    whole, cropped = ResizedFrames(how, HeldArrays(1e9)), ResizedFrames(how, HeldArrays(1e9), left)
    assert cropped(clip).shape[1] == cropped(clip).shape[2] < whole(clip).shape[2]
    assert len({feature_key(frames, how, clip) for frames in (whole, cropped)}) == 2


def feature_key(frames: ResizedFrames, how: Any, clip: Any) -> str:
    drawing = Drawing(corner=False, jitter=False, mirror=False, augmentation=Augmentation())
    windows = Windows(frames, how, 4)
    made = Features(None, torch.nn.Identity(), 0, {}, windows, drawing, 1, torch.device("cpu"))  # type: ignore[arg-type]
    return made.key(Wanted(clip, None))


def test_the_result_remembers_its_detector_and_its_weights_bring_it(
    config: FinetuneConfig, quiet: Any
) -> None:
    reporter = quiet()
    folder = training.finetune(config, reporter)
    assert reporter.done.count("people") == 12
    network = read_description(folder)
    assert network.people is not None
    assert network.people["detector"] == "onnx"
    assert network.training["whole_frames"] == []
    Path(str(config.people).partition(":")[2].partition("@")[0]).unlink()  # the result does not need it
    description = find_model(config.model).model.streams["rgb"]
    people = finetuned_weights(folder, "rgb", description).people
    assert people is not None
    assert people.file == folder / PEOPLE
    again = plan(replace(config, weights=str(folder), people=None, out=None))
    assert again.people == people
    run = RunConfig(models=(config.model,), weights={"*": str(folder)}, threads=1)
    for given, expected in ((None, people), ("hog", ChosenDetector("hog"))):
        (planned,) = plan_models(replace(run, people=given), None)
        assert planned.people == expected


def test_what_was_trained_on_whole_frames_remembers_no_detector(config: FinetuneConfig, quiet: Any) -> None:
    folder = training.finetune(replace(config, people=None), quiet())
    assert read_description(folder).people is None
    assert not (folder / PEOPLE).exists()
    # As it was written before there were detectors.
    path = folder / "model.json"
    plain = parse_json(path.read_bytes())
    del plain["people"]
    path.write_text(json.dumps(plain))
    assert read_description(folder).people is None


def test_clips_without_a_person_are_named_in_the_description(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    reporter = quiet()
    nobody = finding(tmp_path / "nobody.onnx")
    folder = training.finetune(replace(config, people=f"onnx:{nobody}@onnx"), reporter)
    assert "no person found in 12 of 12 clips: whole frames of these" in reporter.said
    assert len(read_description(folder).training["whole_frames"]) == 12


@pytest.mark.parametrize("change", ["absent", "other", "path"])
def test_the_detector_of_a_folder_is_the_one_that_is_described(
    change: str, config: FinetuneConfig, quiet: Any
) -> None:
    folder = training.finetune(config, quiet())
    if change == "absent":
        (folder / PEOPLE).unlink()
    elif change == "other":
        finding(folder / PEOPLE)
    else:
        # Its path is not taken from the description.
        text = (folder / "model.json").read_text().replace("left.onnx", "../../elsewhere.onnx")
        (folder / "model.json").write_text(text)
    description = find_model(config.model).model.streams["rgb"]
    if change == "path":
        people = finetuned_weights(folder, "rgb", description).people
        assert people is not None
        assert people.file == folder / PEOPLE
    else:
        with pytest.raises(WeightsError, match=r"people\.onnx"):
            finetuned_weights(folder, "rgb", description)


def test_a_detector_that_is_not_there_is_refused_before_anything_is_written(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no such file"):
        training.finetune(replace(config, people="onnx:nowhere.onnx"), quiet())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("baseline", ["majority", "length", "brightness", "motion"])
def test_baselines_of_whole_frames_take_no_detector(baseline: str, config: FinetuneConfig) -> None:
    with pytest.raises(UsageError, match="whole frames"):
        replace(config, baseline=baseline, people="hog")


def test_pixels_of_the_square_are_those_that_are_trained_on(config: FinetuneConfig) -> None:
    task = plan(config)
    clip = task.split.train[0].clip
    frames = task.windows.frames(clip)
    whole = plan(replace(config, people=None)).windows.frames(clip)
    assert frames.shape[1] == frames.shape[2]
    assert whole.shape[1] < whole.shape[2]
    assert np.isfinite(frames).all()
