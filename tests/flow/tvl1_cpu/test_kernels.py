"""The TV-L1 engine's parts, each against an independent statement of what it computes."""

from __future__ import annotations

from itertools import product
from typing import Any

import cv2
import numba
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.flow.resampling import Axis, area, bilinear
from actionbench.flow.schedule import BALANCED, FAITHFUL, FAST, Schedule
from actionbench.flow.sorting_networks import MEDIAN_AT, SELECT, SORT
from actionbench.flow.tvl1_cpu import median, simd, simd_memory
from actionbench.flow.tvl1_cpu.engine import make_workspace
from actionbench.flow.tvl1_cpu.layout import (
    CHUNK,
    LEFT,
    ROWS_AROUND,
    aligned,
    chunks,
    edges,
    plane_size,
    plane_stride,
)
from actionbench.flow.tvl1_cpu.pyramid import build_pyramid, geometry
from actionbench.flow.tvl1_cpu.warp import FRACTION, POSITIONS, cubic_table


def resampled(signal: npt.NDArray[Any], axis: Axis) -> npt.NDArray[Any]:
    first, weights = axis
    taken = first + np.arange(len(weights))[:, None]
    sums: npt.NDArray[np.float32] = (signal[taken] * weights).sum(axis=0)
    return sums


sizes = st.integers(16, 90)


@given(sizes, st.sampled_from([0.5, 0.65, 0.8]))
def test_area_is_opencvs(source: int, step: float) -> None:
    target = round(source * step)
    signal = np.random.default_rng(source).uniform(0, 255, source).astype(np.float32)
    first, weights = area(source, target)
    assert first.min() >= 0
    assert first.max() + len(weights) <= source
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-5)
    expected = cv2.resize(signal[None], (target, 1), interpolation=cv2.INTER_AREA)[0]
    np.testing.assert_allclose(resampled(signal, (first, weights)), expected, atol=0.05)


@given(sizes, sizes)
def test_bilinear_is_opencvs(source: int, target: int) -> None:
    signal = np.random.default_rng(source).uniform(0, 255, source).astype(np.float32)
    expected = cv2.resize(signal[None], (target, 1), interpolation=cv2.INTER_LINEAR)[0]
    np.testing.assert_allclose(resampled(signal, bilinear(source, target)), expected, atol=0.05)


