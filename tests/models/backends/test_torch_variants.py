"""Every backend, precision and variant that this machine can run computes what the plain variant does."""

from __future__ import annotations

import copy
import os
import shutil
import sysconfig
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.errors import BackendUnavailable
from actionbench.flow.fields import flow_fields
from actionbench.flow.registry import get_method
from actionbench.home import home
from actionbench.models import parity
from actionbench.models.backends.torch_layers import (
    OneDnnConv3d,
    Tuning,
    convolved,
    in_arithmetic,
    separable_max_pool,
    tuned_for,
    unpadded_max_pool,
)
from actionbench.models.backends.torch_variants import Compiled
from actionbench.models.capabilities import missing_packages, offer, why_not
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import torch_modules as i3d_torch
from actionbench.models.registry import find_model, load_network
from actionbench.models.resnext import architecture as resnext
from actionbench.models.resnext import torch_modules as resnext_torch
from actionbench.models.spec import LoadOptions, Network, Weights
from actionbench.preprocessing.pixels import normalise

from ..conftest import Draw
from . import variants
from .variants import REFERENCE

# Even sizes hide mistakes in padding; batches those in layout; fewer than 17 frames leave I3D one window to
# average.
CASES = {
    "i3d-rgb": ("9x193x194x2", "17x194x193x1"),
    "resnext": ("9x40x45x1", "16x48x48x1", "17x45x40x2"),
}
RELATIVE = {"i3d-rgb": 1e-5, "resnext": 2e-4}
"""Largest relative L2 distance of float32 variants; ResNeXt's 101 layers amplify a rounding."""

IN_ANOTHER_PROCESS = """
import runpy
file, *arguments = sys.argv[2:6]
give(**runpy.run_path(file)["answers"](*arguments, "half" in sys.argv))
"""

PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}


def cases() -> list[Any]:
    """`runnable`; TensorFlow's are slow, and compared with torch elsewhere too."""
    slow: dict[bool, Any] = {True: pytest.mark.slow, False: ()}
    return [pytest.param(name, each, marks=slow["tensorflow" in each]) for name, each in runnable()]


def runnable() -> list[tuple[str, str]]:
    """(model, selections of one backend): what this machine can run without compiling it first."""
    found = []
    for name in CASES:
        model = find_model(name).model
        for backend in model.backends:
            offered = offer(model, backend)
            if backend == "tfhub" or missing_packages(offered):
                continue
            selections = [
                f"{backend}:{precision}:{variant}"
                for precision, variants in offered.cpu.items()
                for variant in variants
                if variant != "compiled"
                and precision != "int8"  # made of calibration clips beforehand
                and why_not(offered, precision, variant, "cpu") is None
            ]
            found.append((name, ",".join(selections)))
    return found


@pytest.fixture(scope="module")
def answers(run_script: Callable[..., dict[str, Any]]) -> Callable[[str, str], dict[str, Any]]:
    """Logits of all selections of a model and a backend, computed once; TensorFlow's in its own process."""
    known: dict[tuple[str, str], dict[str, Any]] = {}

    def run(name: str, selections: str) -> dict[str, Any]:
        if (name, selections) not in known:
            half = any("bf16" in each for _, each in runnable())
            asked = name, selections, ",".join(CASES[name])
            known[name, selections] = (
                run_script(IN_ANOTHER_PROCESS, variants.__file__, *asked, *(["half"] if half else []))
                if "tensorflow" in selections
                else variants.answers(*asked, half)
            )
        return known[name, selections]

    return run


@pytest.mark.parametrize(("name", "selections"), cases())
def test_every_form_computes_what_the_plain_one_does(
    answers: Callable[[str, str], dict[str, Any]], name: str, selections: str
) -> None:
    plain = next(chosen for model, chosen in runnable() if model == name and REFERENCE in chosen)
    reference, found = answers(name, plain), answers(name, selections)
    published = {"i3d-rgb": 12_689_984, "resnext": 48_340_816}[name]
    for selection in selections.split(","):
        precision = selection.split(":")[1]
        assert str(found[f"{selection} precision"]) == PRECISIONS[precision]
        assert int(found[f"{selection} parameters"]) == published
        for case in CASES[name]:
            expected = reference[f"{REFERENCE} {case}"]
            agreement = parity.compare_logits(expected, found[f"{selection} {case}"])
            if precision == "fp32":
                assert agreement.relative_l2 <= RELATIVE[name], (selection, case)
                assert agreement.top1 == 1.0, (selection, case)
            else:
                rounding = parity.compare_logits(expected, reference[f"rounded {case}"]).relative_l2
                limit = parity.drift_limit(rounding)
                assert agreement.verdict(precision, limit) == "drifts", (selection, case)


