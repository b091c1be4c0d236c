"""TV-L1 in PyTorch, on the CPU: known motions, independence of the batch, agreement with OpenCV and numba.

`tests/data/tvl1_opencv.npz` holds what `drawn_pair` draws and OpenCV 5.0's flow of it (float16), so that a
machine without OpenCV's TV-L1 can check itself too.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.errors import BackendUnavailable, ClipError, MeasurementError, UsageError
from actionbench.flow import fields
from actionbench.flow.method import DeviceFlowMethod
from actionbench.flow.registry import METHODS, NEEDS_TORCH, get_method
from actionbench.flow.resampling import area, bilinear
from actionbench.flow.schedule import BALANCED, FAITHFUL, FAST, Convergence, Schedule
from actionbench.flow.sorting_networks import MEDIAN_AT
from actionbench.flow.tvl1_torch import steps
from actionbench.flow.tvl1_torch.engine import flow_batch, flow_between
from actionbench.flow.tvl1_torch.median import median_filter, selection
from actionbench.flow.tvl1_torch.method import BYTES_PER_PIXEL, TorchFlow, _announce_cpu, to_network
from actionbench.flow.tvl1_torch.resampling import resample

H, W = 64, 80
INSIDE = (slice(10, -10), slice(10, -10))
SCHEDULES = (FAITHFUL, BALANCED, FAST)
DATA = Path(__file__).parents[2] / "data" / "tvl1_opencv.npz"

Frame = npt.NDArray[np.uint8]

schedules = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Frames this small gain nothing from threads, and wait long for them on a machine at work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(u: float, v: float, seed: int = 0, height: int = H, width: int = W) -> Frame:
    """A texture of waves, 8 to 40 pixels long, moved by exactly (u, v)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] - np.array((v, u)).reshape(2, 1, 1)
    waves = 60
    angle, phase = rng.uniform(0, 2 * np.pi, (2, waves, 1, 1))
    number = 2 * np.pi / rng.uniform(8, 40, (waves, 1, 1))
    sums = np.cos(number * (np.cos(angle) * x + np.sin(angle) * y) + phase).sum(0)
    frame: Frame = np.clip(np.rint(128 + 60 * sums / np.sqrt(waves / 2)), 0, 255).astype(np.uint8)
    return frame


def drawn_pair() -> Frame:
    """(2, H, W): a background that moves by (1.5, −0.5), a disc in front of it by (−2, 1)."""
    y, x = np.mgrid[:H, :W]
    frames = []
    for u, v in ((0, 0), (1, 1)):
        disc = np.hypot(x - W / 2 + 2 * u, y - H / 2 - v) < 15
        frames.append(np.where(disc, drawn(-2 * u, v, 1), drawn(1.5 * u, -0.5 * v)))
    return np.stack(frames)


def one(previous: Frame, following: Frame, schedule: Schedule) -> npt.NDArray[np.float32]:
    flow = flow_batch(torch.from_numpy(previous)[None], torch.from_numpy(following)[None], schedule)
    return flow[0].numpy()


def endpoint_error(flow: npt.NDArray[np.float32], expected: npt.ArrayLike) -> npt.NDArray[np.float32]:
    error: npt.NDArray[np.float32] = np.linalg.norm(flow - np.asarray(expected), axis=-1)
    return error


@schedules
@pytest.mark.parametrize(("u", "v"), [(3, -2), (-1, 0)])
def test_a_shift_is_found_to_a_fiftieth_of_a_pixel(schedule: Schedule, u: int, v: int) -> None:
    flow = one(drawn(0, 0), drawn(u, v), schedule)
    assert flow.shape == (H, W, 2)
    assert flow.dtype == np.float32
    assert endpoint_error(flow, (u, v))[INSIDE].mean() < 0.02