def plane_of(values: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """The image in a plane, with ROWS_AROUND pixels on all sides."""
    rows = values[: plane_size(height, width)].reshape(height + 2 * ROWS_AROUND, plane_stride(width))
    return rows[:, LEFT - ROWS_AROUND : LEFT + width + ROWS_AROUND]


@pytest.mark.parametrize("schedule", [FAITHFUL, BALANCED, FAST], ids=lambda schedule: schedule.name)
@pytest.mark.parametrize(("height", "width"), [(64, 80), (61, 67), (16, 16), (33, 129)])
def test_a_pyramid_is_opencvs(schedule: Schedule, height: int, width: int) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    plan = geometry(schedule, height, width)
    line = make_workspace(height, width).lines
    pyramid = aligned(int(plan.starts[-1]))
    build_pyramid(frame, np.float32(1), plan, line, pyramid)
    expected = frame.astype(np.float32)
    for level, size in enumerate(schedule.levels(height, width)):
        if level > 0 and schedule.antialias:
            expected = cv2.resize(expected, size[::-1], interpolation=cv2.INTER_AREA)
        elif level > 0:
            expected = cv2.resize(expected, None, fx=schedule.step, fy=schedule.step)
        assert expected.shape == size
        found = plane_of(pyramid[plan.starts[level] :], *size)
        np.testing.assert_allclose(found, np.pad(expected, ROWS_AROUND, mode="edge"), atol=0.2)


def test_the_warps_weights_are_the_cubic_kernel() -> None:
    """They sum to one, keep a ramp, and let a pixel through that is met exactly."""
    table = cubic_table().reshape(POSITIONS, 4)
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(table[0], [0, 1, 0, 0])
    np.testing.assert_allclose(table[1:], table[:0:-1, ::-1], atol=1e-6)
    # OpenCV's own, at a quarter of a pixel.
    signal = np.zeros((1, 9), np.float32)
    signal[0, 4] = 1
    for tap in range(4):
        at = np.array([[4 + 0.25 - (tap - 1)]], np.float32)
        found = cv2.remap(signal, at, np.zeros_like(at), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        assert found[0, 0] == pytest.approx(table[(1 << FRACTION) // 4, tap], abs=1e-5)


def through(network: tuple[tuple[int, int], ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What a network makes of each row of `values`."""
    wires = values.copy()
    for low, high in network:
        wires[:, low], wires[:, high] = (
            np.minimum(wires[:, low], wires[:, high]),
            np.maximum(wires[:, low], wires[:, high]),
        )
    return wires


@pytest.mark.parametrize("network", SORT.values())
def test_columns_are_sorted(network: tuple[tuple[int, int], ...]) -> None:
    """By the 0–1 principle: a network that sorts all zeros and ones sorts everything."""
    count = max(max(pair) for pair in network) + 1
    inputs = np.array(list(product((0, 1), repeat=count)))
    np.testing.assert_array_equal(through(network, inputs), np.sort(inputs, axis=1))


@pytest.mark.parametrize("side", [3, 5])
def test_networks_find_the_median_of_sorted_columns(side: int) -> None:
    """Of all sorted columns of zeros and ones, and so of all sorted columns (0–1 principle)."""
    columns = [[0] * (side - ones) + [1] * ones for ones in range(side + 1)]
    inputs = np.array([np.concatenate(chosen) for chosen in product(columns, repeat=side)])
    assert len(inputs) == (side + 1) ** side
    np.testing.assert_array_equal(
        through(SELECT[side], inputs)[:, MEDIAN_AT[side]], np.median(inputs, axis=1)
    )


@numba.njit
def filtered(fields, height, width, side, plane, lines, edge):  # type: ignore[no-untyped-def]
    median.median_filter(fields, height, width, side, plane, lines, edge)


@pytest.mark.parametrize("side", [3, 5])
@given(height=st.integers(16, 30), width=st.integers(16, 70), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_medians_are_opencvs(side: int, height: int, width: int, seed: int) -> None:
    flow = np.random.default_rng(seed).normal(0, 3, (2, height, width)).astype(np.float32)
    work = make_workspace(height, width)
    edges(width, work.edge)
    in_row = chunks(width)
    rows = work.fields[: (height + 2) * in_row * CHUNK].reshape(height + 2, in_row, 10, simd.LANES)
    fields = rows[1:-1].transpose(2, 0, 1, 3)
    padded = np.pad(flow, [(0, 0), (0, 0), (0, in_row * simd.LANES - width)])
    fields[:2] = padded.reshape(2, height, in_row, simd.LANES)
    filtered(work.fields, height, width, side, work.plane, work.lines, work.edge)
    for number in (0, 1):
        found = fields[number].reshape(height, -1)
        np.testing.assert_array_equal(found[:, :width], cv2.medianBlur(flow[number], side))
        assert not found[:, width:].any()


@numba.njit
def vectors(source, result):  # type: ignore[no-untyped-def]
    a, b = simd_memory.load(source, 0), simd_memory.load(source, simd.LANES)
    n = simd.LANES
    simd_memory.store(result, 0 * n, simd.one_before(a, b))
    simd_memory.store(result, 1 * n, simd.one_after(a, b))
    simd_memory.store(result, 2 * n, simd.reciprocal_estimate(b))
    simd_memory.store(result, 3 * n, simd.reciprocal_root(b))
    simd_memory.store(result, 4 * n, simd.floor(a * np.float32(3)))
    simd_memory.store(result, 5 * n, simd.minimum(a, b) - simd.maximum(a, b))
    result[6 * n] = simd.total(a)


def test_vector_operations() -> None:
    n = simd.LANES
    source = np.random.default_rng(0).uniform(-2, 2, 2 * n).astype(np.float32)
    source[n:] = np.abs(source[n:]) + 0.1
    a, b = source[:n], source[n:]
    result = np.zeros(7 * n, np.float32)
    vectors(source, result)
    np.testing.assert_array_equal(result[:n], source[n - 1 : 2 * n - 1])
    np.testing.assert_array_equal(result[n : 2 * n], source[1 : n + 1])
    np.testing.assert_allclose(result[2 * n : 3 * n], 1 / b, rtol=2**-13)
    np.testing.assert_allclose(result[3 * n : 4 * n], 1 / np.sqrt(b), rtol=2**-13)
    np.testing.assert_array_equal(result[4 * n : 5 * n], np.floor(3 * a))
    np.testing.assert_allclose(result[5 * n : 6 * n], -np.abs(a - b), rtol=1e-6)
    assert result[6 * n] == pytest.approx(a.sum(), abs=1e-5)
