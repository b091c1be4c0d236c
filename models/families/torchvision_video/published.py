"""torchvision's video networks: what is published of their weights, without importing torchvision.

All values are those of torchvision 0.28, `torchvision/models/video/{resnet,s3d,mvit,swin_transformer}.py`:
of each `…_Weights` the `url`, the `transforms` and the `meta` ("num_params", "_metrics", "_ops", and in
"_docs" frame rate, frames and clips of a video). A test compares them with the library
(`tests/models/families/torchvision_video/test_torchvision_published.py`).

- Resizing is `transforms/_presets.py:VideoClassification`: bilinear without antialiasing. It stretches where
  two sizes are given.
- Clips are cut out evenly spaced (`datasets/samplers/clip_sampler.py:UniformClipSampler`), and the softmax of
  their logits is averaged (`references/video_classification/train.py:evaluate`).
- "_ops" are counted on 16 frames for every network (`test/common_extended_utils.py` in the repository), also
  where the accuracy is that of 32 or 128 frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from ...spec import Preprocessing, PublishedFigures, Views, WeightsDescription
from ...transforms import Triple

ADDRESS: Final = "https://download.pytorch.org/models/"
"""What the names of the published files are appended to."""

_DOCUMENTATION: Final = "https://docs.pytorch.org/vision/0.28/models.html#video-classification"

_STRETCHED: Final = Preprocessing(
    modality="rgb",
    rate=Fraction(15),
    short_side=None,
    stretch=(128, 171),
    resize="torch-bilinear",
    long_side="floor",
    crop=112,
    # `center_crop` rounds half of the margin as Python does.
    crop_offset="half-even",
    scale=1 / 255,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
)
_LARGER: Final = replace(_STRETCHED, stretch=(256, 256), crop=224)
_KEPT: Final = replace(_LARGER, short_side=256, stretch=None)
_MVIT: Final = replace(_KEPT, rate=Fraction(15, 2), mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225))
_SWIN: Final = replace(_KEPT, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

# README of pytorch/vision, "Pre-trained Model License": the weights may have licences or terms of their own,
# derived from the data that they were trained on.
_OWN: Final = "not stated (torchvision's code: BSD-3-Clause)"
# From SlowFast, pytorchvideo and Video-Swin-Transformer, whose licence that is.
_PORTED: Final = "not stated by torchvision; ported from a project under Apache-2.0"

_R21D_PAPER: Final = "Tran et al., CVPR 2018, arXiv:1711.11248"
_SWIN_PAPER: Final = "Liu et al., CVPR 2022, arXiv:2106.13230"


@dataclass(frozen=True, slots=True)
class TorchvisionNetwork:
    """One set of weights of torchvision, and the network that they are for.

    - `name`: behind "tv:".
    - `builder`: the function in `torchvision.models.video`.
    - `title`: e.g. "R(2+1)D-18 (torchvision)".
    - `file`: the name of the published file; behind its hyphen are the first digits of its SHA-256
      (`torch.hub.load_state_dict_from_url` checks them).
    - `head`: the name of the bias whose length is the number of classes.
    - `description`: of the weights.
    - `min_side`: least height and width in pixels.
    - `size`: (T, H, W) of the one input that it is used with; None where it takes others.
    """

    name: str
    builder: str
    title: str
    file: str
    head: str
    description: WeightsDescription
    min_side: int = 1
    size: Triple | None = None


def _network(
    title: str,
    file: str,
    head: str,
    preprocessing: Preprocessing,
    views: tuple[int, int],
    top1: float,
    top5: float,
    gmacs: float,
    parameters: int,
    paper: str,
    licence: str = _OWN,
    min_frames: int = 1,
    min_side: int = 1,
    one_size: bool = False,
    name: str = "",
) -> TorchvisionNetwork:
    """`views`: frames of a clip, and clips of a video. `name`: where it is not the builder's."""
    frames, clips = views
    builder = file.partition("-")[0].removesuffix("_1k").removesuffix("_22k")
    name = name or builder
    return TorchvisionNetwork(
        name=name,
        builder=builder,
        title=f"{title} (torchvision)",
        file=file,
        head=head,
        description=WeightsDescription(
            name=f"tv:{name}",
            stream="rgb",
            format="torchvision",
            preprocessing=preprocessing,
            views=Views(
                window=frames,
                stride=None,
                tail="loop",
                average="softmax",
                min_frames=min_frames,
                clips=clips,
            ),
            labels="kinetics-400",
            licence=licence,
            source=_DOCUMENTATION,
            paper=paper,
            figures=PublishedFigures(
                top1,
                top5,
                "Kinetics-400 validation set",
                _DOCUMENTATION,
                gmacs=gmacs,
                gmacs_of=f"one view of 16 frames, {preprocessing.crop}×{preprocessing.crop}",
                parameters=parameters,
            ),
        ),
        min_side=min_side,
        size=(frames, preprocessing.crop, preprocessing.crop) if one_size else None,
    )


