"""I3D as data: published sizes, published names, TensorFlow's arithmetic."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.models.i3d import architecture as i3d
from actionbench.models.weights.formats.tensor_bundle import list_tensors


@pytest.mark.parametrize(("channels", "published"), [(3, 12_689_984), (2, 12_668_032)])
def test_parameters_are_the_published_number(channels: int, published: int) -> None:
    assert i3d.parameters(channels, 400) == published


@pytest.mark.parametrize(
    ("stream", "frames", "giga"),
    [
        ("rgb", 16, 27.79),
        ("rgb", 64, 111.15),
        ("rgb", 79, 138.9),
        ("rgb", 250, 434.95),
        ("flow", 16, 25.59),
        ("flow", 64, 102.34),
        ("flow", 79, 127.9),
        ("flow", 250, 400.53),
    ],
)
def test_macs_are_the_published_number(stream: str, frames: int, giga: float) -> None:
    assert i3d.macs({stream: (frames, 224, 224)}, 400) / 1e9 == pytest.approx(giga, rel=5e-4)


def test_macs_of_two_streams_add_up() -> None:
    streams = {"rgb": (64, 224, 224), "flow": (63, 224, 224)}
    alone = sum(i3d.macs({stream: shape}, 400) for stream, shape in streams.items())
    assert i3d.macs(streams, 400) == alone


@pytest.mark.parametrize(
    ("name", "scope", "channels", "classes"),
    [
        ("rgb_imagenet", "RGB/inception_i3d/", 3, 400),
        ("flow_imagenet", "Flow/inception_i3d/", 2, 400),
        ("rgb_scratch_kin600", "", 3, 600),
    ],
)
def test_names_and_shapes_are_those_of_the_published_checkpoints(
    shared_data: Path, name: str, scope: str, channels: int, classes: int
) -> None:
    """As our reader lists them, which test_tensor_bundle.py holds against TensorFlow's on the same files."""
    index = shared_data / "annotations/i3d_published/checkpoints" / name / "model.ckpt.index"
    published = {tensor: entry.shape for tensor, entry in list_tensors(index).items()}
    for tensor, shape in i3d.tensor_shapes(channels, classes).items():
        found = published.pop(scope + tensor)
        # The Kinetics-600 file keeps batch norm's vectors as (1, 1, 1, 1, C).
        assert found == shape or found == (1, 1, 1, 1, *shape)
    assert all(left.endswith("/Momentum") for left in published)


@given(size=st.integers(1, 300), kernel=st.integers(1, 7), stride=st.integers(1, 3))
def test_same_padding_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    before, behind = i3d.same_padding(size, kernel, stride)
    assert 0 <= before <= behind <= before + 1
    windows = (size + before + behind - kernel) // stride + 1 if kernel >= stride else None
    assert i3d.same_size(size, stride) == math.ceil(size / stride)
    assert windows is None or windows == math.ceil(size / stride)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [(224, 7, 2, (2, 3)), (225, 7, 2, (3, 3)), (112, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (14, 2, 2, (0, 0))],
)
def test_same_padding_depends_on_the_size(
    size: int, kernel: int, stride: int, padding: tuple[int, int]
) -> None:
    assert i3d.same_padding(size, kernel, stride) == padding


def test_smallest_input_leaves_one_window() -> None:
    for size, least in ((i3d.MIN_FRAMES, 2), (i3d.MIN_SIDE, 7)):
        halvings = 3 if least == 2 else 5
        assert _halved(size, halvings) == least
        assert _halved(size - 1, halvings) == least - 1


def _halved(size: int, times: int) -> int:
    for _ in range(times):
        size = math.ceil(size / 2)
    return size


def test_authors_slip_is_kept_once() -> None:
    slips = {n.rsplit("/", 2)[0] for n in i3d.tensor_shapes(3, 400) if "Conv3d_0a_3x3" in n}
    assert slips == {"Mixed_5b/Branch_2/Conv3d_0a_3x3"}


def test_protocol_is_the_authors() -> None:
    model = i3d.two_stream()
    assert list(model.streams) == ["rgb", "flow"]
    assert next(iter(model.backends)) == "tensorflow"
    assert model.views.window is None
    assert (model.views.average, model.views.single_frames, model.views.min_frames) == ("logits", 64, 9)
    rgb, flow = (model.streams[s].preprocessing for s in ("rgb", "flow"))
    assert (0 * rgb.scale - rgb.mean[0], 255 * rgb.scale - rgb.mean[0]) == pytest.approx((-1.0, 1.0))
    assert flow.flow_bound == 20
    assert (rgb.channels, flow.channels) == (3, 2)
