"""The YAML file beside an ONNX file: what its video and its scores are, checked against the graph."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from onnx import GraphProto, TensorProto

from ....errors import UsageError, WeightsError
from ....typed_values import typed
from ...labels import labels
from ...spec import Preprocessing, Views, WeightsDescription
from ...weights.sidecar import CHECKS, checked, fields_of, in_file, require_known, sidecar_path
from .examples import inputs_in_words, last_operator, missing_lines
from .interface import GraphFields, Interface, read_interface

FORMAT = "onnx"
"""`WeightsDescription.format` of a network in an ONNX file."""

_ABOUT_GRAPH = tuple(field.name for field in fields(GraphFields))
_PREPROCESSING = {field.name for field in fields(Preprocessing)}
_VIEWS = {field.name for field in fields(Views)}

_ABOUT_WEIGHTS = tuple(
    key for key in CHECKS if key not in ("like", "format", "flow_bound", "modality", "single", "min_frames")
)
"""What such a file shares with the description of weights. A view has the one length that it names."""

_NAME = re.compile(r"[^\W_][\w.+-]{0,63}")
"""Of a network: it becomes part of file names, and a name on the command line."""


@dataclass(frozen=True, slots=True)
class FileDescription:
    """What is known of an ONNX file.

    - `name`: of the network, in reports. `weights`: how pixels are prepared, views, labels, and so on.
    - `interface`: of its graph. `scores`, `answer`: see `GraphFields`.
    """

    name: str
    weights: WeightsDescription
    interface: Interface
    scores: Literal["logits", "probabilities"]
    answer: Literal["last", "mean"] | None


def describe(file: Path, graph: GraphProto) -> FileDescription:
    """What the YAML file beside `file` and the graph in it say together.

    Raises WeightsError, one for all that is missing, for unknown fields and invalid values, and where the two
    files contradict each other; UsageError for a list of labels that cannot be read.
    """
    path = sidecar_path(file)
    raw = fields_of(path)
    about = _about_graph(raw or {}, path)
    values = checked({key: value for key, value in (raw or {}).items() if key in _ABOUT_WEIGHTS}, path)
    interface = None
    if about.layout is not None:
        interface = read_interface(graph, about, file, path)
        values = _with_sizes(values, interface, path)
    missing = missing_lines(values, about, graph, interface)
    if missing:
        lines = "\n".join(f"{key}: {value}" for key, value in missing.items())
        raise WeightsError(
            f"{'there is no such file, which has to say' if raw is None else 'lacks'} {', '.join(missing)}",
            where=path,
            found=f"in the ONNX file: {inputs_in_words(graph)}",
            remedy="docs/onnx-files.md says what each means. Write lines such as these into it, with the "
            f"values of your network:\n{lines}",
        )
    assert interface is not None, "the layout is one of what may be missing"
    assert about.scores is not None, "so are the scores"
    if about.answer is not None and not interface.states:
        raise WeightsError("`answer` is for a streaming network, which has `states`", where=path)
    _require_scores(about.scores, graph, interface, path)
    weights = _weights(values, file, path)
    _require_uint8_untouched(weights.preprocessing, interface, path)
    if interface.classes not in (None, count := len(labels(weights.labels))):
        raise WeightsError(
            f"`labels` contradicts the ONNX file: {count} names for {interface.classes} scores",
            where=path,
            found=weights.labels if isinstance(weights.labels, str) else None,
            remedy="`labels: FILE.txt` names a text file with the classes in the order of the scores.",
        )
    return FileDescription(_name(values, file, path), weights, interface, about.scores, about.answer)


def _about_graph(raw: Mapping[Any, Any], path: Path) -> GraphFields:
    require_known(raw, (*_ABOUT_GRAPH, *_ABOUT_WEIGHTS), path)
    try:
        return typed(GraphFields, {key: value for key, value in raw.items() if key in _ABOUT_GRAPH})
    except ValueError as error:
        raise WeightsError(f"cannot be used: {error}", where=path) from error


def _with_sizes(values: Mapping[str, Any], interface: Interface, path: Path) -> dict[str, Any]:
    """`values` with the sizes that the graph fixes. Raises WeightsError if they are others."""
    fixed = {"crop": interface.size("H") or interface.size("W")}
    frames = interface.size("T")
    if not interface.states:
        fixed["window"] = frames
    elif values.get("window") is not None and values["window"] % (frames or 1):
        raise WeightsError(
            f"`window: {values['window']}` contradicts the ONNX file, which takes {frames} frames at a time",
            where=path,
            expected=f"a multiple of {frames}",
            found=interface.in_words,
        )
    for key, size in fixed.items():
        if size is not None and values.get(key, size) != size:
            raise WeightsError(
                f"`{key}: {values[key]}` contradicts the ONNX file",
                where=path,
                expected=size,
                found=f"{interface.in_words}, {interface.layout}",
            )
    return {**values, **{key: size for key, size in fixed.items() if size is not None}}


def _name(values: Mapping[str, Any], file: Path, path: Path) -> str:
    name = str(values.get("name", file.stem))
    if _NAME.fullmatch(name) is None:
        raise WeightsError(
            "is not a name for a network",
            where=path,
            expected="`name:` with letters, digits, and `_`, `.`, `+` or `-` after the first, 64 at most",
            found=name,
        )
    return name


def _weights(values: Mapping[str, Any], file: Path, path: Path) -> WeightsDescription:
    pixels: dict[str, Any] = {
        "modality": "rgb",
        "short_side": None,
        "long_side": "round",
        "crop_offset": "floor",
    }
    views: dict[str, Any] = {"tail": "loop", "min_frames": values["window"], "stride": None}
    if values.get("clips") is None:
        views["stride"] = values["window"]
    stated: dict[str, Any] = {"licence": "not stated", "source": "the user's file"}
    for key, value in values.items():
        if key != "name":
            (pixels if key in _PREPROCESSING else views if key in _VIEWS else stated)[key] = value
    try:
        return WeightsDescription(
            name=file.name,
            stream="rgb",
            format=FORMAT,
            preprocessing=Preprocessing(**pixels),
            views=Views(**views),
            **stated,
        )
    except UsageError as error:
        raise in_file(error, path) from error


def _require_scores(
    scores: Literal["logits", "probabilities"], graph: GraphProto, interface: Interface, path: Path
) -> None:
    """Raise WeightsError where the last operator shows that the scores are not what they are said to be."""
    operator = last_operator(graph, interface.output)
    others = {"logits": ("Softmax",), "probabilities": ("Gemm", "MatMul", "LogSoftmax")}
    if operator in others[scores]:
        raise WeightsError(
            f"`scores: {scores}` contradicts the ONNX file",
            where=path,
            expected="`scores: probabilities`" if scores == "logits" else "`scores: logits`",
            found=f"output '{interface.output}' is what {operator} gives",
        )


def _require_uint8_untouched(how: Preprocessing, interface: Interface, path: Path) -> None:
    as_they_are = how.scale == 1 and set(how.mean) == {0.0} and set(how.std) == {1.0}
    if interface.input_dtype == TensorProto.UINT8 and not as_they_are:
        raise WeightsError(
            "`scale`, `mean` or `std` contradicts the ONNX file, which takes pixels as they are, in uint8",
            where=path,
            expected="`scale: 1`, `mean: [0, 0, 0]`, `std: [1, 1, 1]`",
        )
