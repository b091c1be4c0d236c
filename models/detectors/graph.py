"""An ONNX file with a detector: read with care, and described by the YAML file beside it.

The file is not trusted. What it would load from other files is refused, and its inputs and
outputs must be those of a form that is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import TensorProto

from ...errors import WeightsError
from ...parsing import parse_yaml
from ...typed_values import typed
from ..backends.onnx_reading import read_model, tensors, type_name
from .forms import FORMS, Description, Form

MOST_BYTES = 1 << 30
"""Of a file; the largest YOLOX has 0.4 GB. ONNX itself ends at 2 GB."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorGraph:
    """A detector's graph.

    - `content`: the graph as bytes.
    - `input`: name of its input. `size`: (height, width) that it takes, pixels.
    - `outputs`: names of its outputs in the order that the form wants.
    - `form`: what its outputs mean. `description`: how its pixels are prepared, and which class is a person.
    """

    content: bytes
    input: str
    size: tuple[int, int]
    outputs: tuple[str, ...]
    form: Form
    description: Description


def description_path(file: Path) -> Path:
    """The YAML file that describes the detector in `file`; it need not exist."""
    return file.with_name(f"{file.name}.yaml")


def read_graph(file: Path) -> DetectorGraph:
    """The detector in an ONNX file. Nothing is computed.

    Raises WeightsError, which names the file, if it cannot be read, is too large, keeps tensors in other
    files, or has other inputs and outputs than a known form; and for a description that makes no sense.
    """
    model = read_model(file, MOST_BYTES)
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in tensors(model.graph)):
        raise WeightsError(
            "keeps tensors in other files, which are not opened",
            where=file,
            remedy="Save it as one file: `onnx.save_model(onnx.load(FILE), NEW)`.",
        )
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise WeightsError("has several inputs", where=file, expected="one picture", found=len(inputs))
    outputs = {value.name: _shape(value) for value in model.graph.output}
    for form in FORMS:
        if (names := form.outputs(outputs)) is not None:
            break
    else:
        raise WeightsError(
            "does not have the outputs of a detector that is known here",
            where=file,
            expected="; ".join(each.expected for each in FORMS),
            found=", ".join(f"{name} {shape}" for name, shape in outputs.items()),
        )
    size = _size(inputs[0], file)
    return DetectorGraph(model.SerializeToString(), inputs[0].name, size, names, form, _described(form, file))


def _shape(value: Any) -> tuple[int | None, ...]:
    """Sizes of an input or output; None for one that is left open."""
    return tuple(
        each.dim_value if each.HasField("dim_value") else None for each in value.type.tensor_type.shape.dim
    )


def _size(value: Any, file: Path) -> tuple[int, int]:
    shape = _shape(value)
    match shape:
        case (1 | None, 3, int(height), int(width)) if height > 0 and width > 0:
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                return height, width
    raise WeightsError(
        "takes another input than a picture of a fixed size",
        where=file,
        expected="float32 (1, 3, height, width)",
        found=f"{type_name(value.type.tensor_type.elem_type)} {shape}",
    )


def _described(form: Form, file: Path) -> Description:
    """The form's description with the changes of the YAML file beside the detector."""
    path = description_path(file)
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict):
            raise ValueError(f"expected `field: value` lines, found {type(raw).__name__}")
        return typed(Description, {**form.description.plain(), **raw})
    except FileNotFoundError:
        return form.description
    except (OSError, ValueError) as error:
        raise WeightsError(f"does not describe a detector: {error}", where=path) from error
