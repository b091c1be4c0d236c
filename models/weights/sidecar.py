"""A user's description of a file of weights, in a YAML file in the same folder: `<file>.yaml`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from ...errors import UsageError, WeightsError, did_you_mean
from ...parsing import parse_yaml
from ..labels import label_lists
from ..spec import Preprocessing, WeightsDescription
from .descriptions import description as published
from .formats.readers import FORMATS


def sidecar_path(weights: Path) -> Path:
    """The file that describes `weights`, a file, a folder, or the prefix of a checkpoint."""
    return weights.with_name(f"{weights.name}.yaml")


def states(weights: Path, *keys: str) -> bool:
    """Whether a YAML file beside weights, which `described` has read, has one of the keys."""
    try:
        raw = parse_yaml(sidecar_path(weights).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return isinstance(raw, dict) and any(key in raw for key in keys)


def described(assumed: WeightsDescription, weights: Path) -> WeightsDescription:
    """The description of weights, with the changes of the YAML file beside them, if there is one.

    - `assumed`: the description without such a file.
    - `weights`: path of the weights.

    The file's keys are the fields of `Preprocessing` (but not the modality) and of `WeightsDescription` (but
    not the stream), all optional, and `like`, the name of published weights that replace `assumed`. Raises
    WeightsError for an unknown key or an invalid value.
    """
    path = sidecar_path(weights)
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return assumed
    except ValueError as error:
        raise WeightsError(f"is not YAML that can be read: {error}", where=path) from error
    if not isinstance(raw, dict):
        raise WeightsError("is not a mapping of fields", where=path, found=type(raw).__name__)
    for key in raw:
        if key not in _CHECKS:
            raise WeightsError(
                f"unknown field '{key}'",
                where=path,
                remedy=f"{did_you_mean(str(key), _CHECKS)}Known: {', '.join(_CHECKS)}",
            )
    values = {key: _checked(key, value, path) for key, value in raw.items()}
    base = _base(values.pop("like", None), assumed, path)
    prepared = {key: value for key, value in values.items() if key in _PREPROCESSING}
    _fits_modality(prepared, base.preprocessing, path)
    stated = {key: value for key, value in values.items() if key not in _PREPROCESSING}
    # The authors' accuracy is not that of another file with the same preprocessing.
    return replace(base, **({"accuracy": ""} | stated), preprocessing=replace(base.preprocessing, **prepared))


def _base(like: str | None, assumed: WeightsDescription, path: Path) -> WeightsDescription:
    if like is None:
        return assumed
    try:
        base = published(like)
    except UsageError as error:
        raise WeightsError(error.what, where=path, remedy=error.remedy) from error
    if base.stream != assumed.stream:
        raise WeightsError(
            "`like` names weights of another stream", where=path, expected=assumed.stream, found=base.stream
        )
    return replace(base, name=assumed.name, format=assumed.format)


def _fits_modality(prepared: dict[str, Any], base: Preprocessing, path: Path) -> None:
    foreign = {"scale", "mean", "std"} if base.modality == "flow" else {"flow_bound"}
    for key in foreign & set(prepared):
        raise WeightsError(f"'{key}' does not apply to {base.modality} weights", where=path)


def _checked(key: str, value: Any, path: Path) -> Any:
    expected, check = _CHECKS[key]
    try:
        if key == "labels":
            return _labels(value, path)
        return check(value)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
        raise WeightsError(
            f"'{key}' has an invalid value", where=path, expected=expected, found=value
        ) from error


def _labels(value: Any, path: Path) -> str | tuple[str, ...]:
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return tuple(value)
    if not isinstance(value, str):
        raise TypeError
    if value in label_lists():
        return value
    file = path.parent / value
    if not file.is_file():
        raise WeightsError("there is no such file of labels", where=path, found=file)
    return str(file)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _positive(value: Any) -> float:
    if _number(value) <= 0:
        raise ValueError
    return float(value)


def _pixels(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TypeError
    return value


def _rate(value: Any) -> Fraction | None:
    if value is None:
        return None
    rate = Fraction(value) if isinstance(value, str) else Fraction(_positive(value)).limit_denominator(1001)
    if rate <= 0:
        raise ValueError
    return rate


def _channels(check: Callable[[Any], float]) -> Callable[[Any], tuple[float, float, float]]:
    def three(value: Any) -> tuple[float, float, float]:
        red, green, blue = value
        return check(red), check(green), check(blue)

    return three


def _one_of(*names: str) -> Callable[[Any], str]:
    def known(value: Any) -> str:
        if value not in names:
            raise ValueError
        return str(value)

    return known


_CHECKS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "like": ("the name of published weights", _text),
    "name": ("a name", _text),
    "format": (f"one of {', '.join(FORMATS)}", _one_of(*FORMATS)),
    "labels": ("the name of a list of labels, a text file, or the labels themselves", _text),
    "licence": ("text", _text),
    "source": ("text", _text),
    "paper": ("text", _text),
    "accuracy": ("text", _text),
    "rate": ("frames a second, such as 25 or 30000/1001, or null for the video's own", _rate),
    "short_side": ("a number of pixels", _pixels),
    "every": ("a number of frames, 1 or more", _pixels),
    "resize": (
        "opencv-bilinear, pillow-bilinear or pillow-bicubic",
        _one_of("opencv-bilinear", "pillow-bilinear", "pillow-bicubic"),
    ),
    "long_side": ("round or floor", _one_of("round", "floor")),
    "crop": ("a number of pixels", _pixels),
    "crop_offset": ("floor or half-even", _one_of("floor", "half-even")),
    "scale": ("a positive number", _positive),
    "mean": ("three numbers, for red, green and blue", _channels(_number)),
    "std": ("three positive numbers, for red, green and blue", _channels(_positive)),
    "flow_bound": ("a positive number of pixels", _positive),
}
_PREPROCESSING: Final = {field.name for field in fields(Preprocessing)}
