"""What the publishers of networks on the Hub say of them that their files do not: sampling, views, figures.

Pipelines of transformers sample a whole video uniformly, whatever the network was trained on; here frames are
taken as their authors did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

from ...spec import PublishedFigures, Tail

_VALIDATION: Final = "Kinetics-400 validation set"


@dataclass(frozen=True, slots=True)
class Published:
    """A repository of the Hub.

    - `every`: of the frames at `rate` only every so many-th is used.
    - `clips`: windows of a video.
    - `crops`: squares of each window.
    - `average`: what of the views is averaged, "softmax" or "logits".
    - `sampling`: where the sampling is stated.
    - `figures`: what the weights of the repository's `main` reach so; None where the sampling here is not yet
      that of the accuracy.
    - `rate`: frames a second that videos are resampled to; None for their own frames.
    - `tail`: how a video shorter than a window fills it (`Views.tail`).
    """

    every: int
    clips: int
    crops: Literal[1, 3]
    average: Literal["softmax", "logits"]
    sampling: str
    figures: PublishedFigures | None
    rate: Fraction | None = None
    tail: Tail = "hold"


# https://github.com/MCG-NJU/VideoMAE at 26abf53: MODEL_ZOO.md (accuracies, clips and crops), and
# scripts/kinetics/*/finetune.sh: --num_frames 16 --sampling_rate 4 --test_num_segment 5 --test_num_crop 3.
# kinetics.py (loadvideo_decord, mode "test") repeats the last frame of a video that is too short;
# engine_for_finetuning.py averages softmax. Operations and parameters: the paper, arXiv:2203.12602,
# comparison on Kinetics-400.
def _videomae(top1: float, top5: float, gmacs: float, millions: int) -> Published:
    return Published(
        every=4,
        clips=5,
        crops=3,
        average="softmax",
        sampling="github.com/MCG-NJU/VideoMAE, scripts/kinetics/*/finetune.sh",
        figures=PublishedFigures(
            top1,
            top5,
            _VALIDATION,
            "github.com/MCG-NJU/VideoMAE, MODEL_ZOO.md",
            gmacs,
            "one view of 16 frames, 224×224",
            millions * 1_000_000,
        ),
    )


# https://github.com/facebookresearch/TimeSformer at 156de43: README.md (accuracies), and
# configs/Kinetics/TimeSformer_divST_*.yaml: SAMPLING_RATE, NUM_ENSEMBLE_VIEWS 1, NUM_SPATIAL_CROPS 3.
# timesformer/datasets/decoder.py (decode) takes 8 frames with equal steps from the first to the last of
# 32 × 8 frames at 30 a second, linspace(0, 255, 8): 36.4 frames apart, not 32. It repeats the last frame of a
# video that is too short. Its head ends with softmax in tests. Operations and parameters: table 2 of
# arXiv:2102.05095.
def _timesformer(classes: int, top1: float, top5: float) -> Published:
    return Published(
        every=1,
        rate=Fraction(30 * 7, 255),
        clips=1,
        crops=3,
        average="softmax",
        sampling="github.com/facebookresearch/TimeSformer, configs/Kinetics/TimeSformer_divST_8x32_224.yaml",
        figures=PublishedFigures(
            top1,
            top5,
            f"Kinetics-{classes} validation set",
            "github.com/facebookresearch/TimeSformer, README.md",
            590,
            "three views of 8 frames, 224×224",
            121_400_000,
        ),
    )


# https://github.com/google-research/scenic at 6aaa394, scenic/projects/vivit: README.md (79.9, 4x3 views) and
# configs/kinetics400/vivit_base_k400.py: num_frames 32, stride 2, num_test_clips 4, do_three_spatial_crops;
# train_utils.py (test_step) averages logits.
_VIVIT = Published(
    every=2,
    clips=4,
    crops=3,
    average="logits",
    tail="loop",
    sampling="github.com/google-research/scenic, projects/vivit/configs/kinetics400/vivit_base_k400.py",
    figures=PublishedFigures(
        79.9, None, _VALIDATION, "github.com/google-research/scenic, projects/vivit/README.md"
    ),
)


# https://github.com/facebookresearch/vjepa2 at 0d7ec65: configs/inference/*/*.yaml: frame_step, num_segments
# (clips), num_views_per_segment 3 (crops). evals/video_classification_frozen/eval.py averages softmax.
# src/datasets/video_dataset.py (loadvideo_decord) repeats the last frame of a video that is too short. It
# takes the frames of a clip a little further apart than frame_step, and where a video has room for all clips,
# clip i starts at i · ⌊frames / clips⌋. Neither is done here, so the README's accuracies (73.7 on
# Something-Something v2, 89.0 on Diving48) are not those of this sampling.
def _vjepa2(every: int, clips: int, config: str) -> Published:
    return Published(
        every=every,
        clips=clips,
        crops=3,
        average="softmax",
        sampling=f"github.com/facebookresearch/vjepa2, configs/inference/{config}.yaml",
        figures=None,
    )


PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "MCG-NJU/videomae-base-finetuned-kinetics": _videomae(80.9, 94.7, 180, 87),
        "MCG-NJU/videomae-base-short-finetuned-kinetics": _videomae(79.4, 94.1, 180, 87),
        "MCG-NJU/videomae-large-finetuned-kinetics": _videomae(84.7, 96.5, 597, 305),
        "facebook/timesformer-base-finetuned-k400": _timesformer(400, 77.9, 93.2),
        "facebook/timesformer-base-finetuned-k600": _timesformer(600, 79.1, 94.4),
        "google/vivit-b-16x2-kinetics400": _VIVIT,
        "facebook/vjepa2-vitl-fpc16-256-ssv2": _vjepa2(4, 2, "vitl/ssv2"),
        "facebook/vjepa2-vitl-fpc32-256-diving48": _vjepa2(2, 4, "vitl/diving48"),
    }
)
"""Repository → what is published of it."""
