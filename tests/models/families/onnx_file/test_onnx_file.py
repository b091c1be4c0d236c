"""`onnx:FILE` in both runtimes, against NumPy: every layout, batches, probabilities, states, rounding."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from actionbench.errors import BackendUnavailable, ClipError, UsageError, WeightsError
from actionbench.models.parity import with_mantissa
from actionbench.models.probabilities import softmax
from actionbench.models.registry import absolute_model, find_model, load_network
from actionbench.models.spec import LoadOptions

from .onnx_networks import (
    CLASSES,
    FIELDS,
    FRAMES,
    ROWS,
    SIDE,
    STREAMING,
    WEIGHT,
    WITH_STATE,
    Array,
    computed,
    each_backend,
    loaded,
    logits,
    running_mean,
    views,
    weighted_sum,
    with_state,
    written,
)


@each_backend
@pytest.mark.parametrize("fixed", ["C", "CTHW", "NCTHW"])
def test_logits_are_those_of_numpy(tmp_path: Path, backend: str, fixed: str) -> None:
    """For open sizes, fixed ones, and a batch that the graph fixes at 1."""
    network = loaded(written(tmp_path, weighted_sum("NCTHW", fixed)), backend)
    for x in (views(1), views(3)):
        np.testing.assert_allclose(computed(network, x), logits(x), atol=1e-4)
    facts = network.describe()
    assert (facts["device"], facts["threads"]) == ("CPU", 1)
    assert facts["parameters"] == CLASSES * FRAMES * SIDE * SIDE * 3


@settings(max_examples=20)
@given(st.permutations("NCTHW"))
def test_any_layout_gives_the_same_logits(tmp_path_factory: pytest.TempPathFactory, layout: Any) -> None:
    layout = "".join(layout)
    file = written(tmp_path_factory.mktemp("layout"), weighted_sum(layout), layout=layout)
    x = views(2)
    np.testing.assert_allclose(computed(loaded(file), x), logits(x), atol=1e-4)


@each_backend
@pytest.mark.parametrize("layout", ["NTHWC", "NTCHW", "WHTNC"])
def test_layouts_in_both_runtimes(tmp_path: Path, backend: str, layout: str) -> None:
    x = views(2)
    network = loaded(written(tmp_path, weighted_sum(layout), layout=layout), backend)
    np.testing.assert_allclose(computed(network, x), logits(x), atol=1e-4)


@each_backend
def test_softmax_is_not_applied_twice(tmp_path: Path, backend: str) -> None:
    network = loaded(written(tmp_path, weighted_sum("NCTHW", softmax=True), scores="probabilities"), backend)
    x = views(2)
    np.testing.assert_allclose(softmax(computed(network, x)), softmax(logits(x)), atol=1e-6)


@each_backend
def test_a_probability_of_zero_stays_one_and_nan_stays_nan(tmp_path: Path, backend: str) -> None:
    network = loaded(written(tmp_path, weighted_sum("NCTHW", softmax=True), scores="probabilities"), backend)
    x = 1e4 * views(1)
    found = computed(network, x)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(softmax(found).round(6), softmax(logits(x)).round(6))
    assert np.isnan(computed(network, np.full_like(x, np.nan))).all()


@each_backend
def test_pixels_are_normalised_as_the_description_says(tmp_path: Path, backend: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    x = (pixels / 255 - np.array(FIELDS["mean"])) / np.array(FIELDS["std"])
    network: Any = loaded(written(tmp_path, weighted_sum("NCTHW")), backend)
    assert network.uint8_streams == {"rgb"}
    found = computed(network, pixels)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, logits(x.astype(np.float32)), atol=1e-3)


def as_type(model: onnx.ModelProto, dtype: int) -> onnx.ModelProto:
    """The network with another type of input, which it casts to float32 itself."""
    (given,) = model.graph.input
    given.type.tensor_type.elem_type = dtype
    model.graph.node[0].input[0] = "as_float"
    cast = onnx.helper.make_node("Cast", ["input"], ["as_float"], to=onnx.TensorProto.FLOAT)
    model.graph.node.insert(0, cast)
    return model


@each_backend
def test_a_network_may_take_pixels_in_uint8(tmp_path: Path, backend: str) -> None:
    model = as_type(weighted_sum("NTHWC"), onnx.TensorProto.UINT8)
    as_they_are: dict[str, Any] = {"scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}
    network = loaded(written(tmp_path, model, layout="NTHWC", **as_they_are), backend)
    pixels = np.random.default_rng(0).integers(0, 256, (1, FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    for x in (pixels, pixels.astype(np.float32)):
        found = computed(network, x)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, logits(pixels.astype(np.float32)), rtol=1e-4)
    with pytest.raises(WeightsError, match="takes pixels as they are, in uint8; expected `scale: 1`"):
        find_model(f"onnx:{written(tmp_path, model, layout='NTHWC')}")


def means(x: Array) -> Array:
    """Of each frame's channels: (N, T, 3)."""
    found: Array = x.mean(axis=(2, 3))
    return found


