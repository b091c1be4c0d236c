"""I3D in TensorFlow and torch: against a computation of its own, against each other, against mistakes."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.models import parity
from actionbench.models.backends import torch_layers
from actionbench.models.capabilities import cpu_flags
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import torch_modules as i3d_torch
from actionbench.models.random_state import random_state

SEED = 5
on_x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="TensorFlow's oneDNN is x86's"
)
CASES = ((9, 194, 193, 2), (17, 193, 193, 1))
"""(frames, height, width, batch): sizes as odd as they can be, since even ones hide mistakes in padding."""
MORE_CASES = ((9, 224, 224, 1), (16, 224, 224, 1), (64, 224, 224, 1), (17, 199, 210, 2))

BOTH_STREAMS = """
from actionbench.models.parity import parity_inputs
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Weights
request = find_model("i3d@" + sys.argv[2])
weights = {stream: Weights("random", each, seed=5) for stream, each in request.model.streams.items()}
network = load_network(request, weights, LoadOptions(threads=1))
logits = {}
for case in sys.argv[3:]:
    inputs = parity_inputs(request.model, *map(int, case.split("x")))
    logits[case] = network.download(network.forward(network.upload(inputs)))
network.synchronize()
facts = network.describe()
assert facts["backend"].startswith(request.backend), facts
assert (facts["device"], facts["precision"], facts["threads"]) == ("CPU", "float32", 1), facts
frameworks = {"tensorflow", "torch"} & set(sys.modules)
assert frameworks == {request.backend}, frameworks
give(parameters=facts["parameters"], backend=np.array(facts["backend"]), **logits)
"""


def name(case: tuple[int, ...]) -> str:
    return "x".join(map(str, case))


@pytest.fixture(scope="module")
def tensorflow(run_with_tensorflow: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return run_with_tensorflow(BOTH_STREAMS, "tensorflow", *map(name, CASES))


@pytest.fixture(scope="module")
def in_torch(run_script: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return run_script(BOTH_STREAMS, "torch", *map(name, CASES))


@pytest.mark.parametrize("case", CASES, ids=name)
def test_tensorflow_and_torch_agree(tensorflow: Any, in_torch: Any, case: tuple[int, ...]) -> None:
    agreement = parity.compare_logits(tensorflow[name(case)], in_torch[name(case)])
    assert agreement.max_abs < 1e-4
    assert agreement.top1 == 1.0


@pytest.mark.slow
def test_tensorflow_and_torch_agree_on_more_shapes(run_script: Callable[..., dict[str, Any]]) -> None:
    a, b = (run_script(BOTH_STREAMS, backend, *map(name, MORE_CASES)) for backend in ("tensorflow", "torch"))
    for case in map(name, MORE_CASES):
        agreement = parity.compare_logits(a[case], b[case])
        assert agreement.max_abs < 1e-4, case
        assert agreement.top1 == 1.0, case


@on_x86
def test_tensorflow_computes_with_onednn_whatever_the_processor(tensorflow: Any) -> None:
    """It would not by itself where there is no AVX-512 VNNI, and take 2.5 times as long."""
    assert str(tensorflow["backend"]).endswith(" with oneDNN")


@on_x86
@pytest.mark.slow
def test_the_plain_form_computes_as_tensorflow_chooses(
    run_script: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {}
    for choice in ("0", "1"):
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", choice)
        told[choice] = str(run_script(BOTH_STREAMS, "tensorflow:fp32:plain", name(CASES[0]))["backend"])
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    by_itself = str(run_script(BOTH_STREAMS, "tensorflow:fp32:plain", name(CASES[0]))["backend"])
    assert told["1"] == f"{told['0']} with oneDNN"
    assert by_itself in told.values()
    if not {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile"} & cpu_flags():
        assert by_itself == told["0"]


def test_parameters_of_both_backends_are_the_published_number(tensorflow: Any, in_torch: Any) -> None:
    assert tensorflow["parameters"] == in_torch["parameters"] == 12_689_984 + 12_668_032


def test_logits_are_the_sum_of_both_streams(in_torch: Any, numpy_i3d: Any) -> None:
    inputs = parity.parity_inputs(i3d.two_stream(), *CASES[0])
    expected = sum(
        numpy_i3d(random_state(i3d.tensor_shapes(i3d.CHANNELS[stream], 400), SEED, {}), array[:1])
        for stream, array in inputs.items()
    )
    np.testing.assert_allclose(in_torch[name(CASES[0])][:1], expected, atol=1e-4)


@pytest.fixture(scope="module")
def small_case(numpy_i3d: Any) -> tuple[dict[str, Any], Any, Any]:
    """Tensors, input and right logits of the RGB stream with 7 classes, sensitive to mistakes."""
    state = random_state(i3d.tensor_shapes(3, 7), SEED, {})
    x = parity.parity_inputs(i3d.rgb(), 17, 193, 194, 1)["rgb"]
    right = numpy_i3d(state, x)
    assert np.abs(torch_logits(state, x) - right).max() < 1e-4
    return state, x, right


def torch_logits(state: dict[str, Any], x: Any) -> Any:
    with torch.inference_mode():
        return i3d_torch.from_state(state)(torch.from_numpy(x).permute(0, 4, 1, 2, 3)).numpy()


RIGHT = i3d.same_padding


def symmetric(_size: int, kernel: int, _stride: int) -> tuple[int, int]:
    return kernel // 2, kernel // 2


def ceil_mode(size: int, kernel: int, stride: int) -> tuple[int, int]:
    pooled = kernel != 7 and stride == 2
    return (0, sum(RIGHT(size, kernel, stride))) if pooled else RIGHT(size, kernel, stride)


@pytest.mark.parametrize(
    ("where", "mistake"),
    [
        ("BATCH_NORM_EPSILON", 1e-5),
        ("same_padding", symmetric),
        ("same_padding", ceil_mode),
    ],
    ids=["epsilon of Sonnet 2 and torch", "symmetric padding", "ceil_mode without padding"],
)
def test_known_mistakes_show(
    small_case: Any, monkeypatch: pytest.MonkeyPatch, where: str, mistake: Any
) -> None:
    state, x, right = small_case
    monkeypatch.setattr(i3d, where, mistake)
    assert np.abs(torch_logits(state, x) - right).max() > 5 * parity.TOLERANCE


def test_one_global_pool_shows(small_case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    state, x, right = small_case
    monkeypatch.setattr(torch.nn.functional, "avg_pool3d", lambda x, *_: x)
    assert np.abs(torch_logits(state, x) - right).max() > 5 * parity.TOLERANCE


def test_logits_may_be_negative(small_case: Any) -> None:
    _, _, right = small_case
    assert right.min() < -0.1


def test_tensors_survive_the_way_through_torch() -> None:
    state = random_state(i3d.tensor_shapes(2, 4), 1, {})
    again = i3d_torch.state_of(i3d_torch.from_state(state))
    assert again.keys() == state.keys()
    for tensor in state:
        np.testing.assert_array_equal(again[tensor], state[tensor])


def test_logits_are_an_affine_function_of_the_features() -> None:
    net = i3d_torch.from_state(random_state(i3d.tensor_shapes(2, 4), 1, {}))
    x = torch.rand(1, 2, 9, 193, 193)
    with torch.inference_mode():
        torch.testing.assert_close(net(x), net.features(x) @ net.head.weight.T + net.head.bias)


@pytest.mark.parametrize("size", [5, 6, 7, 8])
@pytest.mark.parametrize(
    ("kernel", "stride"), [((1, 3, 3), (1, 2, 2)), ((2, 2, 2), (2, 2, 2)), ((3, 3, 3), (1, 1, 1))]
)
@pytest.mark.parametrize(
    "pool", [torch_layers.separable_max_pool, torch_layers.unpadded_max_pool, torch_layers.torch_max_pool]
)
def test_max_pool_is_the_maximum_of_each_window(pool: Any, size: int, kernel: Any, stride: Any) -> None:
    x = torch.randn(1, 2, size, size + 1, size + 2)  # negative values too: padding never wins
    before = [i3d.same_padding(*axis)[0] for axis in zip(x.shape[2:], kernel, stride, strict=True)]
    sides = [i3d.same_padding(*axis) for axis in zip(x.shape[2:], kernel, stride, strict=True)]
    y = pool(x, kernel, stride, sides)
    for t, h, w in np.ndindex(*y.shape[2:]):
        cells = [
            slice(max(i * s - b, 0), i * s - b + k)
            for i, s, b, k in zip((t, h, w), stride, before, kernel, strict=True)
        ]
        torch.testing.assert_close(y[0, :, t, h, w], x[0][(slice(None), *cells)].amax((1, 2, 3)))


BFLOAT16_GRAPH = """
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import tensorflow_graph
from actionbench.models.random_state import random_state
import tensorflow as tf
for stream, channels in i3d.CHANNELS.items():
    state = random_state(i3d.tensor_shapes(channels, 3), 0, {})
    shape = tf.TensorSpec((None, None, None, None, channels))
    network = tf.function(tensorflow_graph.from_state(state, tf.bfloat16), input_signature=[shape])
    traced = network.get_concrete_function()
    operations = traced.graph.get_operations()
    assert not [each.name for each in operations if "Pad" in each.type], "padded"
    first = next(each for each in operations if each.type == "Conv3D")
    pixels = np.random.default_rng(0).normal(size=(2, 3, 5, 4, channels)).astype(np.float32)
    feed = {traced.inputs[0].name: pixels}
    taken = tf.compat.v1.Session(graph=traced.graph).run(first.inputs[0].name, feed)
    expected = np.pad(pixels.astype(taken.dtype), [(0, 0)] * 4 + [(0, 4 - channels)])
    np.testing.assert_array_equal(taken.astype(np.float32), expected.astype(np.float32))
give()
"""


def test_tensorflows_bfloat16_adds_channels_without_a_pad_operation(
    run_with_tensorflow: Callable[..., dict[str, Any]],
) -> None:
    """With AMX, TensorFlow's optimiser folds a Pad into the convolution as if it padded the video."""
    run_with_tensorflow(BFLOAT16_GRAPH)