def _of_18_layers(title: str, file: str, *figures: float, parameters: int) -> TorchvisionNetwork:
    top1, top5, gmacs = figures
    return _network(title, file, "fc.bias", _STRETCHED, (16, 5), top1, top5, gmacs, parameters, _R21D_PAPER)


def _mvit(title: str, file: str, *figures: float, parameters: int, paper: str) -> TorchvisionNetwork:
    top1, top5, gmacs = figures
    return _network(
        title,
        file,
        "head.1.bias",
        _MVIT,
        (16, 5),
        top1,
        top5,
        gmacs,
        parameters,
        paper,
        _PORTED,
        min_frames=16,
        # Its embeddings of positions are those of one size.
        one_size=True,
    )


def _swin(title: str, file: str, *figures: float, parameters: int, name: str = "") -> TorchvisionNetwork:
    top1, top5, gmacs = figures
    return _network(
        title,
        file,
        "head.bias",
        _SWIN,
        (32, 12),
        top1,
        top5,
        gmacs,
        parameters,
        _SWIN_PAPER,
        _PORTED,
        min_frames=32,
        # It would take others, but its graph would not: sizes are computed with in Python.
        one_size=True,
        name=name,
    )


_ALL: Final = (
    _of_18_layers("R3D-18", "r3d_18-b3b3357e.pth", 63.200, 83.479, 40.697, parameters=33371472),
    _of_18_layers("MC3-18", "mc3_18-a90a0ba3.pth", 63.960, 84.130, 43.343, parameters=11695440),
    _of_18_layers("R(2+1)D-18", "r2plus1d_18-91a641e6.pth", 67.463, 86.175, 40.519, parameters=31505325),
    _network(
        "S3D",
        "s3d-d76dad2f.pth",
        "classifier.1.bias",
        _LARGER,
        (128, 1),
        68.368,
        88.050,
        17.979,
        8320048,
        "Xie et al., ECCV 2018, arXiv:1712.04851",
        # "min_size" and "min_temporal_size" of its weights: its average pool is one of 2×7×7.
        min_frames=14,
        min_side=224,
    ),
    _mvit(
        "MViT v1 B",
        "mvit_v1_b-dbeb1030.pth",
        78.477,
        93.582,
        70.599,
        parameters=36610672,
        paper="Fan et al., ICCV 2021, arXiv:2104.11227",
    ),
    _mvit(
        "MViT v2 S",
        "mvit_v2_s-ae3be167.pth",
        80.757,
        94.665,
        64.224,
        parameters=34537744,
        paper="Li et al., CVPR 2022, arXiv:2112.01526",
    ),
    _swin("Video Swin T", "swin3d_t-7615ae03.pth", 77.715, 93.519, 43.882, parameters=28158070),
    _swin("Video Swin S", "swin3d_s-da41c237.pth", 79.521, 94.158, 82.841, parameters=49816678),
    _swin("Video Swin B", "swin3d_b_1k-24f7c7c6.pth", 79.427, 94.386, 140.667, parameters=88048984),
    _swin(
        "Video Swin B, first trained on ImageNet-22k",
        "swin3d_b_22k-7c6ae6fa.pth",
        81.643,
        95.574,
        140.667,
        parameters=88048984,
        name="swin3d_b_22k",
    ),
)

NETWORKS: Final[Mapping[str, TorchvisionNetwork]] = MappingProxyType({each.name: each for each in _ALL})
"""Name behind "tv:" → network. `swin3d_b_22k` is `swin3d_b` with the weights that began with ImageNet-22k."""
