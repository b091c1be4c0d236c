"""How a network's pixels are prepared, from the JSON file of its processor.

The values are those of the image and video processors of transformers 5.24. Their backend that needs no
torchvision is followed to the pixel: Pillow's filters, as when the published networks were tested; the one on
torchvision rounds differently, by a grey level at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from ....errors import WeightsError
from ...spec import Preprocessing
from ...weights.hugging_face.snapshot import read_object

FILES: Final = ("video_preprocessor_config.json", "preprocessor_config.json")
"""Where it may stand; the first that there is counts."""

_MOST_PIXELS: Final = 8192
_MOST_CROPS: Final = 4
"""Largest size before the crop, as a multiple of the crop: every frame of a video is held at that size.
Published networks have at most 292 before 256, or 256 before 224."""

_HALF: Final = (0.5, 0.5, 0.5)
_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_STD: Final = (0.229, 0.224, 0.225)

# PIL.Image.Resampling
_FILTERS: Final[dict[int, Literal["pillow-bilinear", "pillow-bicubic"]]] = {
    2: "pillow-bilinear",
    3: "pillow-bicubic",
}


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor's values where its file does not say them.

    - `short_side`, `crop`: pixels.
    - `scale`: factor on pixels 0–255.
    - `mean`, `std`: by channel.
    - `offset`: whether 1 is subtracted after scaling.
    """

    short_side: int = 224
    crop: int = 224
    scale: float = 1 / 255
    mean: tuple[float, float, float] = _HALF
    std: tuple[float, float, float] = _HALF
    offset: bool = False


