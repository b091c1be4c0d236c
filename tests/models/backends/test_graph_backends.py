"""`onnx` and `openvino`: what every backend must do, and what only they can get wrong."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.errors import BackendUnavailable, ClipError, UsageError, WeightsError
from actionbench.models import parity
from actionbench.models.backends import openvino_network
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Weights
from actionbench.preprocessing.pixels import normalise

BACKENDS = ("onnx", "openvino")
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino"}
THIRD = Path(__file__).parents[2] / "bench" / "networks" / "third.py"
"""A network that is made in no time, with a graph of two operations."""
FLOW_CASE = "9x193x194x1"
MORE_I3D_CASES = ("9x199x210x2", "16x224x224x1", "17x199x210x2", "64x224x224x1")

LOGITS = """
from actionbench.models.parity import parity_inputs
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Weights
request = find_model(sys.argv[2])
weights = {stream: Weights("random", each, seed=5) for stream, each in request.model.streams.items()}
network = load_network(request, weights, LoadOptions(threads=1))
logits = {}
for case in sys.argv[3:]:
    inputs = parity_inputs(request.model, *map(int, case.split("x")))
    logits[case] = network.download(network.forward(network.upload(inputs)))
network.synchronize()
facts = network.describe()
assert (facts["device"], facts["precision"], facts["threads"]) == ("CPU", "float32", 1), facts
imported = {name for name, module in sys.modules.items() if module is not None}
give(
    backend=facts["backend"],
    parameters=facts["parameters"],
    frameworks=sorted({"tensorflow", "torch", "onnxruntime", "openvino", "openvino_telemetry"} & imported),
    **logits,
)
"""


@pytest.fixture(scope="module")
def flow_in_torch() -> Any:
    request = find_model("i3d-flow@torch")
    network = load_network(request, random_weights(request.model), LoadOptions(threads=1))
    inputs = parity.parity_inputs(request.model, *map(int, FLOW_CASE.split("x")))
    return network.download(network.forward(network.upload(inputs)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_i3d_agrees_with_torch(
    run_script: Callable[..., dict[str, Any]], flow_in_torch: Any, backend: str
) -> None:
    """Its flow stream; test_torch_variants.py compares the other one and ResNeXt, a slow test below both
    streams together."""
    found = run_script(LOGITS, f"i3d-flow@{backend}", FLOW_CASE)
    agreement = parity.compare_logits(flow_in_torch, found[FLOW_CASE])
    assert agreement.relative_l2 < 1e-5
    assert agreement.top1 == 1.0
    assert str(found["backend"]).startswith(PACKAGES[backend])
    assert found["frameworks"].tolist() == [PACKAGES[backend]]
    assert found["parameters"] == 12_668_032


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_i3d_agrees_with_torch_on_more_shapes(
    run_script: Callable[..., dict[str, Any]], backend: str
) -> None:
    right, found = (run_script(LOGITS, f"i3d@{b}", *MORE_I3D_CASES) for b in ("torch", backend))
    for case in MORE_I3D_CASES:
        assert parity.compare_logits(right[case], found[case]).relative_l2 < 1e-5, case
    assert found["parameters"] == 12_689_984 + 12_668_032


def random_weights(model: Any) -> dict[str, Weights]:
    return {stream: Weights("random", each, seed=5) for stream, each in model.streams.items()}


@pytest.fixture(scope="module", params=BACKENDS)
def resnext(request: pytest.FixtureRequest) -> Any:
    found = find_model(f"resnext@{request.param}")
    return load_network(found, random_weights(found.model), LoadOptions(threads=1))


def logits(network: Any, rgb: Any) -> Any:
    return network.download(network.forward(network.upload({"rgb": rgb})))


def test_the_same_input_gives_the_same_logits(resnext: Any) -> None:
    # Shapes of the tests below: OpenVINO compiles the network for each anew.
    x, other = (parity.parity_inputs(find_model("resnext").model, 4, 40, 48, n)["rgb"] for n in (1, 2))
    first = logits(resnext, x)
    kept = first.copy()
    logits(resnext, other)
    np.testing.assert_array_equal(logits(resnext, x), kept)
    np.testing.assert_array_equal(first, kept)  # what was handed out is nobody's buffer


def test_a_batch_is_its_clips(resnext: Any) -> None:
    x = parity.parity_inputs(find_model("resnext").model, 4, 40, 48, 2)["rgb"]
    apart = np.concatenate([logits(resnext, x[:1]), logits(resnext, x[1:])])
    np.testing.assert_allclose(logits(resnext, x), apart, rtol=1e-4, atol=1e-5)


def test_input_may_lie_in_any_order_in_memory(resnext: Any) -> None:
    x = parity.parity_inputs(find_model("resnext").model, 4, 40, 48, 1)["rgb"]
    np.testing.assert_array_equal(logits(resnext, np.asfortranarray(x)), logits(resnext, x))


def test_pixels_give_what_prepared_pixels_give(resnext: Any) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (1, 4, 40, 48, 3), dtype=np.uint8)
    how = find_model("resnext").model.streams["rgb"].preprocessing
    prepared = normalise(pixels, how.scale, how.mean, how.std)
    assert resnext.uint8_streams == {"rgb"}
    np.testing.assert_array_equal(logits(resnext, pixels), logits(resnext, prepared))


@pytest.mark.parametrize(
    ("inputs", "error", "says"),
    [
        ({"flow": np.zeros((1, 4, 40, 40, 2), np.float32)}, UsageError, "wrong streams"),
        ({"rgb": np.zeros((1, 4, 40, 40, 2), np.float32)}, UsageError, "wrong input"),
        ({"rgb": np.zeros((1, 4, 40, 40, 3), np.float64)}, UsageError, "found float64"),
        ({"rgb": np.zeros((4, 40, 40, 3), np.float32)}, UsageError, "wrong input"),
        ({"rgb": np.zeros((1, 0, 40, 40, 3), np.float32)}, ClipError, "too few frames"),
    ],
)
def test_wrong_inputs(resnext: Any, inputs: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        resnext.upload(inputs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == PACKAGES[backend] else find_spec(name),
    )
    request = find_model(f"resnext@{backend}")  # can be named all the same
    with pytest.raises(BackendUnavailable) as error:
        load_network(request, random_weights(request.model), LoadOptions())
    assert f"not installed: {PACKAGES[backend]}" in str(error.value)
    assert f"pip install 'actionbench[{backend}]'" in str(error.value)


def test_openvino_has_no_cuda() -> None:
    request = find_model("resnext@openvino")
    with pytest.raises(BackendUnavailable):
        load_network(request, random_weights(request.model), LoadOptions(device="cuda:0"))


def test_the_products_of_a_network_without_convolutions_show_its_precision() -> None:
    request = find_model(f"{THIRD}:third@openvino")
    weights = random_weights(request.model)
    network = load_network(request, weights, LoadOptions(threads=1))
    x = np.random.default_rng(0).random((1, 4, 16, 16, 3), np.float32)
    reference = load_network(find_model(f"{THIRD}:third@onnx"), weights, LoadOptions(threads=1))
    np.testing.assert_allclose(logits(network, x), logits(reference, x), rtol=1e-4, atol=1e-5)
    assert network.describe()["precision"] == "float32"


def test_onnx_runtime_without_cuda_says_so() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has CUDA")
    request = find_model(f"{THIRD}:third@onnx")
    with pytest.raises(BackendUnavailable, match="onnxruntime-gpu"):
        load_network(request, random_weights(request.model), LoadOptions(device="cuda:0"))


def test_compiled_networks_are_kept_and_not_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_network, "_KEPT", 2)
    request = find_model(f"{THIRD}:third@openvino")
    network: Any = load_network(request, random_weights(request.model), LoadOptions(threads=1))
    (stream,) = network._streams.values()
    compiled = []
    compile_ = stream._compile

    def compile_and_note(tensor: Any) -> Any:
        compiled.append(tuple(tensor.shape))
        return compile_(tensor)

    monkeypatch.setattr(stream, "_compile", compile_and_note)
    for side in (32, 33, 32, 34, 32):  # 33 makes room for 34
        logits(network, np.zeros((1, 2, side, 32, 3), np.float32))
    assert [shape[2] for shape in compiled] == [32, 33, 34]
    assert len(stream._compiled) == 2
    assert network.describe()["compile_s"] > 0


def test_bfloat16_that_would_be_computed_in_float32_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO takes the hint and computes in float32 without a word where the CPU has no bfloat16."""
    import openvino

    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU computes in bfloat16")
    request = find_model("resnext@openvino:bf16")
    options = LoadOptions(precision="bf16")
    with pytest.raises(BackendUnavailable, match=r"float32|bfloat16"):
        load_network(request, random_weights(request.model), options)
    with pytest.raises(BackendUnavailable, match="does not compute in bfloat16"):
        openvino_network.load(request.model, random_weights(request.model), options)
    # What was compiled is looked at too.
    monkeypatch.setattr(openvino_network, "_core", lambda _: openvino.Core())
    network = openvino_network.load(request.model, random_weights(request.model), options)
    with pytest.raises(BackendUnavailable, match="found float32"):
        logits(network, np.zeros((1, 2, 32, 32, 3), np.float32))


