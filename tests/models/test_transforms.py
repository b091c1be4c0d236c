"""Transformations that promise not to change a network: against convolutions in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from actionbench.models import transforms
from actionbench.models.i3d import architecture as i3d
from actionbench.models.random_state import random_state
from actionbench.models.registry import find_model
from actionbench.models.resnext import architecture as resnext
from actionbench.models.spec import Colour, Views
from actionbench.models.transforms import BlockPadding, Convolution
from actionbench.preprocessing.preparer import Preparer
from actionbench.preprocessing.stopwatch import Stopwatch

Array = np.ndarray[Any, np.dtype[Any]]
EXACT = 1e-12
ROUNDED = 1e-6
"""Relative: weights that were rounded to float32 once."""


def drawn(seed: int, *shape: int) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def convolve(x: Array, convolution: Convolution, stride: Any = 1, padding: Any = 0) -> Array:
    """In float64, by torch; `x`: (N, C, T, H, W)."""
    weight, bias = (torch.from_numpy(a.astype(np.float64)) for a in (convolution.weight, convolution.bias))
    x64 = torch.from_numpy(x.astype(np.float64))
    return functional.conv3d(x64, weight, bias, stride, padding, groups=convolution.groups).numpy()


def assert_close(found: Array, expected: Array, tolerance: float) -> None:
    assert found.shape == expected.shape
    assert np.linalg.norm(found - expected) <= tolerance * np.linalg.norm(expected)


@pytest.mark.parametrize("scaled", [False, True], ids=["as in I3D", "as in ResNeXt"])
@pytest.mark.parametrize("groups", [1, 4])
def test_batch_norm_is_folded_exactly(scaled: bool, groups: int) -> None:
    weight = drawn(0, 8, 4, 3, 3, 3)
    mean, offset, scale = (drawn(seed, 8) for seed in (1, 2, 3))
    variance = np.abs(drawn(4, 8)) + np.float32(0.01)
    x = drawn(5, 2, 4 * groups, 4, 5, 6)
    plain = convolve(x, Convolution(weight, np.zeros(8, np.float32), groups), padding=1)

    def channels(values: Array) -> Array:
        return values.astype(np.float64).reshape(1, -1, 1, 1, 1)

    expected = (plain - channels(mean)) / np.sqrt(channels(variance) + 1e-3)
    expected = expected * (channels(scale) if scaled else 1) + channels(offset)
    one = transforms.folded(weight, mean, variance, 1e-3, offset, scale if scaled else None, groups)
    assert one.weight.dtype == one.bias.dtype == np.float32
    assert one.groups == groups
    assert_close(convolve(x, one, padding=1), expected, ROUNDED)


def test_a_fourth_channel_does_not_count_whatever_it_holds() -> None:
    convolution = Convolution(drawn(0, 5, 3, 3, 2, 1), drawn(1, 5))
    four = transforms.with_input_channels(convolution)
    assert four.weight.shape == (5, 4, 3, 2, 1)
    x = drawn(2, 1, 4, 5, 6, 7)
    assert_close(convolve(x, four), convolve(x[:, :3], convolution), EXACT)


def both_sides(_size: int, taps: int, _step: int) -> tuple[int, int]:
    return taps // 2, taps // 2


@settings(max_examples=60)
@given(
    sizes=st.tuples(*[st.integers(1, 12)] * 3),
    kernel=st.tuples(*[st.integers(1, 7)] * 3),
    stride=st.tuples(*[st.sampled_from([1, 2])] * 3),
    padding=st.sampled_from([i3d.same_padding, both_sides]),
)
def test_space_to_depth_is_the_strided_convolution(
    sizes: Any, kernel: Any, stride: Any, padding: Any
) -> None:
    """For TensorFlow's padding ("SAME"), and for k // 2 zeros at each side; even and odd sizes."""
    convolution = Convolution(drawn(0, 3, 2, *kernel), drawn(1, 3))
    x = drawn(2, 1, 2, *sizes)
    axes = list(zip(sizes, kernel, stride, strict=True))
    sides = [padding(*axis) for axis in axes]
    if any(size + sum(zeros) < taps for (size, taps, _), zeros in zip(axes, sides, strict=True)):
        return
    expected = convolve(np.pad(x, [(0, 0), (0, 0), *sides]), convolution, stride)
    shared = [transforms.block_padding(taps, step, padding) for _, taps, step in axes]
    cells = [(each.odd if size % 2 else each.even) for size, each in zip(sizes, shared, strict=True)]
    blocks = [(0, 0), (0, 0), *(each.blocks for each in shared)]
    last = np.pad(x, [(0, 0), (0, 0), *cells]).transpose(0, 2, 3, 4, 1)
    x = np.pad(transforms.to_depth(last, stride).transpose(0, 4, 1, 2, 3), blocks)
    assert_close(convolve(x, transforms.space_to_depth(convolution, stride)), expected, EXACT)


