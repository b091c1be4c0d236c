"""Tiny networks in the layout of Hugging Face, written without its libraries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

FRAMES, SIDE = 4, 32
LABELS = ("falling", "jogging", "walking")

_SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}

CONFIGS: dict[str, dict[str, Any]] = {
    "videomae": {
        "architectures": ["VideoMAEForVideoClassification"],
        "image_size": SIDE,
        "num_frames": FRAMES,
        **_SMALL,
    },
    "timesformer": {
        "architectures": ["TimesformerForVideoClassification"],
        "image_size": SIDE,
        "num_frames": FRAMES,
        **_SMALL,
    },
    "vivit": {
        "architectures": ["VivitForVideoClassification"],
        "image_size": SIDE,
        "num_frames": FRAMES,
        "tubelet_size": [2, 16, 16],
        **_SMALL,
    },
    "vjepa2": {
        "architectures": ["VJEPA2ForVideoClassification"],
        "crop_size": SIDE,
        "frames_per_clip": FRAMES,
        "hidden_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "mlp_ratio": 1,
        "num_pooler_layers": 1,
        "pred_hidden_size": 48,
        "pred_num_attention_heads": 2,
        "pred_num_hidden_layers": 1,
    },
}
"""model_type → the rest of a small config.json."""

PROCESSORS: dict[str, dict[str, Any]] = {
    "videomae": {
        "feature_extractor_type": "VideoMAEFeatureExtractor",
        "size": {"shortest_edge": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
    "timesformer": {
        "feature_extractor_type": "VideoMAEFeatureExtractor",
        "size": {"shortest_edge": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE},
        "image_mean": [0.45, 0.45, 0.45],
        "image_std": [0.225, 0.225, 0.225],
    },
    "vivit": {
        "image_processor_type": "VivitImageProcessor",
        "size": {"shortest_edge": 37},
        "crop_size": {"height": SIDE, "width": SIDE},
        "offset": True,
        "rescale_factor": 1 / 127.5,
    },
    "vjepa2": {"video_processor_type": "VJEPA2VideoProcessor", "crop_size": SIDE},
}
"""model_type → its processor's file."""


def write_folder(
    folder: Path,
    kind: str = "videomae",
    *,
    every: int | None = 2,
    config: dict[str, Any] | None = None,
    processor: dict[str, Any] | None = None,
    weights: bool = True,
) -> Path:
    """A folder of a network, and the YAML file beside it.

    - `kind`: model_type.
    - `every`: what the YAML file says; None: there is none.
    - `config`, `processor`: keys that replace those of the files; None removes one.
    - `weights`: whether there is a file of them: one tensor, which no network has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    named = {"id2label": {str(n): label for n, label in enumerate(LABELS)}}
    _write(folder / "config.json", {"model_type": kind, **CONFIGS[kind], **named, **(config or {})})
    _write(folder / "preprocessor_config.json", {**PROCESSORS[kind], **(processor or {})})
    if weights:
        (folder / "model.safetensors").write_bytes(save({"a": np.zeros(3, np.float32)}))
    if every is not None:
        folder.with_name(f"{folder.name}.yaml").write_text(f"every: {every}\n")
    return folder


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps({key: each for key, each in value.items() if each is not None}))
