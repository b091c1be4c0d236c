"""ONNX files that are not trusted: what is refused before they are computed, and tensors in other files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf.message import EncodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from actionbench.errors import WeightsError
from actionbench.models.backends import onnx_reading
from actionbench.models.registry import find_model

from .onnx_networks import computed, each_backend, loaded, logits, views, weighted_sum, written

Change = Callable[[onnx.ModelProto], None]


def with_external_data(folder: Path, location: str) -> onnx.ModelProto:
    """The network whose weights lie in another file, which says that it is at `location`."""
    model = weighted_sum("NCTHW")
    for tensor in model.graph.initializer:
        if tensor.name == "weight":
            content = numpy_helper.to_array(tensor).tobytes()
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in {"location": location, "offset": "0", "length": str(len(content))}.items():
                tensor.external_data.add(key=key, value=value)
            (folder / "weights.bin").write_bytes(content)
    return model


@each_backend
def test_weights_may_lie_in_another_file_of_the_folder(tmp_path: Path, backend: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    file = written(folder, with_external_data(folder, "weights.bin"))
    x = views(1)
    np.testing.assert_allclose(computed(loaded(file, backend), x), logits(x), atol=1e-4)
    before = find_model(f"onnx:{file}").model.fixed_weights["rgb"].sha256
    changed = folder / "weights.bin"
    changed.write_bytes(bytes(changed.stat().st_size))
    file.touch()
    assert find_model(f"onnx:{file}").model.fixed_weights["rgb"].sha256 != before


@pytest.mark.parametrize(
    "location", ["../weights.bin", "{tmp_path}/weights.bin", "link.bin", "C:\\w.bin", "a\0b", ""]
)
def test_tensors_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    model = with_external_data(tmp_path, location.format(tmp_path=tmp_path))
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(WeightsError, match="keeps tensors in a file outside its folder"):
        find_model(f"onnx:{written(folder, model)}")


def test_tensors_that_are_not_there_are_named(tmp_path: Path) -> None:
    model = with_external_data(tmp_path, "other.bin")
    with pytest.raises(WeightsError, match=r"in a file that is not there; expected other\.bin"):
        find_model(f"onnx:{written(tmp_path, model)}")
    model = with_external_data(tmp_path, "weights.bin")
    (tmp_path / "weights.bin").write_bytes(b"1234")
    with pytest.raises(WeightsError, match="is not a valid ONNX network"):
        find_model(f"onnx:{written(tmp_path, model)}")


@pytest.mark.parametrize(
    ("key", "value"),
    [("location", "decoy.bin"), ("length", "3000000000"), ("offset", "0"), ("colour", "red")],
)
@pytest.mark.parametrize("first", [True, False])
def test_tensors_that_do_not_say_clearly_where_they_are_are_refused(
    tmp_path: Path, key: str, value: str, first: bool
) -> None:
    """What is checked, recorded and read must be one file: of a repeated key, readers take either value."""
    model = with_external_data(tmp_path, "weights.bin")
    (tmp_path / "decoy.bin").write_bytes((tmp_path / "weights.bin").read_bytes())
    (tensor,) = (each for each in model.graph.initializer if each.name == "weight")
    entries = [(each.key, each.value) for each in tensor.external_data]
    del tensor.external_data[:]
    for name, said in [(key, value), *entries] if first else [*entries, (key, value)]:
        tensor.external_data.add(key=name, value=said)
    with pytest.raises(WeightsError, match=r"net\.onnx: does not say clearly where the tensor 'weight' is"):
        find_model(f"onnx:{written(tmp_path, model)}")


def test_a_negative_length_does_not_make_room_for_others(tmp_path: Path) -> None:
    model = with_external_data(tmp_path, "weights.bin")
    (tensor,) = (each for each in model.graph.initializer if each.name == "weight")
    for entry in tensor.external_data:
        if entry.key == "length":
            entry.value = "-3000000000"
    with pytest.raises(WeightsError, match="found the tensor 'weight' has a negative length"):
        find_model(f"onnx:{written(tmp_path, model)}")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (EncodeError("Failed to serialize proto"), "is not a valid ONNX network; found Failed to serialize"),
        (MemoryError(), "does not fit into the memory of this machine"),
    ],
)
def test_a_network_that_the_checker_cannot_take_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    def fail(model: onnx.ModelProto) -> None:  # noqa: ARG001
        raise error

    monkeypatch.setattr(onnx.checker, "check_model", fail)
    with pytest.raises(WeightsError, match=rf"net\.onnx: {says}"):
        find_model(f"onnx:{written(tmp_path, weighted_sum('NCTHW'))}")


def of_another_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))


def of_the_future(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def with_a_function(model: onnx.ModelProto) -> None:
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    model.functions.append(
        onnx.helper.make_function("own", "f", ["x"], ["y"], [node], [onnx.helper.make_opsetid("", 17)])
    )


def without_a_tensor(model: onnx.ModelProto) -> None:
    del model.graph.initializer[0]


def with_another_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("rate", onnx.TensorProto.FLOAT, [1]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (of_another_domain, "has operators that ONNX does not define.*found com.example.Transpose"),
        (of_the_future, "is of a newer version of ONNX than the installed one.*found opset 99"),
        (with_a_function, "has functions of its own.*inline_local_functions"),
        (without_a_tensor, "is not a valid ONNX network"),
        (
            with_another_input,
            r"does not say which input of the ONNX file is the video.*input \(N, 3, 4, 6, 6\)",
        ),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, change: Change, says: str) -> None:
    model = weighted_sum("NCTHW")
    change(model)
    with pytest.raises(WeightsError, match=says):
        find_model(f"onnx:{written(tmp_path, model)}")


def test_an_input_that_nothing_is_fed_to_is_named(tmp_path: Path) -> None:
    model = weighted_sum("NCTHW")
    with_another_input(model)
    with pytest.raises(WeightsError, match="has inputs that nothing is fed to: rate"):
        find_model(f"onnx:{written(tmp_path, model, input='input')}")


@settings(max_examples=20)
@given(st.integers(0, 2000))
def test_a_truncated_file_is_one_error(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    file = written(tmp_path_factory.mktemp("cut"), weighted_sum("NCTHW"))
    content = file.read_bytes()
    file.write_bytes(content[: min(length, len(content) - 1)])
    with pytest.raises(WeightsError, match=r"net\.onnx"):
        find_model(f"onnx:{file}")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"))
    monkeypatch.setattr(onnx_reading, "MOST_BYTES", 100)
    monkeypatch.setattr(onnx_reading.read_model, "__defaults__", (100,))
    with pytest.raises(WeightsError, match="is too large; expected at most 100 bytes"):
        find_model(f"onnx:{file}")


def test_the_name_of_a_type_that_onnx_does_not_have() -> None:
    assert onnx_reading.type_name(1) == "float"
    assert onnx_reading.type_name(267469) == "an unknown type (267469)"