def test_stem_of_i3d_becomes_four_cubed_over_24_channels_that_pads_even_sizes_itself() -> None:
    state = random_state(i3d.tensor_shapes(3, 4), 0, {})
    stem = i3d.folded(state)["Conv3d_1a_7x7"]
    assert transforms.space_to_depth(stem, (2, 2, 2)).weight.shape == (64, 24, 4, 4, 4)
    assert transforms.block_padding(7, 2, i3d.same_padding) == BlockPadding((1, 2), (0, 0), (1, 0))


@pytest.mark.parametrize(("inputs", "groups", "wide"), [(4, 32, 16), (8, 32, 16), (16, 32, 16), (5, 6, 15)])
def test_wider_groups_compute_the_same(inputs: int, groups: int, wide: int) -> None:
    convolution = Convolution(drawn(0, 2 * groups, inputs, 3, 1, 2), drawn(1, 2 * groups), groups)
    merged = transforms.with_wider_groups(convolution)
    assert merged.weight.shape[1] == wide
    assert merged.groups * wide == groups * inputs
    x = drawn(2, 1, inputs * groups, 3, 4, 5)
    assert_close(convolve(x, merged), convolve(x, convolution), EXACT)


def test_groups_that_are_wide_enough_stay() -> None:
    convolution = Convolution(drawn(0, 64, 32, 1, 1, 1), drawn(1, 64), 2)
    assert transforms.with_wider_groups(convolution) is convolution


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("name", ["i3d-rgb", "resnext"])
def test_pixels_scaled_in_the_graph_are_the_pixels_that_preparation_gives(name: str, colour: Colour) -> None:
    how = replace(find_model(name).model.streams["rgb"].preprocessing, std=(1.0, 2.0, 3.0), colour=colour)
    factor, offset = transforms.pixel_scaling(how)
    assert factor.shape == offset.shape == (3,)
    frames = np.random.default_rng(0).integers(0, 256, (2, 256, 256, 3), np.uint8)
    views = Views(2, 2, "loop", "softmax", 1)
    scaled, pixels = (
        Preparer({"rgb": how}, views, uint8_streams=frozenset(streams)).rgb_input(frames, "rgb", Stopwatch())
        for streams in ((), ("rgb",))
    )
    np.testing.assert_allclose(pixels[0] * factor + offset, scaled[0], rtol=1e-6, atol=1e-5)


def test_folded_convolutions_are_all_there() -> None:
    convolutions = i3d.folded(random_state(i3d.tensor_shapes(2, 4), 0, {}))
    assert convolutions.keys() == {unit.scope for unit in i3d.units(2)} | {i3d.HEAD}
    assert convolutions[i3d.HEAD].weight.shape == (4, 1024, 1, 1, 1)
    shapes = resnext.tensor_shapes(4)
    convolutions = resnext.folded(random_state(shapes, 0, {}))
    named = {name.removesuffix(".weight") for name, shape in shapes.items() if len(shape) == 5}
    assert convolutions.keys() == named
    assert convolutions["layer2.0.conv2"].groups == 32
    assert all(c.weight.dtype == np.float32 for c in convolutions.values())