@each_backend
@pytest.mark.parametrize("opset", [17, 18])
@pytest.mark.parametrize("layout", ["NTHWC", "NHWC"])
def test_a_streaming_network_carries_its_states_within_a_clip(
    tmp_path: Path, backend: str, layout: str, opset: int
) -> None:
    frames_at_once = 1 if "T" in layout else None
    model = running_mean(frames_at_once, opset)
    network = loaded(written(tmp_path, model, STREAMING, layout=layout), backend)
    x = views(3)
    for _ in range(2):  # and begins each clip anew
        np.testing.assert_allclose(computed(network, x), means(x).mean(axis=1), atol=1e-5)


@each_backend
@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(onnx.TensorProto.FLOAT, []), (onnx.TensorProto.BOOL, [2]), (onnx.TensorProto.UINT8, [1, 2])],
)
def test_a_state_may_be_of_any_type_of_numbers(
    tmp_path: Path, backend: str, dtype: int, shape: list[int]
) -> None:
    network = loaded(written(tmp_path, with_state(dtype, shape), WITH_STATE), backend)
    x = views(1)
    np.testing.assert_allclose(computed(network, x), means(x).mean(axis=1), atol=1e-5)


def test_a_network_that_does_not_fit_into_memory_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("actionbench.models.backends.onnx_network.load", fail)
    with pytest.raises(WeightsError, match="tiny-onnx: does not fit into the memory of this machine in ONNX"):
        loaded(written(tmp_path, weighted_sum("NCTHW")))


@each_backend
@pytest.mark.parametrize("opset", [17, 18])
def test_the_answer_may_be_the_mean_of_all_outputs(tmp_path: Path, backend: str, opset: int) -> None:
    model = running_mean(opset=opset)
    network = loaded(written(tmp_path, model, STREAMING, answer="mean"), backend)
    x = views(2)
    so_far = means(x).cumsum(axis=1) / np.arange(1, FRAMES + 1)[:, None]
    np.testing.assert_allclose(computed(network, x), so_far.mean(axis=1), atol=1e-5)


@each_backend
def test_a_streaming_network_gets_as_many_frames_at_once_as_it_takes(tmp_path: Path, backend: str) -> None:
    network = loaded(written(tmp_path, running_mean(2), STREAMING, window=6), backend)
    x = views(2, 6)
    np.testing.assert_allclose(computed(network, x), means(x).mean(axis=1), atol=1e-5)
    with pytest.raises(WeightsError, match="`window: 5` contradicts the ONNX file, which takes 2 frames"):
        find_model(f"onnx:{written(tmp_path, running_mean(2), STREAMING, window=5)}")


def test_a_streaming_network_needs_a_later_version_of_onnx(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"net\.onnx: is of too old a version.*expected opset 11 or later"):
        find_model(f"onnx:{written(tmp_path, running_mean(opset=10), STREAMING)}")


@each_backend
def test_a_graph_may_have_graphs_within_it_and_our_names(tmp_path: Path, backend: str) -> None:
    """Of one of ours: "ordered", "frames" and "scores". The inner graphs use what is outside them."""
    graph = weighted_sum("NCTHW")
    graph.graph.node[-1].output[0] = "scores"

    def branch(factor: float) -> onnx.GraphProto:
        constant = onnx.helper.make_tensor("f", onnx.TensorProto.FLOAT, [], [factor])
        nodes = [
            onnx.helper.make_node("Constant", [], ["frames"], value=constant),
            onnx.helper.make_node("Mul", ["scores", "frames"], ["ordered"]),
        ]
        given = onnx.helper.make_tensor_value_info("ordered", onnx.TensorProto.FLOAT, None)
        return onnx.helper.make_graph(nodes, "branch", [], [given])

    choice = {"then_branch": branch(2), "else_branch": branch(3)}
    graph.graph.initializer.append(numpy_helper.from_array(np.array(False), "choice"))
    graph.graph.node.append(onnx.helper.make_node("If", ["choice"], ["chosen"], **choice))
    # An optional input that is left out has an empty name.
    graph.graph.initializer.append(numpy_helper.from_array(np.array(4, np.float32), "most"))
    graph.graph.node.append(onnx.helper.make_node("Clip", ["chosen", "", "most"], ["output"]))
    x = views(2)
    found = computed(loaded(written(tmp_path, graph), backend), x)
    np.testing.assert_allclose(found, np.minimum(3 * logits(x), 4), atol=1e-4)


