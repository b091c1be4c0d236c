"""What an ONNX graph says of its inputs and outputs, read against what its user says of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from onnx import GraphProto, TensorProto, ValueInfoProto, helper

from ....errors import WeightsError, did_you_mean
from ...backends.onnx_reading import type_name

Dims = tuple[int | str | None, ...]
"""Sizes of a tensor: a number, the name of one that is left open, or None."""

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_STATES = (
    *_FLOATS,
    *(TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64),
    *(TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64),
    TensorProto.BOOL,
)
"""Types of values that may begin with zeros: those of the operator ConstantOfShape since opset 9."""

_CHANNELS = 3

MOST_STATE_BYTES = 1 << 28
"""Of all states of a network: ten layers that keep 4 frames of 64 channels, 160×160 in float32, have as many.

A file of 1 kB can declare states of any size, and a runtime holds several copies of them."""


@dataclass(frozen=True, slots=True)
class GraphFields:
    """The fields of the YAML file that are about the graph; see docs/onnx-files.md.

    - `layout`: the axes of the video's input. `input`, `output`: names, where there are several.
    - `scores`: what the output is.
    - `states`: of a streaming network, input → output. `answer`: which output of a clip is its answer.
    """

    layout: str | None = None
    input: str | None = None
    output: str | None = None
    scores: Literal["logits", "probabilities"] | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    answer: Literal["last", "mean"] | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A state of a streaming network: `input` gets the last value of `output`, and zeros at first.

    - `shape`: of both. `dtype`: as in `onnx.TensorProto`.
    """

    input: str
    output: str
    shape: tuple[int, ...]
    dtype: int


@dataclass(frozen=True, slots=True)
class Interface:
    """A graph's input of the video, its output of scores, and its states.

    - `input`, `output`: names. `dims`: of the input. `input_dtype`, `output_dtype`: as in `onnx.TensorProto`.
    - `layout`: axis by axis, the letters of the video's: batch N, channels C, frames T, height H, width W.
    - `classes`: length of the output; None where the graph leaves it open.
    - `states`: empty for a network that takes a view at once.
    """

    input: str
    output: str
    dims: Dims
    input_dtype: int
    output_dtype: int
    layout: str
    classes: int | None
    states: tuple[State, ...] = ()

    def size(self, axis: str) -> int | None:
        """The size that the graph fixes of one of the layout's axes; None for one that it leaves open.

        Of frames 1 where the layout has no T.
        """
        if axis not in self.layout:
            return 1
        found = self.dims[self.layout.index(axis)]
        return found if isinstance(found, int) else None

    @property
    def in_words(self) -> str:
        """For messages: "input 'video', (1, 3, 13, 160, 160)"."""
        return f"input '{self.input}', {shape_in_words(self.dims)}"


def shape_in_words(dims: Dims | None) -> str:
    """For messages: "(N, 3, ?)"."""
    if dims is None:
        return "of any shape"
    return "({})".format(", ".join("?" if each is None else str(each) for each in dims))


def inputs_of(graph: GraphProto) -> dict[str, ValueInfoProto]:
    """Name → declaration of the inputs that are no weights (which old files list as inputs too)."""
    weights = {tensor.name for tensor in graph.initializer}
    return {value.name: value for value in graph.input if value.name not in weights}


