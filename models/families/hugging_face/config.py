"""What config.json of a network says that a run has to know. It is a stranger's text, and checked as such."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ....errors import WeightsError
from ...labels import label_lists, labels
from ...weights.hugging_face.snapshot import CONFIG, read_object
from .architectures import ARCHITECTURES, NO_CLASSIFIERS, Architecture

_MOST_FRAMES: Final = 1024
_MOST_PIXELS: Final = 4096
_MOST_CLASSES: Final = 100_000
_MOST_VIEW_PIXELS: Final = 64 << 20
"""Of all frames of a view, 64 × 1024²: 0.8 GB as float32."""

_MOST_PATCHES: Final = 32_768
"""Of a view. Attention compares all with each other; V-JEPA 2 has 18,432 at 64 × 384²."""
_LONGEST_LABEL: Final = 500

_MOST: Final = MappingProxyType(
    {
        "num_hidden_layers": 64,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "mlp_ratio": 8,
        "num_attention_heads": 64,
        "num_pooler_layers": 16,
        "pred_num_hidden_layers": 32,
        "pred_hidden_size": 2048,
        "pred_mlp_ratio": 8,
        "pred_num_attention_heads": 64,
        "pred_num_mask_tokens": 1024,
        "pooler_output_size": 8192,
    }
)
"""Key of config.json → the largest value, about one and a half times that of the largest published network.

V-JEPA 2 giant has 40 layers of width 1408 with 22 heads. A network of more would keep a computer busy for
minutes, or fill its memory, before it is known to be of any use."""

_FOREIGN: Final = {
    "auto_map": "asks for Python code of its repository, which is never run",
    "quantization_config": "is of a quantised network, which is not supported",
    "transformers_weights": "names files of weights of its own, which are not read",
}
"""Key of config.json → what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Config:
    """A network as config.json describes it.

    - `architecture`: which network it is.
    - `frames`: of a view.
    - `side`: of its pictures, pixels.
    - `labels`: the name of a list of ours that has the same classes in the same order, or the classes.
    """

    architecture: Architecture
    frames: int
    side: int
    labels: str | tuple[str, ...]


def read_config(folder: Path) -> Config:
    """The network in a folder.

    - `folder`: with `config.json`.

    Raises WeightsError for a network that is not a supported video classifier, that wants its repository's
    code, whose values make no sense, or that is too large to be tried.
    """
    path = folder / CONFIG
    raw = read_object(path)
    for key, problem in _FOREIGN.items():
        if raw.get(key) is not None:
            raise WeightsError(f"`{key}`: {problem}", where=path)
    _refuse_kernels(raw, path)
    if (folder / "adapter_config.json").exists():
        raise WeightsError("is an adapter to another network, which is not supported", where=folder)
    architecture = _architecture(raw, path)
    channels = raw.get(architecture.channels, 3)
    if channels != 3:
        raise WeightsError(
            f"`{architecture.channels}`: videos have three channels", where=path, found=channels
        )
    frames = _whole(raw, architecture.frames, architecture.default_frames, _MOST_FRAMES, path)
    side = _side(raw, architecture, path)
    _bound_work(raw, architecture, frames * side**2, path)
    return Config(architecture, frames, side, _labels(raw, path))


def _bound_work(raw: dict[str, Any], architecture: Architecture, pixels: int, path: Path) -> None:
    """Raise WeightsError if a network is too large to be built, or a view, of `pixels` in all, for it."""
    for key, most in _MOST.items():
        if raw.get(key) is not None:
            _at_most(raw[key], key, most, path, fractions=key.endswith("_ratio"))
    if pixels > _MOST_VIEW_PIXELS:
        raise WeightsError(
            f"`{architecture.frames}` and `{architecture.side}` are too large together",
            where=path,
            expected=f"at most {_MOST_VIEW_PIXELS} pixels in a view",
            found=pixels,
        )
    patch = 1
    for key, default in architecture.patch.items():
        value = raw.get(key, default)
        sizes = tuple(value) if isinstance(value, list | tuple) else (value,) * len(default)
        if len(sizes) != len(default):
            raise WeightsError(
                f"`{key}` has an invalid value",
                where=path,
                expected=f"{len(default)} whole numbers",
                found=repr(value)[:80],
            )
        patch *= prod(int(_at_most(size, key, _MOST_PIXELS, path)) for size in sizes)
    if pixels > patch * _MOST_PATCHES:
        raise WeightsError(
            f"`{'`, `'.join(architecture.patch)}`: patches are too small for the pictures",
            where=path,
            expected=f"at most {_MOST_PATCHES} patches in a view",
            found=pixels // patch,
        )


