"""The description beside an ONNX file: what is missing, in one error, and contradictions with the graph."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import onnx
import pytest

from actionbench.errors import WeightsError
from actionbench.models.families.onnx_file.interface import MOST_STATE_BYTES
from actionbench.models.registry import find_model
from actionbench.parsing import to_yaml

from .onnx_networks import STREAMING, WITH_STATE, running_mean, weighted_sum, with_state, written


def refused(file: Path) -> str:
    with pytest.raises(WeightsError) as error:
        find_model(f"onnx:{file}")
    return str(error.value)


def in_uint8(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    return model


def test_without_a_description_all_that_it_has_to_say_is_asked_for(tmp_path: Path) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"))
    (tmp_path / "net.onnx.yaml").unlink()
    says = refused(file)
    assert "net.onnx.yaml: there is no such file, which has to say layout, rate, short_side, resize" in says
    assert "found in the ONNX file: input (N, 3, 4, 6, 6)" in says
    assert "\nlayout: NCTHW\nrate: 25\nshort_side: 256\n" in says


def test_what_is_missing_is_named_at_once_with_an_example(tmp_path: Path) -> None:
    file = written(tmp_path, weighted_sum("NCTHW", "C"), scale=..., crop=..., window=..., average=...)
    says = refused(file)
    assert "lacks window, crop, scale, average; found in the ONNX file: input (N, 3, T, H, W)" in says
    # 224 would be more than `short_side`.
    assert says.endswith(":\nwindow: 16\ncrop: 8\nscale: 1/255\naverage: softmax")
    # The graph fixes two of them.
    says = refused(written(tmp_path, weighted_sum("NCTHW"), scale=..., crop=..., window=...))
    assert "lacks scale; found" in says
    assert says.endswith(":\nscale: 1/255")


LONGER = weighted_sum("NCTHW", "C")
for axis, size in {"T": 24, "H": 312, "W": 312}.items():
    LONGER.graph.input[0].type.tensor_type.shape.dim["NCTHW".index(axis)].dim_value = size


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (weighted_sum("NCTHW"), {}),
        (weighted_sum("NTHWC"), {}),
        (weighted_sum("NTCHW", "CHW"), {}),
        (weighted_sum("NCTHW", "C", softmax=True), {}),
        (weighted_sum("NCTHW", "CT"), {"short_side": 100}),
        (weighted_sum("NCTHW", "CT"), {"stretch": [100, 120]}),
        (LONGER, {}),
        (weighted_sum("NTHWC"), {"layout": "NTHWC"}),
        (in_uint8(weighted_sum("NCTHW")), {}),
        (running_mean(3), {"states": STREAMING["states"]}),
        (running_mean(20), {"states": STREAMING["states"], "layout": "NTHWC"}),
        (running_mean(None), {"states": STREAMING["states"]}),
    ],
)
def test_the_lines_that_are_missing_can_be_copied(
    tmp_path: Path, model: onnx.ModelProto, fields: dict[str, Any]
) -> None:
    """They contradict neither the graph nor what is there: no second error follows, but for the classes."""
    file = written(tmp_path, model, fields)
    described = tmp_path / "net.onnx.yaml"
    if not fields:
        described.unlink()
    lines = refused(file).partition("\n")[2]
    assert "labels: FILE.txt" in lines
    (tmp_path / "FILE.txt").write_text("falling\nrunning\nwalking\n")
    described.write_text((to_yaml(fields) if fields else "") + f"\n{lines}\n", encoding="utf-8")
    assert find_model(f"onnx:{file}").model.name == "net"


@pytest.mark.parametrize("classes", [400, 600])
def test_the_labels_that_are_suggested_are_as_many_as_the_scores(tmp_path: Path, classes: int) -> None:
    model = weighted_sum("NCTHW")
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = classes
    assert f"\nlabels: kinetics-{classes}\n" in f"{refused(written(tmp_path, model, labels=...))}\n"


def test_sizes_are_not_asked_for_before_the_layout_is_known(tmp_path: Path) -> None:
    """Of which of its axes they are, a graph with several inputs does not show."""
    says = refused(written(tmp_path, running_mean(), layout=..., window=..., crop=...))
    assert "lacks layout; found in the ONNX file: video (1, 1, 6, 6, 3), sum (1, 3), count (1)" in says


def test_a_streaming_network_is_asked_for_its_answer(tmp_path: Path) -> None:
    says = refused(written(tmp_path, running_mean(), STREAMING, answer=..., window=...))
    assert "lacks window, answer; found" in says
    assert says.endswith(":\nwindow: 16\nanswer: last")


def test_a_rate_may_be_that_of_the_videos_and_a_size_may_be_stretched(tmp_path: Path) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"), rate=None, every=6, short_side=..., stretch=[8, 9])
    how = find_model(f"onnx:{file}").model.streams["rgb"].preprocessing
    assert (how.rate, how.every, how.short_side, how.stretch) == (None, 6, None, (8, 9))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"lables": "kinetics-400"}, "unknown field 'lables'. Did you mean: labels? Known: layout, input"),
        ({"single": 4}, "unknown field 'single'"),
        ({"like": "hara-resnet-18"}, "unknown field 'like'"),
        ({"resize": "bicubic"}, "'resize' has an invalid value; expected opencv-bilinear or"),
        ({"scale": "1/0"}, "'scale' has an invalid value; expected a positive number, such as 2 or 1/255"),
        ({"rate": -1}, "'rate' has an invalid value"),
        ({"scores": "votes"}, "cannot be used: scores: expected"),
        ({"states": ["a"]}, "cannot be used: states: expected an object"),
        ({"answer": "last"}, "`answer` is for a streaming network, which has `states`"),
        ({"name": "../net"}, "is not a name for a network"),
        ({"labels": "none.txt"}, "there is no such file of labels"),
        ({"figures": {"top1": 50}}, "'figures' has an invalid value; expected top1 and top5"),
        (
            {"crop": 9, "short_side": 8},
            "`crop: 9` contradicts the ONNX file; expected 6; found input 'input'",
        ),
        ({"short_side": 5}, "the crop is larger than the resized frames"),
        ({"stretch": [8, 8]}, "frames have one size"),
        (
            {"window": 5},
            "`window: 5` contradicts the ONNX file; expected 4; found input 'input', (N, 3, 4, 6, 6)",
        ),
        ({"labels": ["one", "two"]}, "`labels` contradicts the ONNX file: 2 names for 3 scores"),
        ({"layout": "NTHWC"}, "`layout: NTHWC` contradicts the ONNX file: axis 4 is not 3 channels"),
        ({"layout": "NTCHW"}, "`layout: NTCHW` contradicts the ONNX file: axis 2 is not 3 channels"),
        ({"layout": "NCHW"}, "`layout: NCHW` names other axes than those of a video"),
        ({"layout": "NCTHH"}, "names other axes"),
        ({"layout": 5}, "cannot be used: layout: expected"),
        (
            {"scores": "probabilities"},
            "expected `scores: logits`; found output 'output' is what MatMul gives",
        ),
        (
            {"input": "inputs"},
            "`input` names an input that the ONNX file does not have: 'inputs'. Did you mean",
        ),
        ({"output": "x"}, "`output` names an output that the ONNX file does not have: 'x'. It has: output."),
        ({"states": {"input": "output"}}, "does not say which input of the ONNX file is the video"),
    ],
)
def test_one_error_names_what_is_wrong(tmp_path: Path, changed: dict[str, Any], says: str) -> None:
    found = refused(written(tmp_path, weighted_sum("NCTHW"), **changed))
    assert "net.onnx.yaml: " in found
    assert says in found


def test_scores_that_softmax_made_are_no_logits(tmp_path: Path) -> None:
    says = refused(written(tmp_path, weighted_sum("NCTHW", softmax=True)))
    assert "`scores: logits` contradicts the ONNX file; expected `scores: probabilities`" in says
    assert "found output 'output' is what Softmax gives" in says


def sizes(model: onnx.ModelProto, **of: int) -> onnx.ModelProto:
    """The network with other sizes of its input, by the axes of NCTHW."""
    for axis, size in of.items():
        model.graph.input[0].type.tensor_type.shape.dim["NCTHW".index(axis)].dim_value = size
    return model


@pytest.mark.parametrize(
    ("of", "says"),
    [
        ({"N": 8}, "axis 0 is no batch of one view"),
        ({"H": 6, "W": 7}, "takes frames that are not square"),
    ],
)
def test_graphs_that_no_description_fits(tmp_path: Path, of: dict[str, int], says: str) -> None:
    assert says in refused(written(tmp_path, sizes(weighted_sum("NCTHW", "C"), **of)))


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: &x 1\nb: *x\n", "a: b: c", "name: a\nname: b\n"])
def test_a_description_that_is_no_mapping_is_one_error(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, weighted_sum("NCTHW"))
    (tmp_path / "net.onnx.yaml").write_text(text)
    assert "net.onnx.yaml: is not " in refused(file)


def test_states_are_named_by_what_the_file_has(tmp_path: Path) -> None:
    says = refused(written(tmp_path, running_mean(), STREAMING, states={"sum": "new_sum"}))
    assert "does not say which input of the ONNX file is the video; expected a line `input: NAME`" in says
    assert "video (1, 1, 6, 6, 3), count (1)" in says
    says = refused(written(tmp_path, running_mean(), STREAMING, states={"sums": "new_sum"}))
    assert "`states` names an input that the ONNX file does not have: 'sums'. Did you mean: sum?" in says
    states = {"sum": "scores", "count": "new_sum"}
    says = refused(written(tmp_path, running_mean(), STREAMING, states=states, output="scores"))
    assert "the state 'count' is not handed on by 'new_sum', which has another shape or type" in says


def test_a_state_without_a_fixed_shape_cannot_begin(tmp_path: Path) -> None:
    model = running_mean()
    model.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "N"
    says = refused(written(tmp_path, model, STREAMING))
    assert "the state 'sum' has no fixed shape, so that it cannot begin with zeros; found (N, 3)" in says


@pytest.mark.parametrize("shape", [[40000, 40000], [2**40] * 8, [(MOST_STATE_BYTES >> 2) - 3]])
def test_states_of_any_size_are_not_allocated(tmp_path: Path, shape: list[int]) -> None:
    file = written(tmp_path, with_state(onnx.TensorProto.FLOAT, shape), WITH_STATE)
    says = refused(file)
    assert "net.onnx: has states that are too large; expected at most 268435456 bytes in all" in says
    assert f"{4 * math.prod(shape)} of them of 'more'" in says


def test_states_of_as_many_bytes_as_are_allowed(tmp_path: Path) -> None:
    shape = [(MOST_STATE_BYTES >> 2) - 5]  # the other two states are 3 float32 and an int64
    file = written(tmp_path, with_state(onnx.TensorProto.FLOAT, shape), WITH_STATE)
    assert find_model(f"onnx:{file}").model.name == "tiny-onnx"


def test_a_state_is_numbers(tmp_path: Path) -> None:
    file = written(tmp_path, with_state(onnx.TensorProto.STRING, [1]), WITH_STATE)
    assert "'more' has values of another type; expected float or" in refused(file)


def test_published_figures_are_kept(tmp_path: Path) -> None:
    figures = {"top1": 73.33, "top5": 91.27, "data": "Kinetics-400", "source": "model_zoo.md", "gmacs": 2.96}
    file = written(tmp_path, weighted_sum("NCTHW"), figures=figures, paper="arXiv:2004.04730")
    described = find_model(f"onnx:{file}").model.streams["rgb"]
    assert described.figures is not None
    assert (described.figures.top1, described.figures.gmacs) == (73.33, 2.96)
    assert described.paper == "arXiv:2004.04730"