def dims_of(value: ValueInfoProto) -> Dims | None:
    """Sizes of an input or output; None where not even their number is declared."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    # Some exporters write an open size as -1 or 0.
    return tuple(
        each.dim_value if each.dim_value > 0 else each.dim_param or None for each in tensor.shape.dim
    )


def read_interface(graph: GraphProto, fields: GraphFields, file: Path, described: Path) -> Interface:
    """The graph's interface, as `fields` names its parts.

    - `graph`: of `file`. `fields`: of the YAML file `described`; it has a layout.

    Raises WeightsError, which names the file, where the two contradict each other.
    """
    layout = fields.layout or ""
    inputs, outputs = inputs_of(graph), {value.name: value for value in graph.output}
    _require_names("states", fields.states, inputs, "input", described)
    _require_names("states", fields.states.values(), outputs, "output", described)
    video = _the_one("input", fields.input, inputs, set(fields.states), described)
    scores = _the_one("output", fields.output, outputs, set(fields.states.values()), described)
    if unfed := inputs.keys() - {video} - fields.states.keys():
        raise WeightsError(
            f"has inputs that nothing is fed to: {', '.join(sorted(unfed))}",
            where=file,
            expected=f"the video, '{video}', and those of `states`",
            remedy=f"`states: {{INPUT: OUTPUT}}` in {described.name} names those of a streaming network.",
        )
    dims = dims_of(inputs[video])
    _require_layout(layout, dims, video, bool(fields.states), described)
    assert dims is not None, "`_require_layout` lets no other through"
    output = dims_of(outputs[scores])
    if output is not None and len(output) != 2:
        raise WeightsError(
            f"its output '{scores}' is not one row of scores for each view",
            where=file,
            expected="(N, classes)",
            found=shape_in_words(output),
        )
    classes = output[1] if output is not None else None
    states = tuple(_state(inputs[i], outputs[o], file) for i, o in fields.states.items())
    _require_small(states, file)
    return Interface(
        video,
        scores,
        dims,
        _dtype(inputs[video], (*_FLOATS, TensorProto.UINT8), file),
        _dtype(outputs[scores], _FLOATS, file),
        layout,
        classes if isinstance(classes, int) else None,
        states,
    )


def _require_names(
    key: str, named: Iterable[str], known: Mapping[str, ValueInfoProto], kind: str, described: Path
) -> None:
    for name in named:
        if name not in known:
            raise WeightsError(
                f"`{key}` names an {kind} that the ONNX file does not have: '{name}'",
                where=described,
                remedy=f"{did_you_mean(name, known)}It has: {', '.join(known)}.",
            )


def _the_one(
    key: str, named: str | None, known: Mapping[str, ValueInfoProto], states: set[str], described: Path
) -> str:
    """The input of the video, or the output of the scores."""
    if named is not None:
        _require_names(key, [named], known, key, described)
        return named
    others = [name for name in known if name not in states]
    if len(others) == 1:
        return others[0]
    raise WeightsError(
        f"does not say which {key} of the ONNX file is the {'video' if key == 'input' else 'scores'}",
        where=described,
        expected=f"a line `{key}: NAME`",
        found=", ".join(f"{name} {shape_in_words(dims_of(known[name]))}" for name in others)
        or f"no {key} beside those of `states`",
        remedy="A streaming network's states are named too: `states: {INPUT: OUTPUT}`.",
    )


def _require_layout(layout: str, dims: Dims | None, video: str, streaming: bool, described: Path) -> None:
    """Raise WeightsError unless an input of these sizes can have these axes."""
    says = f"`layout: {layout}`"
    if sorted(layout) != sorted("NCTHW") and not (streaming and sorted(layout) == sorted("NCHW")):
        raise WeightsError(
            f"{says} names other axes than those of a video",
            where=described,
            expected="N, C, T, H and W once each, in the order of the input, such as NCTHW"
            + (" (without T where the network takes one frame)" if streaming else ""),
        )
    found = f"'{video}' {shape_in_words(dims)}"
    if dims is None or len(dims) != len(layout):
        raise WeightsError(
            f"{says} contradicts the ONNX file",
            where=described,
            expected=f"an input of {len(layout)} axes",
            found=found,
        )
    sizes = dict(zip(layout, dims, strict=True))
    if isinstance(sizes["C"], int) and sizes["C"] != _CHANNELS:
        raise WeightsError(
            f"{says} contradicts the ONNX file: axis {layout.index('C')} is not {_CHANNELS} channels",
            where=described,
            found=found,
        )
    if isinstance(sizes["N"], int) and sizes["N"] != 1:
        raise WeightsError(
            f"{says} contradicts the ONNX file: axis {layout.index('N')} is no batch of one view",
            where=described,
            found=found,
            remedy="Export the network for a batch of 1, or of any size.",
        )
    height, width = sizes["H"], sizes["W"]
    if isinstance(height, int) and isinstance(width, int) and height != width:
        raise WeightsError(
            "takes frames that are not square, which the centre crop does not give",
            where=described,
            found=found,
            remedy="If it does take squares, correct `layout`.",
        )


def _dtype(value: ValueInfoProto, known: tuple[int, ...], file: Path) -> int:
    dtype: int = value.type.tensor_type.elem_type
    if dtype not in known:
        raise WeightsError(
            f"'{value.name}' has values of another type",
            where=file,
            expected=" or ".join(TensorProto.DataType.Name(each).lower() for each in known),
            found=type_name(dtype),
        )
    return dtype


def _state(given: ValueInfoProto, new: ValueInfoProto, file: Path) -> State:
    dims, after = dims_of(given), dims_of(new)
    sizes = tuple(each for each in dims or () if isinstance(each, int))
    if dims is None or len(sizes) != len(dims):
        raise WeightsError(
            f"the state '{given.name}' has no fixed shape, so that it cannot begin with zeros",
            where=file,
            found=shape_in_words(dims),
            remedy="Export the network for a batch of 1.",
        )
    fixed = () if after is None else tuple(zip(sizes, after, strict=False))
    other = given.type.tensor_type.elem_type != new.type.tensor_type.elem_type
    if other or any(isinstance(now, int) and was != now for was, now in fixed):
        raise WeightsError(
            f"the state '{given.name}' is not handed on by '{new.name}', which has another shape or type",
            where=file,
            expected=shape_in_words(dims),
            found=shape_in_words(after),
        )
    return State(given.name, new.name, sizes, _dtype(given, _STATES, file))


def _require_small(states: Iterable[State], file: Path) -> None:
    """Raise WeightsError for states of more than `MOST_STATE_BYTES`."""
    sizes = {
        each.input: math.prod(each.shape) * helper.tensor_dtype_to_np_dtype(each.dtype).itemsize
        for each in states
    }
    if (total := sum(sizes.values())) > MOST_STATE_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise WeightsError(
            "has states that are too large",
            where=file,
            expected=f"at most {MOST_STATE_BYTES} bytes in all",
            found=f"{total} bytes, {sizes[largest]} of them of '{largest}'",
            remedy="Export the network for smaller frames.",
        )
