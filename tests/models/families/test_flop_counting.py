"""Multiply–accumulates against counts by hand, and torchvision's own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
import torch

from actionbench.models.families.flop_counting import macs, on_meta, parameters
from actionbench.models.families.torchvision_video.model import build
from actionbench.models.families.torchvision_video.published import NETWORKS
from actionbench.models.registry import find_model


def small(classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv3d(3, 8, 3, 2, 1, groups=1),
        torch.nn.ReLU(),
        torch.nn.Conv3d(8, 8, 3, padding=1, groups=4),
        torch.nn.AdaptiveAvgPool3d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, classes),
    )


def test_convolutions_and_products() -> None:
    cells = 4 * 5 * 6  # of an input of 7 × 9 × 11 after the stride of 2
    by_hand = cells * 27 * 3 * 8 + cells * 27 * (8 // 4) * 8 + 8 * 5
    assert macs(small, {"rgb": (7, 9, 11)}, 5) == by_hand
    assert parameters(small, 5) == (27 * 3 * 8 + 8) + (27 * 2 * 8 + 8) + (8 * 5 + 5)


class Attention(torch.nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.values = torch.nn.Linear(3, 4, bias=False)
        self.head = torch.nn.Linear(4, classes, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.values(x.flatten(2).transpose(1, 2))[:, None]
        attended = torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        logits: torch.Tensor = self.head(attended.mean((1, 2)))
        return logits


def test_attention() -> None:
    tokens = 2 * 3 * 5
    by_hand = tokens * 3 * 4 + 2 * tokens * tokens * 4 + 4 * 6
    assert macs(Attention, {"rgb": (2, 3, 5)}, 6) == by_hand


def test_nothing_is_computed_or_kept() -> None:
    assert all(each.is_meta for each in on_meta(small, 5).parameters())


def convolutions_of_r3d(frames: int, side: int) -> Iterator[int]:
    """Multiply–accumulates of each convolution of R3D-18, as arXiv:1711.11248 has it (table 1)."""
    cells = frames * (side := -(-side // 2)) ** 2
    yield cells * 3 * 7 * 7 * 3 * 64
    inputs = 64
    for layer, width in enumerate((64, 128, 256, 512)):
        if layer > 0:
            frames, side = -(-frames // 2), -(-side // 2)
            yield frames * side**2 * inputs * width  # the shortcut
        cells = frames * side**2
        yield cells * 27 * inputs * width
        yield from [cells * 27 * width * width] * 3
        inputs = width


@pytest.mark.usefixtures("torchvision")
@pytest.mark.parametrize(("frames", "side"), [(16, 112), (9, 75)])
def test_r3d_by_hand(frames: int, side: int) -> None:
    counted = find_model("tv:r3d_18").model.macs
    assert counted is not None
    assert counted({"rgb": (frames, side, side)}, 400) == sum(convolutions_of_r3d(frames, side)) + 512 * 400


QUICK = {"r3d_18", "mvit_v1_b", "swin3d_t"}


@pytest.mark.usefixtures("torchvision")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in NETWORKS]
)
def test_as_published_on_16_frames(name: str) -> None:
    """torchvision counts on 16 frames, with which S3D and Video Swin are not used."""
    network = NETWORKS[name]
    figures = network.description.figures
    assert figures is not None
    builder = partial(build, network)
    crop = network.description.preprocessing.crop
    assert figures.gmacs_of == f"one view of 16 frames, {crop}×{crop}"
    assert figures.gmacs == round(macs(builder, {"rgb": (16, crop, crop)}, 400) / 1e9, 3)
    assert figures.parameters == parameters(builder, 400)


@pytest.mark.usefixtures("torchvision")
def test_s3d_takes_eight_times_what_is_published() -> None:
    network = NETWORKS["s3d"]
    frames = network.description.views.window
    assert frames == 128
    count = macs(partial(build, network), {"rgb": (frames, 224, 224)}, 400)
    assert count / 1e9 == pytest.approx(8 * 17.979, rel=0.001)
