"""A user's description of a file of weights, in a YAML file in the same folder: `<file>.yaml`."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, get_args

from ...errors import UsageError, WeightsError, did_you_mean
from ...parsing import parse_fraction, parse_yaml
from ...typed_values import typed
from ..labels import label_lists
from ..spec import (
    Average,
    Colour,
    Crops,
    Filter,
    Offset,
    Preprocessing,
    PublishedFigures,
    Rounding,
    Tail,
    Views,
    WeightsDescription,
)
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

    The file's keys are the fields of `Preprocessing` (but not the modality), of `Views` (but not the fewest
    frames, which the network sets) and of `WeightsDescription` (but not the stream), all optional, and
    `like`, the name of published weights that replace `assumed`. Where `assumed` has a `short_side`, a
    `stretch` takes its place, and the other way round; a `stride` takes that of `clips`. Raises WeightsError
    for an unknown key or an invalid value.
    """
    path = sidecar_path(weights)
    raw = fields_of(path)
    if raw is None:
        return assumed
    require_known(raw, CHECKS, path)
    values = checked(raw, path)
    base = _base(values.pop("like", None), assumed, path)
    _fits_modality(values, base.preprocessing, path)
    for one, other in (("short_side", "stretch"), ("stretch", "short_side"), ("stride", "clips")):
        if values.get(one) is not None:
            values.setdefault(other, None)
    prepared, views, stated = (
        {key: value for key, value in values.items() if key in names}
        for names in (_PREPROCESSING, _VIEWS, CHECKS.keys() - _PREPROCESSING - _VIEWS)
    )
    # What is published of the authors' file does not hold for another one with the same preprocessing.
    unpublished: dict[str, Any] = {"accuracy": "", "figures": None}
    try:
        return replace(
            base,
            **(unpublished | stated),
            preprocessing=replace(base.preprocessing, **prepared),
            views=replace(base.views, min_frames=assumed.views.min_frames, **views),
        )
    except UsageError as error:
        raise in_file(error, path) from error


def fields_of(path: Path) -> dict[Any, Any] | None:
    """The fields in a YAML file, not checked; None without such a file.

    Raises WeightsError if it cannot be read or is no mapping.
    """
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WeightsError(f"is not YAML that can be read: {error}", where=path) from error
    if not isinstance(raw, dict):
        raise WeightsError("is not a mapping of fields", where=path, found=type(raw).__name__)
    return raw


def require_known(raw: Iterable[Any], known: Collection[str], path: Path) -> None:
    """Raise WeightsError for a field of the YAML file `path` that is not one of those that are `known`."""
    for key in raw:
        if key not in known:
            raise WeightsError(
                f"unknown field '{key}'",
                where=path,
                remedy=f"{did_you_mean(str(key), known)}Known: {', '.join(known)}",
            )


def checked(raw: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What fields that describe weights mean.

    - `raw`: field, a key of CHECKS → value, as it was read.
    - `path`: of the file, which errors name, and beside which a file of labels lies.

    Raises WeightsError for an invalid value.
    """
    return {key: _checked(key, value, path) for key, value in raw.items()}


def in_file(error: UsageError, path: Path) -> WeightsError:
    """The error for fields of the YAML file `path` that make no sense together, as `spec` found them."""
    return WeightsError(
        error.what if error.where is None else f"{error.where}: {error.what}",
        where=path,
        expected=error.expected,
        found=error.found,
    )


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
    foreign = {"scale", "mean", "std", "colour"} if base.modality == "flow" else {"flow_bound"}
    for key in foreign & set(prepared):
        raise WeightsError(f"'{key}' does not apply to {base.modality} weights", where=path)


def _checked(key: str, value: Any, path: Path) -> Any:
    expected, check = CHECKS[key]
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
    # The description may come from others, and what a file says would be shown as names of classes.
    if "\0" in value or not file.resolve().is_relative_to(path.resolve().parent):
        raise WeightsError(
            "names a file of labels outside its folder, which is not opened",
            where=path,
            found=repr(value),
            remedy=f"Copy the file beside {path.name}.",
        )
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


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TypeError
    return value


def _whole_or_none(value: Any) -> int | None:
    return None if value is None else _whole(value)


def _size(value: Any) -> tuple[int, int]:
    height, width = value
    return _whole(height), _whole(width)


def _factor(value: Any) -> float:
    # YAML takes "1e-3", without a point, for text too.
    return _positive(float(parse_fraction(value)) if isinstance(value, str) else value)


def _figures(value: Any) -> PublishedFigures:
    return typed(PublishedFigures, value)


def _rate(value: Any) -> Fraction | None:
    if value is None:
        return None
    rate = (
        parse_fraction(value)
        if isinstance(value, str)
        else Fraction(_positive(value)).limit_denominator(1001)
    )
    if rate <= 0:
        raise ValueError
    return rate


def _channels(check: Callable[[Any], float]) -> Callable[[Any], tuple[float, float, float]]:
    def three(value: Any) -> tuple[float, float, float]:
        red, green, blue = value
        return check(red), check(green), check(blue)

    return three


def _one_of(names: Collection[Any]) -> tuple[str, Callable[[Any], Any]]:
    def known(value: Any) -> Any:
        if isinstance(value, bool) or value not in names:
            raise ValueError
        return value

    return " or ".join(map(str, names)), known


CHECKS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "like": ("the name of published weights", _text),
    "name": ("a name", _text),
    "format": _one_of(FORMATS),
    "labels": ("the name of a list of labels, a text file, or the labels themselves", _text),
    "licence": ("text", _text),
    "source": ("text", _text),
    "paper": ("text", _text),
    "accuracy": ("text", _text),
    "figures": (
        "top1 and top5 (percent, top5 may be null), data, source; also gmacs, gmacs_of, parameters",
        _figures,
    ),
    "rate": ("frames a second, such as 25 or 30000/1001, or null for the video's own", _rate),
    "every": ("a number of frames", _whole),
    "short_side": ("a number of pixels", _whole),
    "stretch": ("[height, width] in pixels", _size),
    "resize": _one_of(get_args(Filter)),
    "long_side": _one_of(get_args(Rounding)),
    "crop": ("a number of pixels", _whole),
    "crop_offset": _one_of(get_args(Offset)),
    "colour": _one_of(get_args(Colour)),
    "scale": ("a positive number, such as 2 or 1/255", _factor),
    "mean": ("three numbers, for red, green and blue", _channels(_number)),
    "std": ("three positive numbers, for red, green and blue", _channels(_positive)),
    "flow_bound": ("a positive number of pixels", _positive),
    "window": ("a number of frames, or null for the whole video in one pass", _whole_or_none),
    "stride": ("a number of frames", _whole),
    "clips": ("a number of windows, or null for as many as `stride` gives", _whole_or_none),
    "crops": _one_of(get_args(Crops)),
    "tail": _one_of(get_args(Tail)),
    "average": _one_of(get_args(Average)),
    "single": ("a number of frames", _whole),
}
"""Field → what is expected, in words, and a function from a value to what it means."""

_PREPROCESSING: Final = {field.name for field in fields(Preprocessing)}
_VIEWS: Final = {field.name for field in fields(Views)}