@schedules
def test_a_shift_between_pixels_is_found_as_well_as_opencv_finds_it(schedule: Schedule) -> None:
    # OpenCV's error is 0.045 here: the cubic kernel's, not the iterations'.
    flow = one(drawn(0, 0), drawn(1.25, -0.5), schedule)
    assert endpoint_error(flow, (1.25, -0.5))[INSIDE].mean() < 0.055


@schedules
def test_two_halves_move_apart(schedule: Schedule) -> None:
    frames = [np.hstack([drawn(-u, 0, 1)[:, : W // 2], drawn(u, 0, 2)[:, W // 2 :]]) for u in (0, 2)]
    flow = one(frames[0], frames[1], schedule)
    bound = 0.04 if schedule is FAST else 0.02
    assert np.median(flow[10:-10, 10:30], axis=(0, 1)) == pytest.approx((-2, 0), abs=bound)
    assert np.median(flow[10:-10, -30:-10], axis=(0, 1)) == pytest.approx((2, 0), abs=bound)


@schedules
def test_nothing_moves_but_for_noise(schedule: Schedule) -> None:
    frame = drawn(0, 0)
    noisy = frame.copy()
    noisy[::16, ::16] ^= 1
    assert endpoint_error(one(frame, noisy, schedule), (0, 0))[INSIDE].mean() < 0.02


@schedules
def test_a_pair_is_computed_the_same_in_every_batch(schedule: Schedule) -> None:
    height, width = 21, 31  # two levels of the pyramid
    motions = [(0.5, 0), (2, -1), (0, 0), (-3.5, 2)]
    previous = torch.from_numpy(np.stack([drawn(0, 0, i, height, width) for i in range(4)]))
    following = torch.from_numpy(np.stack([drawn(*m, i, height, width) for i, m in enumerate(motions)]))
    # A scene cut converges late, if at all.
    following[3] = previous[0]
    together = flow_batch(previous, following, schedule)
    for pair in range(4):
        assert torch.equal(
            together[pair], flow_batch(previous[pair : pair + 1], following[pair : pair + 1], schedule)[0]
        )
    assert torch.equal(together[1:4], flow_batch(previous[1:4], following[1:4], schedule))
    assert not together[2].any()
    assert torch.isfinite(together).all()


@schedules
@given(
    height=st.integers(16, 40),
    width=st.integers(16, 40),
    seed=st.integers(0, 99),
)
@settings(max_examples=4)
def test_any_size_and_any_content_gives_finite_flow(
    schedule: Schedule, height: int, width: int, seed: int
) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, (3, height, width)).astype(np.uint8)
    flow = flow_between(torch.from_numpy(frames), schedule)
    assert flow.shape == (2, height, width, 2)
    assert torch.isfinite(flow).all()
    assert flow.abs().max() < 10 * max(height, width)


@schedules
def test_black_to_white_has_no_flow(schedule: Schedule) -> None:
    assert not one(np.zeros((20, 24), np.uint8), np.full((20, 24), 255, np.uint8), schedule).any()


def test_frames_that_do_not_fit_are_refused() -> None:
    good = torch.zeros(2, 20, 24, dtype=torch.uint8)
    for previous, following in [
        (good, good[:1]),
        (good, torch.zeros(2, 24, 20, dtype=torch.uint8)),
        (good.double(), good.double()),
        (good.float() + torch.nan, good.float()),
        (good.float(), good.float() + 2),
        (good[:, :15], good[:, :15]),
        (good[0], good[0]),
    ]:
        with pytest.raises(ClipError):
            flow_batch(previous, following, FAST)


def test_a_video_in_batches_of_any_size() -> None:
    video = np.stack([drawn(0.7 * t, -0.4 * t, height=32, width=40) for t in range(6)])
    video[3] = video[2]
    whole = TorchFlow(BALANCED, "cpu").fields(video)
    told: list[tuple[int, int]] = []
    little = TorchFlow(BALANCED, "cpu", memory=2 * 32 * 40 * BYTES_PER_PIXEL)
    np.testing.assert_array_equal(little.fields(video, progress=lambda *t: told.append(t)), whole)
    assert told == [(2, 5), (4, 5), (5, 5)]
    np.testing.assert_array_equal(TorchFlow(BALANCED, "cpu", memory=1).fields(video), whole)
    assert not whole[2].any()
    np.testing.assert_array_equal(whole[4], TorchFlow(BALANCED, "cpu")(video[4], video[5]))


def test_a_video_is_cancelled_between_batches() -> None:
    video = np.stack([drawn(t, 0, height=16, width=16) for t in range(4)])
    answers = iter((False, True))
    with pytest.raises(MeasurementError, match="after 1 of 3"):
        TorchFlow(FAST, "cpu", memory=1).fields(video, cancelled=lambda: next(answers))


def test_one_frame_is_no_video() -> None:
    with pytest.raises(ClipError, match="two grey frames"):
        TorchFlow(FAST, "cpu").fields(drawn(0, 0)[None])
    with pytest.raises(ClipError):
        TorchFlow(FAST, "cpu").fields(np.zeros((3, 20, 20), np.float64))


@schedules
def test_the_description_is_json_and_tells_the_schedules_apart(schedule: Schedule) -> None:
    method = TorchFlow(schedule, "cpu")
    description = json.loads(json.dumps(method.describe()))
    assert description["name"] == method.name == f"{schedule.name}-torch"
    assert description["parameters"]["warps"] == schedule.warps
    assert description["triton"] is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_missing_gpu_is_named() -> None:
    with pytest.raises(BackendUnavailable, match="no such CUDA device"):
        TorchFlow(FAST, "cuda")


@pytest.mark.parametrize(
    ("schedule", "bound"), [(FAITHFUL, 0.03), (BALANCED, 0.15), (FAST, 0.2)], ids=lambda x: str(x)[:20]
)
def test_opencv_agrees(schedule: Schedule, bound: float) -> None:
    with np.load(DATA, allow_pickle=False) as data:
        frames, opencv = data["frames"], data["flow"].astype(np.float32)
    assert endpoint_error(one(frames[0], frames[1], schedule), opencv).mean() < bound


def test_the_reference_is_opencvs_flow() -> None:
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2, "optflow"):
        pytest.skip("this OpenCV has no TV-L1")
    with np.load(DATA, allow_pickle=False) as data:
        frames, opencv = data["frames"], data["flow"].astype(np.float32)
    np.testing.assert_array_equal(frames, drawn_pair())
    # OpenCV's versions differ from one another by 0.01 to 0.04 pixels.
    flow = cv2.optflow.DualTVL1OpticalFlow.create().calc(*frames, None)
    assert endpoint_error(flow, opencv).mean() < 0.04


@pytest.mark.parametrize(
    ("schedule", "bound"), [(FAITHFUL, 0.04), (BALANCED, 0.005), (FAST, 0.005)], ids=lambda x: str(x)[:20]
)
def test_the_cpu_engine_agrees(schedule: Schedule, bound: float) -> None:
    """The fixed schedules' steps are the same but for rounding, which is felt where motion leaves the frame:
    the CPU engine's estimates of roots have 12 to 14 bits, and nothing there holds the flow in its place.

    The faithful one's stopping rule is asked less often by the CPU engine: its flow may converge further.
    """
    pytest.importorskip("numba")
    from actionbench.flow.tvl1 import TVL1Flow

    pairs = [drawn_pair(), np.stack([drawn(0, 0, 3, 45, 61), drawn(-1.2, 2.3, 3, 45, 61)])]
    for pair in pairs:
        error = endpoint_error(one(pair[0], pair[1], schedule), TVL1Flow(schedule)(*pair))
        assert error.mean() < 3 * bound
        assert error[INSIDE].mean() < bound


def test_resampling_is_opencvs() -> None:
    cv2 = pytest.importorskip("cv2")
    planes = np.random.default_rng(0).uniform(0, 255, (2, 3, 53, 71)).astype(np.float32)
    for (height, width), kind, interpolation in [
        ((34, 46), area, cv2.INTER_AREA),
        ((42, 57), area, cv2.INTER_AREA),
        ((26, 36), area, cv2.INTER_AREA),
        ((89, 130), bilinear, cv2.INTER_LINEAR),
    ]:
        ours = resample(torch.from_numpy(planes), height, width, kind)
        for plane, our in zip(planes.reshape(6, 53, 71), ours.reshape(6, height, width), strict=True):
            theirs = cv2.resize(plane, (width, height), interpolation=interpolation)
            np.testing.assert_allclose(our, theirs, atol=2e-3)


@pytest.mark.parametrize("side", [3, 5])
def test_what_is_left_of_a_median_network_still_finds_the_median(side: int) -> None:
    """By the 0–1 principle, as the networks themselves are proven (test_tvl1_kernels.py)."""
    ones = torch.tensor(list(itertools.product(range(side + 1), repeat=side)))
    places = [(ones[:, i] >= side - j).int() for i in range(side) for j in range(side)]
    for low, high, lesser, greater in selection(side):
        a, b = places[low], places[high]
        if lesser:
            places[low] = torch.minimum(a, b)
        if greater:
            places[high] = torch.maximum(a, b)
    assert torch.equal(places[MEDIAN_AT[side]], (ones.sum(1) > side * side // 2).int())


@pytest.mark.parametrize("side", [3, 5])
def test_the_median_filter_takes_windows_medians(side: int) -> None:
    planes = np.random.default_rng(0).integers(-9, 9, (2, 2, 17, 20)).astype(np.float32)
    padded = np.pad(planes, ((0, 0), (0, 0), (side // 2,) * 2, (side // 2,) * 2), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    np.testing.assert_array_equal(median_filter(torch.from_numpy(planes), side), np.median(windows, (4, 5)))


def test_the_warp_samples_where_the_flow_leads_and_zeros_beyond_the_frame() -> None:
    image = torch.from_numpy(drawn(0, 0)[None, None]).float()
    flow = torch.zeros(1, 2, H, W)
    flow[:, 0], flow[:, 1] = 5, -3
    moved = steps.warp(image, flow)[0, 0]
    np.testing.assert_allclose(moved[3:, :-5], image[0, 0, :-3, 5:], atol=0.05)
    assert moved[:3].abs().max() < 0.05
    assert moved[:, -5:].abs().max() < 0.05
    flow[:] = 1e9
    assert not steps.warp(image, flow).any()


def test_divergence_is_minus_the_adjoint_of_forward_differences() -> None:
    flow, dual = torch.rand(2, 2, 9, 11), torch.rand(2, 2, 2, 9, 11)
    dual[:, :, 0, :, -1] = 0
    dual[:, :, 1, -1] = 0
    inner = (steps.forward_differences(flow) * dual).sum()
    assert inner.item() == pytest.approx(-(flow * steps.divergence(dual)).sum().item(), rel=1e-4)


def test_what_a_pair_changed_is_measured_by_itself() -> None:
    before = torch.rand(3, 2, 20, 30)
    after = before.clone()
    after[0] += 0.011 / 2**0.5
    after[1] += 0.009 / 2**0.5
    after[2, 0, 5, 5] += 1e6
    changed = steps.change(before, after) > steps.largest_sum(0.01, before)
    assert changed.tolist() == [True, False, True]


def test_rounds_end_with_convergence_only() -> None:
    """More rounds change nothing in a pair that has converged within one, but do in one that has not."""
    pair = (drawn(0, 0, height=32, width=40), drawn(2.5, -1.5, height=32, width=40))

    def rounds(number: int, tolerance: float) -> npt.NDArray[np.float32]:
        return one(*pair, Schedule(**{**vars(FAITHFUL), "stop": Convergence(tolerance, number)}))

    np.testing.assert_array_equal(rounds(1, 0.5), rounds(4, 0.5))
    assert (rounds(1, 1e-4) != rounds(4, 1e-4)).any()


def test_float_frames_have_the_flow_of_the_same_frames_in_eight_bits() -> None:
    video = np.stack([drawn(0, 0), drawn(1, 0.5)])
    method = TorchFlow(FAST, "cpu")
    as_float = method.fields((video / 255).astype(np.float32))
    np.testing.assert_allclose(as_float, method.fields(video), atol=2e-3)


def test_a_method_by_name_is_put_where_it_is_asked_for_and_says_that_a_cpu_is_slow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _announce_cpu.cache_clear()
    method = get_method("tvl1-fast-torch", 1, "cpu")
    assert isinstance(method, DeviceFlowMethod)
    assert method.device == torch.device("cpu")
    assert "slowly" in method.describe()["device"]
    assert "slower than `tvl1-fast`" in caplog.text
    assert METHODS.keys() >= NEEDS_TORCH
    for name in NEEDS_TORCH:
        assert get_method(name, 1, "cpu").describe()["name"] == name
    with pytest.raises(UsageError, match="at least one thread"):
        get_method("tvl1-torch", 0)


def test_network_input_is_made_on_the_device_as_on_the_host() -> None:
    flow = np.random.default_rng(0).normal(0, 15, (3, 8, 9, 2)).astype(np.float32)
    np.testing.assert_allclose(to_network(torch.from_numpy(flow), 20), fields.to_network(flow), atol=1e-7)
    flow[1, 2, 3, 0] = np.inf
    with pytest.raises(ClipError, match="1 of 432 values"):
        to_network(torch.from_numpy(flow), 20)


INTERPRETED = """
import torch
from actionbench.flow.schedule import DualAscent, PrimalDual
from actionbench.flow.tvl1_torch import steps, triton_kernel

torch.manual_seed(0)
for pairs, height, width in ((2, 17, 70), (1, 16, 16)):
    flow, dual = torch.randn(pairs, 2, height, width), torch.randn(pairs, 2, 2, height, width)
    dual[:, :, 0, :, -1] = 0
    dual[:, :, 1, -1] = 0
    term = torch.randn(pairs, 4, height, width).abs()
    for solver in (DualAscent(), PrimalDual()):
        for iterations in (1, 4):
            ours = triton_kernel.iterate(flow, dual, term, solver, 0.3, iterations)
            for mine, plain in zip(ours, steps.iterate(flow, dual, term, solver, 0.3, iterations)):
                torch.testing.assert_close(mine, plain, atol=1e-4, rtol=1e-4)
    # The first pair rests from the start, the last one converges on the way.
    if pairs > 1:
        flow[0] = dual[0] = term[0] = 0
    term /= 50
    for iterations, tolerance in ((6, 0.6), (9, 0.45), (5, 0.01)):
        ours = triton_kernel.iterate_until(flow, dual, term, DualAscent(), 0.3, iterations, tolerance)
        plain = steps.iterate_until(flow, dual, term, DualAscent(), 0.3, iterations, tolerance)
        for a, b in zip(ours, plain):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
def test_the_triton_kernel_computes_the_same_in_tritons_interpreter() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-P", "-c", INTERPRETED], env=environment, check=True, timeout=300)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@schedules
def test_a_gpu_agrees_with_the_cpu(schedule: Schedule) -> None:
    video = np.stack([drawn(0.7 * t, -1.4 * t) for t in range(5)])
    flow = TorchFlow(schedule, "cuda").fields_on_device(video)
    assert flow.is_cuda
    error = endpoint_error(flow.cpu().numpy(), TorchFlow(schedule, "cpu").fields(video))
    assert error.mean() < (0.02 if schedule.stop else 0.005)
    assert torch.equal(flow[1:2], flow_between(torch.from_numpy(video[1:3]).cuda(), schedule))
