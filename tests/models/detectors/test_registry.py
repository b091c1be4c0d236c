"""Detectors by name, and files that are no detectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from actionbench.errors import BackendUnavailable, UsageError, WeightsError
from actionbench.models.detectors.registry import choose_detector, load_detector

from ...detector_files import finding, write_detector

FRAME = np.zeros((120, 200, 3), np.uint8)


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_a_file_is_computed_by_the_engine_that_is_named(engine: str, tmp_path: Path) -> None:
    file = finding(tmp_path / "at@home.onnx", (0.25, 0.5, 0.5, 1.0))
    chosen = choose_detector(f"onnx:{file}@{engine}")
    assert (chosen.file, chosen.engine) == (file, engine)
    detector = load_detector(chosen, 1)
    found = detector.detect(FRAME)
    assert found.corners.tolist() == [[50, 60, 100, 120]]
    assert found.scores == pytest.approx([0.9])
    assert detector.describe()["engine"] == engine


def test_the_first_engine_that_is_installed_is_used(tmp_path: Path) -> None:
    file = finding(tmp_path / "found.onnx")
    assert choose_detector(f"onnx:{file}").engine == "openvino"

    def without_openvino(modules: Sequence[str]) -> list[str]:
        return [each for each in modules if each == "openvino"]

    assert choose_detector(f"onnx:{file}", without_openvino).engine == "onnx"
    with pytest.raises(BackendUnavailable, match="no engine"):
        choose_detector(f"onnx:{file}", lambda _: ("all",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hogg", "unknown detector of persons"),
        ("hog:file", "takes no file"),
        ("onnx", "names no file"),
        ("onnx:", "names no file"),
        ("onnx:nowhere.onnx", "no such file"),
    ],
)
def test_what_names_no_detector_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_detector(text)


def test_a_file_that_was_changed_after_the_plan_is_refused(tmp_path: Path) -> None:
    chosen = choose_detector(f"onnx:{finding(tmp_path / 'found.onnx')}")
    (tmp_path / "found.onnx.yaml").write_text("person: 3\n")
    with pytest.raises(WeightsError, match="not the file that was checked"):
        load_detector(chosen, 1)


def test_the_description_beside_a_file_names_the_class(tmp_path: Path) -> None:
    file = finding(tmp_path / "found.onnx", (0, 0, 1, 1))
    (tmp_path / "found.onnx.yaml").write_text("person: 3\n")
    detector = load_detector(choose_detector(f"onnx:{file}"), 1)
    assert len(detector.detect(FRAME)) == 0
    assert detector.describe()["person"] == 3


@pytest.mark.parametrize(
    "text", ["class: 3\n", "person: -1\n", "std: [0, 1, 1]\n", "[]\n", "scale: x\n", "{"]
)
def test_a_description_that_makes_no_sense_is_refused(text: str, tmp_path: Path) -> None:
    file = finding(tmp_path / "found.onnx")
    (tmp_path / "found.onnx.yaml").write_text(text)
    with pytest.raises(WeightsError, match=r"found\.onnx\.yaml"):
        choose_detector(f"onnx:{file}")


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a graph")
    with pytest.raises(WeightsError, match=r"text\.onnx"):
        choose_detector(f"onnx:{tmp_path / 'text.onnx'}")


def test_outputs_of_another_kind_are_refused(tmp_path: Path) -> None:
    file = write_detector(tmp_path / "classes.onnx", [("classes", np.zeros((1, 1000), np.float32))])
    with pytest.raises(WeightsError, match="outputs of a detector"):
        choose_detector(f"onnx:{file}")


def test_a_file_that_would_load_tensors_from_others_is_refused(tmp_path: Path) -> None:
    file = finding(tmp_path / "found.onnx")
    model = onnx.load_model(file)
    tensor = model.graph.node[2].attribute[0].t
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    file.write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match="tensors in other files"):
        choose_detector(f"onnx:{file}")


def test_an_input_of_no_fixed_size_is_refused(tmp_path: Path) -> None:
    file = finding(tmp_path / "found.onnx")
    model = onnx.load_model(file)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save_model(model, file)
    with pytest.raises(WeightsError, match="fixed size"):
        choose_detector(f"onnx:{file}")


def test_numbers_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    rows = np.full((1, 1, 1, 7), np.nan, np.float32)
    file = write_detector(tmp_path / "broken.onnx", [("found", rows)])
    detector = load_detector(choose_detector(f"onnx:{file}@onnx"), 1)
    with pytest.raises(WeightsError, match=r"broken\.onnx.*not finite"):
        detector.detect(FRAME)


def test_boxes_are_cut_at_the_border_and_overlapping_ones_dropped(tmp_path: Path) -> None:
    file = finding(
        tmp_path / "found.onnx", (-0.5, 0, 0.5, 1), (0, 0, 0.5, 1), (0.6, 0, 1, 1), (1.2, 0, 1.5, 1)
    )
    found = load_detector(choose_detector(f"onnx:{file}@onnx"), 1).detect(FRAME)
    assert found.corners.round().tolist() == [[0, 0, 100, 120], [120, 0, 200, 120]]
