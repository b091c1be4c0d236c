"""Lines that a description lacks, each with a value that does not contradict the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from onnx import GraphProto, NodeProto, TensorProto

from ....errors import WeightsError
from ...labels import label_lists, labels
from .interface import GraphFields, Interface, dims_of, inputs_of, read_interface, shape_in_words

_EXAMPLES = {
    "layout": "NCTHW",
    "window": "16",
    "rate": "25",
    "short_side": "256",
    "resize": "torch-bilinear",
    "crop": "224",
    "scale": "1/255",
    "mean": "[0.45, 0.45, 0.45]",
    "std": "[0.225, 0.225, 0.225]",
    "colour": "rgb",
    "labels": "kinetics-400",
    "scores": "logits",
    "average": "softmax",
}
"""Field that is needed → a value that it may have. What a graph fixes, it need not be told."""

_OF_STREAMING = {"answer": "last"}

_AS_THEY_ARE = {"scale": "1", "mean": "[0, 0, 0]", "std": "[1, 1, 1]"}
"""Of a graph that takes pixels in uint8."""

_LAYOUTS = ("NCTHW", "NTCHW", "NTHWC", "NCHW", "NHWC")
"""Those that exporters write, the most usual ones first."""


def missing_lines(
    values: Mapping[str, Any], about: GraphFields, graph: GraphProto, interface: Interface | None
) -> dict[str, str]:
    """The fields that are missing, each with an example.

    - `values`: the fields that are about the weights, with the sizes that the graph fixes. `about`: the
      others. A value that is None is missing, but for the rate.
    - `interface`: of `graph`; None without a layout. Then sizes are those of the first usual layout that the
      graph can have, and if it can have none, they are not asked for before the layout is known.
    """
    given = {field.name for field in fields(GraphFields) if getattr(about, field.name) is not None}
    given |= {key for key, value in values.items() if value is not None or key == "rate"}
    if "stretch" in given:
        given |= {"short_side"}
    examples = _EXAMPLES | (_OF_STREAMING if about.states else {})
    interface = interface or _likely_interface(graph, about)
    if interface is None:
        given |= {"window", "crop"}
    else:
        sizes = {"crop": interface.size("H") or interface.size("W"), "window": interface.size("T")}
        if about.states:
            del sizes["window"]
        given |= {key for key, size in sizes.items() if size is not None}
        examples |= _fitting({**sizes, **values}, interface, graph)
    return {key: example for key, example in examples.items() if key not in given}


def last_operator(graph: GraphProto, output: str) -> str:
    """What computes an output, "Softmax" for example, but for changes of its shape or type; "" if nothing."""
    made_by = {name: node for node in graph.node for name in node.output}
    last: NodeProto | None = made_by.get(output)
    while last is not None and last.op_type in ("Identity", "Cast", "Reshape", "Flatten", "Squeeze"):
        last = made_by.get(last.input[0])
    return "" if last is None else str(last.op_type)


def inputs_in_words(graph: GraphProto) -> str:
    """For messages: "video (1, 3, T, 112, 112), sum (1, 3)"."""
    return ", ".join(f"{name} {shape_in_words(dims_of(value))}" for name, value in inputs_of(graph).items())


def _likely_interface(graph: GraphProto, about: GraphFields) -> Interface | None:
    """The graph's interface by the first usual layout that it can have; None if there is no such layout."""
    for layout in _LAYOUTS:
        try:
            return read_interface(graph, replace(about, layout=layout), Path(), Path())
        except WeightsError:
            continue
    return None


def _fitting(values: Mapping[str, Any], interface: Interface, graph: GraphProto) -> dict[str, str]:
    """Examples in place of those that would contradict the graph, or the values that are given.

    - `values`: of the fields that are known.
    """
    found = {"layout": interface.layout}
    short = values.get("short_side") or min(values.get("stretch") or (256,))
    found["crop"] = str(min(224, short))
    found["short_side"] = str(max(256, values.get("crop") or 0))
    if interface.states:
        at_once = interface.size("T") or 1
        found["window"] = str(max(16 // at_once, 1) * at_once)
    if interface.input_dtype == TensorProto.UINT8:
        found |= _AS_THEY_ARE
    if interface.classes is not None:
        fitting = [name for name in label_lists() if len(labels(name)) == interface.classes]
        found["labels"] = fitting[0] if fitting else "FILE.txt"
    if last_operator(graph, interface.output) == "Softmax":
        found["scores"] = "probabilities"
    return found