def test_without_the_package_that_reads_it_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else find_spec(name))
    with pytest.raises(BackendUnavailable, match=r"onnx is not installed.*pip install 'actionbench\[onnx\]'"):
        find_model(f"onnx:{file}")


def test_weights_are_rounded_for_the_yardstick_of_half_precisions(tmp_path: Path) -> None:
    request = find_model(f"onnx:{written(tmp_path, weighted_sum('NCTHW'))}")
    weights = {"rgb": replace(request.model.fixed_weights["rgb"], mantissa=7)}
    x = views(1)
    weight = np.einsum("ktc,h->hktc", WEIGHT, ROWS).astype(np.float32)
    right = np.einsum("nthwc,hktc->nk", x, with_mantissa(weight, 7))
    found = computed(load_network(request, weights, LoadOptions(threads=1)), x)
    np.testing.assert_allclose(found, right, atol=1e-4)
    assert np.abs(right - logits(x)).max() > 1e-3


def test_what_a_request_says(tmp_path: Path) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"), licence="Apache-2.0", source="here", clips=2, crops=3)
    request = find_model(f"onnx:{file}@openvino:bf16")
    model = request.model
    assert (model.name, request.backend, request.precision) == ("tiny-onnx", "openvino", "bf16")
    assert request.is_path
    assert model.streams["rgb"].licence == "Apache-2.0"
    assert model.streams["rgb"].labels == ("falling", "running", "walking")
    views = model.views
    assert (views.window, views.stride, views.clips, views.crops, views.average) == (4, None, 2, 3, "softmax")
    assert model.streams["rgb"].preprocessing.scale == 1 / 255
    assert (model.sizes.frames, model.sizes.side, model.sizes.batch) == (FRAMES, SIDE, None)
    named = find_model(f"onnx:{written(tmp_path, weighted_sum('NCTHW'), name=...)}")
    assert named.model.name == "net"
    assert named.model.streams["rgb"].licence == "not stated"


def test_sizes_that_the_graph_fixes_need_not_be_said(tmp_path: Path) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"), window=..., crop=...)
    streams = find_model(f"onnx:{file}").model.streams
    assert (streams["rgb"].views.window, streams["rgb"].preprocessing.crop) == (FRAMES, SIDE)


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"))
    monkeypatch.chdir(tmp_path)
    assert absolute_model("onnx:net.onnx") == f"onnx:{file}"
    assert absolute_model("onnx:net.onnx@openvino:fp32") == f"onnx:{file}@openvino:fp32"
    assert absolute_model("onnx:other.onnx") == "onnx:other.onnx"
    assert find_model("onnx:net.onnx").model.fixed_weights["rgb"].path == file
    file.rename(tmp_path / "at@home.onnx")
    (tmp_path / "net.onnx.yaml").rename(tmp_path / "at@home.onnx.yaml")
    assert find_model("onnx:at@home.onnx@onnx").model.name == "tiny-onnx"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("onnx:", "there is no such file; expected onnx:FILE.onnx"),
        ("onnx:none.onnx", "onnx:none.onnx: there is no such file"),
        ("onnx:{file.parent}", "is a folder, where one file is expected; expected onnx:FILE.onnx"),
        ("onnx:{file}@torch", "unknown backend of tiny-onnx 'torch'. Known: onnx, openvino"),
        ("onnx:{file}:K=8", "tiny-onnx:K=8: is another length than the network takes; expected 4 frames"),
    ],
)
def test_wrong_requests(tmp_path: Path, request_: str, says: str) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"))
    with pytest.raises(UsageError) as error:
        find_model(request_.format(file=file))
    assert says in str(error.value)


@each_backend
def test_views_of_another_size_are_refused(tmp_path: Path, backend: str) -> None:
    network = loaded(written(tmp_path, weighted_sum("NCTHW", "C")), backend)
    with pytest.raises(ClipError, match="another size than the network takes; expected 4×6×6; found 5×6×6"):
        network.upload({"rgb": views(1, 5)})


@pytest.mark.parametrize("what", ["net.onnx", "net.onnx.yaml"])
def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path, what: str) -> None:
    request = find_model(f"onnx:{written(tmp_path, weighted_sum('NCTHW'))}")
    content = (tmp_path / what).read_bytes()
    if what == "net.onnx":
        other = onnx.load_model_from_string(content)
        other.producer_name = "another"
        content = other.SerializeToString()
    (tmp_path / what).write_bytes(content + (b"\n" if what.endswith("yaml") else b""))
    with pytest.raises(WeightsError, match="has changed since it was checked"):
        load_network(request, request.model.fixed_weights, LoadOptions(threads=1))
