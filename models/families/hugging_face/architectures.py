"""The video classification networks of transformers that are supported, and what each takes as input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Architecture:
    """A class of transformers that classifies videos. All take (N, T, C, H, W), pictures of one size.

    - `title`: of the network.
    - `network`: name of the class, as `architectures` in config.json has it.
    - `paper`: citation.
    - `frames`, `default_frames`: key of config.json with the number of frames, and the number without it.
    - `side`, `default_side`: the same of the picture's side in pixels.
    - `patch`: keys with the size of a patch, and the sizes without them: (frames, height, width) together.
    - `channels`: key with the number of colour channels.
    - `pixels`: name of the input in the network's call.
    - `attention`: how its attention is computed by default, in transformers' words.
    - `any_frames`: whether it takes other numbers of frames than its own.
    """

    title: str
    network: str
    paper: str
    frames: str = "num_frames"
    default_frames: int = 16
    side: str = "image_size"
    default_side: int = 224
    patch: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: MappingProxyType({"tubelet_size": (2,), "patch_size": (16, 16)})
    )
    channels: str = "num_channels"
    pixels: str = "pixel_values"
    attention: str = "sdpa"
    any_frames: bool = False


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "videomae": Architecture(
            "VideoMAE",
            "VideoMAEForVideoClassification",
            "Tong et al., NeurIPS 2022, arXiv:2203.12602",
        ),
        "timesformer": Architecture(
            "TimeSformer",
            "TimesformerForVideoClassification",
            "Bertasius, Wang and Torresani, ICML 2021, arXiv:2102.05095",
            default_frames=8,
            patch=MappingProxyType({"patch_size": (16, 16)}),
            # transformers has no other for it.
            attention="eager",
            any_frames=True,
        ),
        "vivit": Architecture(
            "ViViT",
            "VivitForVideoClassification",
            "Arnab et al., ICCV 2021, arXiv:2103.15691",
            default_frames=32,
            patch=MappingProxyType({"tubelet_size": (2, 16, 16)}),
        ),
        "vjepa2": Architecture(
            "V-JEPA 2",
            "VJEPA2ForVideoClassification",
            "Assran et al., 2025, arXiv:2506.09985",
            frames="frames_per_clip",
            default_frames=64,
            side="crop_size",
            default_side=256,
            channels="in_chans",
            pixels="pixel_values_videos",
            any_frames=True,
        ),
    }
)
"""`model_type` in config.json → architecture. Names and defaults: configuration_*.py of transformers 5.24."""

NO_CLASSIFIERS: Mapping[str, str] = MappingProxyType(
    {"xclip": "X-CLIP compares videos with texts: it has no outputs for classes"}
)
"""`model_type` of networks that are taken for video classifiers → why they are none."""