PROCESSORS: Final = {
    "VideoMAE": Processor(),
    "Timesformer": Processor(mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
    "Vivit": Processor(short_side=256, scale=1 / 127.5, offset=True),
    "VJEPA2": Processor(short_side=292, crop=256, mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
}
"""Processor, without the end of its class's name → its default values."""

_TYPES: Final = ("video_processor_type", "image_processor_type", "feature_extractor_type")
_ENDS: Final = (
    "VideoProcessor",
    "ImageProcessorFast",
    "ImageProcessorPil",
    "ImageProcessor",
    "FeatureExtractor",
)


def read_preprocessing(folder: Path, side: int) -> Preprocessing:
    """How the pixels of a network are prepared: everything but the frames, of which all are used.

    - `folder`: of the network.
    - `side`: of the pictures that the network takes, pixels.

    Raises WeightsError if there is no file of a known processor, or it says something that cannot be done.
    """
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise WeightsError("does not say how pixels are prepared", where=folder, expected=" or ".join(FILES))
    raw = read_object(path)
    if raw.get("auto_map") is not None:
        raise WeightsError(
            "`auto_map` asks for Python code of its repository, which is never run", where=path
        )
    values = _Values(raw, path)
    kind, defaults = values.processor()
    if not values.flag("do_resize"):
        values.refuse("do_resize", "true: networks need pictures of one size")
    crop = values.square("crop_size", defaults.crop)
    if kind == "VJEPA2":
        # Its class computes the size, whatever the file says (VJEPA2VideoProcessor.__init__).
        short_side, stretch = int(crop * 256 / 224), None
    else:
        short_side, stretch = values.size(defaults.short_side)
    if not values.flag("do_center_crop"):
        if stretch is None or stretch[0] != stretch[1]:
            values.refuse("do_center_crop", "true, or a `size` with the same height and width")
        crop = stretch[0]
    if crop > min(stretch or (short_side,)):
        values.refuse("crop_size", f"at most {min(stretch or (short_side,))}, the size before it")
    if (largest := max(stretch or (short_side,))) > _MOST_CROPS * crop:
        values.refuse("size", f"at most {_MOST_CROPS * crop}, {_MOST_CROPS} times the crop, not {largest}")
    if crop != side:
        values.refuse("crop_size", f"{side}, the side of the network's pictures")
    rescaled, normalised = values.flag("do_rescale"), values.flag("do_normalize")
    mean = values.three("image_mean", defaults.mean) if normalised else (0.0, 0.0, 0.0)
    std = values.three("image_std", defaults.std, positive=True) if normalised else (1.0, 1.0, 1.0)
    if rescaled and values.offset(defaults):
        # (pixel * scale - 1 - mean) / std
        mean = (mean[0] + 1, mean[1] + 1, mean[2] + 1)
    return Preprocessing(
        modality="rgb",
        rate=None,
        short_side=None if stretch else short_side,
        resize=values.filter(),
        long_side="floor",
        crop=crop,
        crop_offset="floor",
        scale=values.positive("rescale_factor", defaults.scale) if rescaled else 1.0,
        mean=mean,
        std=std,
        stretch=stretch,
    )


@dataclass(frozen=True, slots=True)
class _Values:
    """The fields of a processor's file `path`, each checked as it is read."""

    raw: dict[str, Any]
    path: Path

    def refuse(self, key: str, expected: str) -> NoReturn:
        found = repr(self.raw.get(key, "nothing"))[:80]
        raise WeightsError(f"`{key}` has an invalid value", where=self.path, expected=expected, found=found)

    def processor(self) -> tuple[str, Processor]:
        named = str(next((self.raw[key] for key in _TYPES if self.raw.get(key)), ""))
        kind = next((named.removesuffix(end) for end in _ENDS if named.endswith(end)), named)
        if kind not in PROCESSORS:
            raise WeightsError(
                "is of a processor that is not known",
                where=self.path,
                expected=f"`{_TYPES[0]}` or `{_TYPES[1]}` of {', '.join(PROCESSORS)}",
                found=named or None,
            )
        return kind, PROCESSORS[kind]

    def flag(self, key: str) -> bool:
        value = self.raw.get(key)
        if value is not None and not isinstance(value, bool):
            self.refuse(key, "true or false")
        return value is not False

    def offset(self, defaults: Processor) -> bool:
        if not defaults.offset or self.raw.get("video_processor_type"):
            return defaults.offset  # only the image processor reads the key
        return self.flag("offset")

    def pixels(self, key: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_PIXELS:
            self.refuse(key, f"whole numbers from 1 to {_MOST_PIXELS}")
        return int(value)

    def square(self, key: str, default: int) -> int:
        value = self.raw.get(key)
        if isinstance(value, dict):
            if value.keys() != {"height", "width"} or value["height"] != value["width"]:
                self.refuse(key, "a height and the same width")
            value = value["height"]
        return self.pixels(key, default if value is None else value)

    def size(self, default: int) -> tuple[int, tuple[int, int] | None]:
        """The short side, and (height, width) of a stretched picture."""
        value = self.raw.get("size")
        if isinstance(value, dict):
            # transformers writes the keys that it does not use as null.
            value = {key: each for key, each in value.items() if each is not None}
            if value.keys() == {"height", "width"}:
                stretch = self.pixels("size", value["height"]), self.pixels("size", value["width"])
                return min(stretch), stretch
            if value.keys() != {"shortest_edge"}:
                self.refuse("size", "shortest_edge, or height and width")
            value = value["shortest_edge"]
        return self.pixels("size", default if value is None else value), None

    def filter(self) -> Literal["pillow-bilinear", "pillow-bicubic"]:
        value = self.raw.get("resample")
        number = 2 if value is None else value
        if isinstance(number, bool) or number not in _FILTERS:
            self.refuse("resample", "2 (bilinear) or 3 (bicubic)")
        return _FILTERS[number]

    def number(self, key: str, value: Any, positive: bool) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.refuse(key, "finite numbers")
        if positive and value <= 0:
            self.refuse(key, "positive numbers")
        return float(value)

    def positive(self, key: str, default: float) -> float:
        value = self.raw.get(key)
        return self.number(key, default if value is None else value, positive=True)

    def three(
        self, key: str, default: tuple[float, float, float], positive: bool = False
    ) -> tuple[float, float, float]:
        value = self.raw.get(key)
        if value is None:
            return default
        values = value if isinstance(value, list) else [value] * 3
        if len(values) != 3:
            self.refuse(key, "a number, or three")
        red, green, blue = (self.number(key, each, positive) for each in values)
        return red, green, blue