def test_nothing_is_told_to_the_makers_of_openvino(
    run_script: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    script = "import actionbench.models.backends.openvino_network, openvino.tools.ovc\ngive()\n"
    run_script(script)
    assert list(tmp_path.iterdir()) == []


def test_how_a_network_was_quantised_is_read_from_its_record(tmp_path: Path) -> None:
    network, record = tmp_path / "network.xml", tmp_path / "network.json"
    record.write_text('{"quantised": "NNCF 2, ranges from 3 clips"}')
    assert openvino_network._how_quantised(network) == "NNCF 2, ranges from 3 clips"
    for text in ("", "[]", "{}", '{"quantised": 1}'):
        record.write_text(text)
        with pytest.raises(WeightsError, match=r"does not tell how.*Remove .*network\.xml") as raised:
            openvino_network._how_quantised(network)
        assert str(record) in str(raised.value)
    record.unlink()
    with pytest.raises(WeightsError, match="does not tell how"):
        openvino_network._how_quantised(network)


def test_mixed_precisions_are_told() -> None:
    words = openvino_network._in_words
    assert words(Counter({"bfloat16": 58}), "bf16") == "bfloat16"
    mixed = words(Counter({"int8": 57, "float32": 1}), "bf16")
    assert mixed == "int8 (57 of 58 layers, the others float32)"
    assert words(Counter(), "fp32").startswith("float32 (as asked for")