def _refuse_kernels(raw: dict[str, Any], path: Path) -> None:
    """Raise WeightsError if a key names how something is computed: transformers would fetch compiled code."""
    for key, value in raw.items():
        named = "implementation" in key or "kernel" in key
        if named and not (value is None or isinstance(value, bool) or value in ("eager", "sdpa")):
            raise WeightsError(
                f"`{key}` asks for code to compute with, which is never fetched",
                where=path,
                found=repr(value)[:80],
            )


def _architecture(raw: dict[str, Any], path: Path) -> Architecture:
    kind = raw.get("model_type")
    known = ARCHITECTURES.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise WeightsError(
            NO_CLASSIFIERS.get(str(kind), "is not a supported network for classifying videos"),
            where=path,
            expected=f"`model_type` {', '.join(ARCHITECTURES)}",
            found=kind,
        )
    classes = raw.get("architectures")
    if classes != [known.network]:
        raise WeightsError(
            "is not a network with a trained classifier",
            where=path,
            expected=f"`architectures` [{known.network}]",
            found=classes,
            remedy="Name a checkpoint that was fine-tuned on classes of actions",
        )
    return known


def _whole(raw: dict[str, Any], key: str, default: int, most: int, path: Path) -> int:
    return int(_at_most(raw.get(key, default), key, most, path))


def _at_most(value: Any, key: str, most: int, path: Path, *, fractions: bool = False) -> float:
    """`value` if it is a whole number from 1 to `most`; with `fractions`, any number above 0 up to it."""
    number = isinstance(value, int | float if fractions else int) and not isinstance(value, bool)
    if not number or not (0 < value <= most if fractions else 1 <= value <= most):
        raise WeightsError(
            f"`{key}` has an invalid value",
            where=path,
            expected=f"a number above 0, at most {most}" if fractions else f"a whole number from 1 to {most}",
            found=repr(value)[:80],
        )
    return float(value) if fractions else value


def _side(raw: dict[str, Any], architecture: Architecture, path: Path) -> int:
    value = raw.get(architecture.side)
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        raw = raw | {architecture.side: value[0]}
    return _whole(raw, architecture.side, architecture.default_side, _MOST_PIXELS, path)


def _labels(raw: dict[str, Any], path: Path) -> str | tuple[str, ...]:
    named = raw.get("id2label")
    if (
        not isinstance(named, dict)
        or not 1 <= len(named) <= _MOST_CLASSES
        or set(named) != {str(number) for number in range(len(named))}
        or not all(
            isinstance(each, str) and 0 < len(each.strip()) <= _LONGEST_LABEL for each in named.values()
        )
    ):
        raise WeightsError(
            "`id2label` does not name the classes", where=path, expected='{"0": NAME, "1": NAME, …}'
        )
    names = tuple(named[str(number)].strip() for number in range(len(named)))
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise WeightsError("`id2label` names classes twice", where=path, found=", ".join(twice[:5]))
    return as_listed(names)


def as_listed(names: tuple[str, ...]) -> str | tuple[str, ...]:
    """The name of our list with the same classes in the same order; else the classes, spelled as we do.

    - `names`: of the classes, in the order of the outputs.

    Publishers spell the classes of Kinetics differently ("air_drumming", "Air drumming"). Where all names of
    a list occur, each by its letters and digits alone, they are ours; any other list stays as it is.
    """
    keys = [_letters(name) for name in names]
    for listed in label_lists():
        ours = {_letters(name): name for name in labels(listed)}
        if keys == list(ours):
            return listed
        if sorted(keys) == sorted(ours):
            return tuple(ours[key] for key in keys)
    return names


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