def test_torch_is_runnable_in_two_forms_at_least() -> None:
    chosen = [(name, set(selections.split(","))) for name, selections in runnable()]
    for name in CASES:
        assert any(name == n and {"torch:fp32:tuned", REFERENCE} <= selections for n, selections in chosen)


@torch.inference_mode()
def test_weights_are_put_in_onednns_order_once_for_a_shape() -> None:
    conv = OneDnnConv3d(8, 12, 3, padding=1)
    orders = []
    for frames in (3, 3, 4, 4, 3):
        conv(torch.zeros(1, 8, frames, 6, 5))
        assert conv._ordered is not None
        orders.append(conv._ordered[1])
    assert [a is b for a, b in pairwise(orders)] == [True, False, True, False]
    assert copy.deepcopy(conv)._ordered is None


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("side", [(0, 1), (1, 1), (0, 0)])
@pytest.mark.parametrize("size", [3, 8, 9])
@pytest.mark.parametrize("step", [1, 2])
def test_a_pool_without_padding_gives_the_same_bits_in_the_same_layout(
    dtype: torch.dtype, side: tuple[int, int], size: int, step: int
) -> None:
    x = torch.randn(2, 5, size, size + 1, size + 2).to(dtype, memory_format=torch.channels_last_3d)
    before = x.clone()
    how = ((3, 3, 3), (step,) * 3, [side] * 3)
    y = unpadded_max_pool(x, *how)
    assert torch.equal(y, separable_max_pool(x, *how))
    assert y.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(x, before)


onednn_in_bf16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="needs AVX-512: oneDNN has no bfloat16 here"
)
TYPES = [torch.float32, pytest.param(torch.bfloat16, marks=onednn_in_bf16)]


