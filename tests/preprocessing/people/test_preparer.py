"""Clips with and without a main person as network input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.bench.scenarios.pipeline import Answer, Pipeline
from actionbench.bench.scenarios.stream_networks import StreamNetwork
from actionbench.bench.scenarios.thread_pool import ThreadPool
from actionbench.datasets.clip import Clip
from actionbench.flow.cache import cache_key
from actionbench.flow.registry import get_method
from actionbench.models.spec import Preprocessing, Views
from actionbench.preprocessing.people.main_person import MainPerson
from actionbench.preprocessing.people.square import square_around
from actionbench.preprocessing.preparer import NOBODY, NOT_LOOKED_FOR, Preparer
from actionbench.preprocessing.stopwatch import Stopwatch as Watch
from actionbench.records.run import STAGES

from .moving import HEIGHT, WIDTH, Box, Knowing, frame

PERSON: Box = (90, 20, 140, 100)
SIDE = square_around(np.array([PERSON], np.float32), HEIGHT, WIDTH).side
"""Frames are resized to the square's own side, so that pixels stay what they are."""

HOW = Preprocessing("rgb", None, SIDE, "opencv-bilinear", "round", SIDE, "floor")


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    np.save(tmp_path / "clip.npy", np.stack([frame(number) for number in range(12)]))
    return Clip("clip", tmp_path / "clip.npy", None)


def preparer(*boxes: Box, streams: dict[str, Preprocessing] | None = None) -> Preparer:
    return Preparer(
        streams or {"rgb": HOW},
        Views(None, None, "loop", "logits", 1),
        people=MainPerson(Knowing(lambda _: boxes)),
        uint8_streams=frozenset({"rgb"}),
    )


def test_the_network_sees_the_square_of_the_main_person(clip: Clip) -> None:
    prepared = preparer(PERSON)(clip)
    (view,) = prepared.views
    square = square_around(np.array([PERSON], np.float32), HEIGHT, WIDTH)
    assert np.array_equal(view["rgb"], np.stack([square.cut(frame(number)) for number in range(12)]))
    assert NOBODY not in prepared.notes
    assert prepared.frames == 12


def test_finding_the_person_is_a_stage_of_its_own(clip: Clip) -> None:
    with_person, without = preparer(PERSON)(clip), replace(preparer(), people=None)(clip)
    assert set(with_person.stages_s) - set(without.stages_s) == {"people"}
    assert set(with_person.stages_s) <= set(STAGES)
    assert with_person.stages_s["people"] > 0


def test_a_clip_without_a_person_is_shown_whole_and_says_so(clip: Clip) -> None:
    prepared, whole = preparer()(clip), replace(preparer(), people=None)(clip)
    assert np.array_equal(prepared.views[0]["rgb"], whole.views[0]["rgb"])
    assert set(prepared.notes) - set(whole.notes) == {NOBODY}


def test_a_file_of_network_input_is_taken_as_it_is_and_says_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "input.npz", rgb=np.zeros((12, SIDE, SIDE, 3), np.float32))
    prepared = preparer(PERSON)(Clip("input", tmp_path / "input.npz", None))
    assert prepared.notes == (NOT_LOOKED_FOR,)


def test_two_sizes_of_streams_look_for_the_person_once(clip: Clip) -> None:
    detector = Knowing(lambda _: [PERSON])
    two = {"rgb": HOW, "small": replace(HOW, short_side=20, crop=20)}
    prepared = replace(preparer(streams=two), people=MainPerson(detector))(clip)
    assert prepared.views[0]["small"].shape == (12, 20, 20, 3)
    assert detector.asked == [0, 2, 4, 6, 8, 10]


def test_flow_of_a_square_has_a_key_of_its_own(clip: Clip) -> None:
    """The key of the flow cache is made of the frames that the flow is computed from."""
    method = get_method("dis")
    keys = set()
    for each in (preparer(PERSON), replace(preparer(), people=None)):
        (geometry,) = each.geometries()
        square, _ = each.main_person(clip, Watch(), lambda *_: None)
        pixels = each.resized_frames(clip, geometry, Watch(), lambda *_: None, square=square).pixels
        keys.add(cache_key(each.grey(pixels, Watch()), method))
    assert len(keys) == 2


class Mean:
    """A network whose logits are the mean colours of its frames."""

    def upload(self, inputs: Any) -> Any:
        return inputs["rgb"]

    def forward(self, inputs: Any) -> Any:
        return inputs.astype(np.float32).mean((1, 2, 3)) / 255

    def download(self, logits: Any) -> Any:
        return logits

    def synchronize(self) -> None:
        pass

    def describe(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("boxes", [(PERSON,), ()])
def test_overlapping_stages_give_the_same_answer(boxes: tuple[Box, ...], clip: Clip) -> None:
    answers: list[Answer] = []
    each = preparer(*boxes)
    with ThreadPool(2) as pool:

        def answered(answer: Answer) -> None:
            answers.append(answer)
            pool.end()

        network = StreamNetwork(("rgb",), Mean())
        Pipeline(pool, each, [network], 3, 1, answered, lambda *_: None).start(clip)
        pool.wait()
    (answer,) = answers
    prepared = each(clip)
    logits = Mean().forward(prepared.views[0]["rgb"][None])[0]
    assert answer.probabilities == pytest.approx(np.exp(logits) / np.exp(logits).sum())
    assert answer.notes == prepared.notes
