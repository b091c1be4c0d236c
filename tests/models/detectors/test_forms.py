"""What the outputs of detectors mean, by outputs that are written out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from actionbench.errors import WeightsError
from actionbench.models.detectors.forms import FORMS, Form, SsdDetections, SsdLists, Yolox

SIZE = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3


def yolox_output(decoded: bool) -> np.ndarray:
    """A person of 20×40 pixels around (44, 20), which is in column 2 and row 1 of the grid with stride 16."""
    rng = np.random.default_rng(0)
    output = np.zeros((CELLS, 85), np.float32)
    strides = np.concatenate([np.full(96, 8), np.full(24, 16), np.full(6, 32)])[:, None]
    grids = [
        np.stack(np.meshgrid(np.arange(96 // s), np.arange(64 // s)), -1).reshape(-1, 2) for s in (8, 16, 32)
    ]
    cells = np.concatenate(grids)
    output[:, :2] = rng.uniform(-1, 2, (CELLS, 2))
    output[:, 2:4] = rng.uniform(-1, 1, (CELLS, 2))
    place = 96 + 1 * 6 + 2
    output[place, :4] = (44 / 16 - 2, 20 / 16 - 1, np.log(20 / 16), np.log(40 / 16))
    output[place, 4], output[place, 5], output[place, 6] = 0.9, 0.8, 0.1
    if decoded:
        output[:, :2] = (output[:, :2] + cells) * strides
        output[:, 2:4] = np.exp(output[:, 2:4]) * strides
    return output[None]


@pytest.mark.parametrize("decoded", [False, True])
def test_yolox_is_decoded_once_however_it_was_exported(decoded: bool) -> None:
    form = Yolox()
    corners, scores = form.found([yolox_output(decoded)], SIZE, form.description)
    best = int(scores.argmax())
    assert scores[best] == pytest.approx(0.72)
    assert corners[best] == pytest.approx([34, 0, 54, 40], abs=1e-3)
    assert (scores > 0).sum() == 1


def test_the_score_of_yolox_is_that_of_the_described_class() -> None:
    form = Yolox()
    _, scores = form.found([yolox_output(False)], SIZE, replace(form.description, person=1))
    assert scores.max() == pytest.approx(0.09)


def test_lists_keep_the_class_person_alone() -> None:
    form = SsdLists()
    boxes = np.array([[1, 2, 30, 40], [5, 5, 9, 9]], np.float32)
    labels, scores = np.array([1, 18], np.int64), np.array([0.8, 0.9], np.float32)
    found = [form.found([boxes, labels, scores], SIZE, form.description)]
    found += [form.found([boxes[None], labels[None], scores[None]], SIZE, form.description)]
    for corners, values in found:
        assert corners.tolist() == [[1, 2, 30, 40]]
        assert values == pytest.approx([0.8])


def test_lists_in_shares_are_scaled_to_the_input() -> None:
    form = SsdLists()
    arrays = [np.array([[0, 0.5, 0.5, 1]], np.float32), np.array([1]), np.array([1], np.float32)]
    corners, _ = form.found(arrays, SIZE, replace(form.description, boxes="shares"))
    assert corners.tolist() == [[0, 32, 48, 64]]


def test_no_person_in_lists() -> None:
    form = SsdLists()
    corners, scores = form.found([np.empty((0, 4)), np.empty(0), np.empty(0)], SIZE, form.description)
    assert corners.shape == (0, 4)
    assert scores.shape == (0,)


def test_detections_end_where_the_picture_number_is_negative() -> None:
    form = SsdDetections()
    rows = [
        [0, 1, 0.9, 0.25, 0.5, 0.5, 1.0],
        [0, 2, 0.9, 0, 0, 1, 1],
        [-1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0.8, 0, 0, 1, 1],
    ]
    corners, scores = form.found([np.array(rows, np.float32)[None, None]], SIZE, form.description)
    assert corners.tolist() == [[24, 32, 48, 64]]
    assert scores == pytest.approx([0.9])


@pytest.mark.parametrize(
    ("form", "arrays"),
    [
        (Yolox(), [np.zeros((1, 5, 85), np.float32)]),
        (Yolox(), [np.zeros((CELLS, 85), np.float32)]),
        (SsdDetections(), [np.zeros((1, 2, 1, 7), np.float32)]),
        (SsdLists(), [np.zeros((2, 5)), np.zeros(2), np.zeros(2)]),
        (SsdLists(), [np.zeros((2, 4)), np.zeros(3), np.zeros(2)]),
    ],
)
def test_an_output_of_another_shape_is_refused(form: Form, arrays: list[np.ndarray]) -> None:
    with pytest.raises(WeightsError, match="shape"):
        form.found(arrays, SIZE, form.description)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ({"output": (1, 3549, 85)}, Yolox),
        ({"found": (1, 1, 200, 7)}, SsdDetections),
        ({"labels": (None,), "bboxes": (None, 4), "scores": (None,)}, SsdLists),
        ({"logits": (1, 1000)}, None),
        ({"a": (1, 10, 4), "b": (1, 10)}, None),
    ],
)
def test_the_form_is_recognised_by_the_outputs(
    shapes: dict[str, tuple[int | None, ...]], expected: type | None
) -> None:
    found = [type(form) for form in FORMS if form.outputs(shapes) is not None]
    assert found == ([] if expected is None else [expected])


def test_the_outputs_of_lists_are_put_in_order() -> None:
    shapes = {"labels": (1, 10), "scores": (1, 10), "bboxes": (1, 10, 4)}
    assert SsdLists().outputs(shapes) == ("bboxes", "labels", "scores")