@torch.inference_mode()
@pytest.mark.parametrize("dtype", TYPES)
def test_onednns_convolution_is_torchs_for_each_shape_that_comes(dtype: torch.dtype) -> None:
    """From several threads at once, with and without the sum and the ReLU behind; grouped and strided."""
    conv = torch.nn.Conv3d(8, 12, 3, (1, 2, 2), 1, groups=2).to(dtype)
    ordered = OneDnnConv3d(8, 12, 3, (1, 2, 2), 1, groups=2).to(dtype)
    ordered.load_state_dict(conv.state_dict())
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(n, 8, t, 6, 5, generator=generator) for n, t in ((1, 3), (2, 3), (1, 4))] * 8
    inputs = [x.to(dtype, memory_format=torch.channels_last_3d) for x in inputs]
    rounding = 1e-5 if dtype == torch.float32 else 2**-7

    @torch.inference_mode()
    def both(x: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        y = conv(x)
        return [
            (ordered(x), y),
            (convolved(ordered, x), y.relu()),
            (convolved(ordered, x, y + 1), (2 * y + 1).relu()),
        ]

    with ThreadPoolExecutor(4) as threads:
        for pairs in threads.map(both, inputs):
            for found, expected in pairs:
                torch.testing.assert_close(found, expected, rtol=rounding, atol=rounding)


def onednn_primitives(net: torch.nn.Module, x: torch.Tensor, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What oneDNN executes in a second call with inputs of one shape, by its own log."""
    net(x)
    capfd.readouterr()
    with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):  # type: ignore[no-untyped-call]
        net(x)
    return [line for line in capfd.readouterr().out.splitlines() if ",exec," in line]


@torch.inference_mode()
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("name", "sums", "alone"), [("i3d", 0, 0), ("resnext", 33, 4)])
def test_the_wide_network_of_half_precisions_reorders_nothing_after_the_first_call(
    draw: Draw, name: str, sums: int, alone: int, dtype: torch.dtype, capfd: pytest.CaptureFixture[str]
) -> None:
    """Weights in oneDNN's order, channels last, and sums and ReLUs computed with the convolutions:
    all ReLUs but those behind `sums` sums, and none behind the `alone` convolutions of shortcuts."""
    tuning = Tuning(wide=True, conv=OneDnnConv3d)
    net: torch.nn.Module
    if name == "i3d":
        net = i3d_torch.folded(draw(i3d.tensor_shapes(3, 3), 5, {}), tuning)
        x = torch.rand(1, 9, 193, 193, 3)
    else:
        net = resnext_torch.folded(draw(resnext.tensor_shapes(3), 5, resnext.random_gains()), tuning)
        x = torch.rand(1, 4, 48, 48, 3)
    precision = "fp32" if dtype == torch.float32 else "bf16"
    net = in_arithmetic(net, precision, "cpu")
    lines = onednn_primitives(net, x.permute(0, 4, 1, 2, 3).to(dtype), capfd)
    assert not [line for line in lines if ",reorder," in line]
    convolutions = [line for line in lines if ",convolution," in line]
    assert len(convolutions) == {"i3d": 57, "resnext": 104}[name]
    kind = {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype]
    assert all(f"src:{kind}::blocked:acdeb:" in line for line in convolutions)
    relus = [line for line in convolutions if "eltwise_relu" in line]
    assert len(relus) == len(convolutions) - alone
    assert len([line for line in relus if "sum" in line or "binary_add" in line]) == sums


def test_bfloat16_takes_onednns_convolutions_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    half = LoadOptions(precision="bf16")
    for supported, conv in ((True, OneDnnConv3d), (False, torch.nn.Conv3d)):
        monkeypatch.setattr(
            torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda supported=supported: supported
        )
        assert tuned_for(half) == Tuning(wide=True, conv=conv, max_pool=unpadded_max_pool)
        assert tuned_for(LoadOptions()).conv is OneDnnConv3d
        assert tuned_for(LoadOptions(precision="bf16", variant="compiled")).conv is torch.nn.Conv3d


def resnext_network(**options: Any) -> Network:
    model = find_model("resnext").model
    weights = {"rgb": Weights("random", model.streams["rgb"], seed=5)}
    # Not by the registry, which refuses what this processor has no instructions for.
    return resnext_torch.load(model, weights, LoadOptions(threads=1, **options))


def logits(network: Network, rgb: Any) -> Any:
    return network.download(network.forward(network.upload({"rgb": rgb})))


def test_pixels_that_the_network_normalises_give_the_same_logits() -> None:
    network = resnext_network()
    assert network.uint8_streams == {"rgb"}  # type: ignore[attr-defined]
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 33, 32, 3), dtype=np.uint8)
    how = resnext.resnext().streams["rgb"].preprocessing
    prepared = normalise(pixels, how.scale, how.mean, how.std)
    np.testing.assert_array_equal(logits(network, pixels), logits(network, prepared))


def test_folded_networks_do_not_train(draw: Draw) -> None:
    state = draw(resnext.tensor_shapes(3), 5, resnext.random_gains())
    net = resnext_torch.folded(state, Tuning())
    assert not any(p.requires_grad for p in net.parameters())
    assert not any(isinstance(m, torch.nn.BatchNorm3d) for m in net.modules())
    assert not any(p.is_meta for p in net.parameters())


def test_a_path_that_torch_cannot_compile_with_is_an_error_before_anything_is_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)  # also where there is no compiler

    def compiled() -> Compiled:
        return Compiled(lambda inputs: inputs["rgb"])

    # As in an environment whose own path has no space.
    monkeypatch.setattr(torch, "__file__", "/tools/torch/__init__.py")
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: "/python/lib")
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    compiled()
    # Not in /tmp, where another user could have put code for us.
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(home() / "torch")
    cases: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
        (lambda m: m.setattr(torch, "__file__", "/my tools/torch/__init__.py"), "/my tools/torch: .* again"),
        (
            lambda m: m.setattr(sysconfig, "get_config_var", lambda _: "/my python/lib"),
            "/my python/lib: .* again",
        ),
        (lambda m: m.setattr(tempfile, "tempdir", "/my files/tmp"), "/my files/tmp: .* TMPDIR"),
        (lambda m: m.setenv("TORCHINDUCTOR_CACHE_DIR", "/my cache"), "/my cache: .* TORCHINDUCTOR_CACHE_DIR"),
    ]
    for patch, says in cases:
        with monkeypatch.context() as patched:
            patch(patched)
            with pytest.raises(BackendUnavailable, match=f"{says}.*`:compiled`") as error:
                compiled()
            assert "a space" in str(error.value)


@pytest.mark.slow
# torch's compiler imports what torch deprecates.
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
def test_compiled_form_computes_the_same_and_tells_what_compiling_took() -> None:
    inputs = parity.parity_inputs(resnext.resnext(), 5, 33, 32, 1)["rgb"]
    try:
        compiled = resnext_network(variant="compiled")
    except BackendUnavailable as error:
        pytest.skip(str(error))
    found = logits(compiled, inputs)
    took = compiled.describe()["compile_s"]
    assert took > 1
    logits(compiled, inputs)
    assert compiled.describe()["compile_s"] == took
    expected = logits(resnext_network(variant="plain"), inputs)
    assert parity.compare_logits(expected, found).relative_l2 <= RELATIVE["resnext"]


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def network_on(device: str, selection: str, mantissa: int | None = None) -> Network:
    request = find_model(selection)
    weights = {
        stream: Weights("random", each, seed=5, mantissa=mantissa)
        for stream, each in request.model.streams.items()
    }
    return load_network(request, weights, LoadOptions(device=device))


@needs_cuda
@pytest.mark.parametrize(
    "selection",
    [
        *("resnext@torch:fp32:tuned", "resnext@torch:fp32:graphs", "resnext@torch:tf32:tuned"),
        *("resnext@torch:bf16:graphs", "resnext@torch:fp16:tuned"),
        *("i3d-rgb@torch:fp32:tuned", "i3d-rgb@torch:bf16:tuned", "i3d-rgb@torch:fp16:graphs"),
    ],
)
def test_cuda_computes_what_the_cpu_does(selection: str) -> None:
    request = find_model(selection)
    network = network_on("cuda:0", selection)
    assert "device_forward_s" not in network.describe(), "nothing was computed yet"
    plain = network_on("cpu", f"{request.name}@{REFERENCE}")
    coarse = network_on("cpu", f"{request.name}@{REFERENCE}", parity.mantissa(request.precision))
    for case in (*CASES[request.name], CASES[request.name][0]):
        inputs = parity.parity_inputs(request.model, *map(int, case.split("x")))
        expected = logits(plain, inputs["rgb"])
        rounded = parity.rounded(inputs, request.precision)
        limit = None
        if rounded is not None:
            of_rounded = logits(coarse, rounded["rgb"])
            limit = parity.drift_limit(parity.compare_logits(expected, of_rounded).relative_l2)
        found = parity.compare_logits(expected, logits(network, inputs["rgb"]))
        right = "same" if request.precision == "fp32" else "drifts"
        assert found.verdict(request.precision, limit) == right, (case, found)
    assert network.describe()["device_forward_s"] > 0


@needs_cuda
def test_a_graph_is_recorded_while_another_thread_uses_the_device() -> None:
    """As in the accuracy pass: the flow of the next clip, while a clip of a new shape is in the network."""
    network = network_on("cuda:0", "resnext@torch:bf16:graphs")
    plain = network_on("cuda:0", "resnext@torch:fp32:plain")
    flow = get_method("tvl1-fast-torch", 1, "cuda:0")
    frames = np.random.default_rng(0).integers(0, 256, (9, 120, 160), np.uint8)
    over = threading.Event()

    def others() -> int:
        times = 0
        while not over.is_set():
            flow_fields(frames, flow)
            times += 1
        return times

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(others)
        try:
            for length in range(4, 16):
                inputs = parity.parity_inputs(resnext.resnext(), length, 64, 64, 1)["rgb"]
                found = parity.compare_logits(logits(plain, inputs), logits(network, inputs))
                assert found.relative_l2 < 0.0156, length  # twice what bfloat16 gives with these weights
        finally:
            over.set()
        assert busy.result() > 0
