"""What every backend refuses before it computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from actionbench.errors import ActionBenchError, BackendUnavailable, ClipError, UsageError
from actionbench.models.backends.torch_network import TorchNetwork
from actionbench.models.i3d import architecture as i3d
from actionbench.models.inputs import check_inputs, gpu_index
from actionbench.models.registry import find_model
from actionbench.models.spec import LoadOptions


def inputs(**changes: Any) -> dict[str, Any]:
    right: dict[str, Any] = {
        "rgb": np.zeros((1, 9, 193, 200, 3), np.float32),
        "flow": np.zeros((1, 10, 193, 200, 2), np.float32),
    }
    return {name: array for name, array in (right | changes).items() if array is not None}


def test_smallest_input_passes() -> None:
    check_inputs(i3d.two_stream(), inputs())


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"flow": None}, UsageError, "wrong streams"),
        ({"depth": np.zeros(1)}, UsageError, "wrong streams"),
        ({"rgb": np.zeros((1, 9, 193, 200, 3))}, UsageError, "float64"),
        ({"rgb": np.zeros((9, 193, 200, 3), np.float32)}, UsageError, "(N, T, H, W, 3)"),
        ({"rgb": np.zeros((1, 3, 9, 193, 200), np.float32)}, UsageError, "(N, T, H, W, 3)"),
        ({"flow": np.zeros((1, 9, 193, 200, 3), np.float32)}, UsageError, "(N, T, H, W, 2)"),
        ({"flow": np.zeros((1, 8, 193, 200, 2), np.float32)}, ClipError, "expected 9; found 8"),
        ({"rgb": np.zeros((1, 9, 192, 200, 3), np.float32)}, ClipError, "193 pixels or more; found 192×200"),
    ],
)
def test_wrong_input_is_named(changes: dict[str, Any], error: type[ActionBenchError], says: str) -> None:
    with pytest.raises(error) as caught:
        check_inputs(i3d.two_stream(), inputs(**changes))
    assert says in str(caught.value)


def test_devices() -> None:
    assert gpu_index("cpu") is None
    assert gpu_index("cuda:3") == 3
    for wrong in ("cuda", "gpu", "cuda:-1", "auto", "CPU", "cuda:1 "):
        with pytest.raises(UsageError, match="unknown device"):
            gpu_index(wrong)


def test_torch_names_a_device_that_is_not_there() -> None:
    with pytest.raises(BackendUnavailable, match="cuda:99: torch finds no such device"):
        TorchNetwork(find_model("resnext").model, {}, LoadOptions(device="cuda:99"))


def test_tensorflow_names_what_it_cannot_do(run_with_tensorflow: Any) -> None:
    run_with_tensorflow(
        "from actionbench.errors import BackendUnavailable, UsageError\n"
        "from actionbench.models.spec import LoadOptions\n"
        "from actionbench.models.backends.tensorflow_network import configure, tf\n"
        "def refused(error, options):\n"
        "    try: configure(options)\n"
        "    except error as found: return str(found)\n"
        "    raise AssertionError(options)\n"
        "absent = refused(BackendUnavailable, LoadOptions('cuda:99'))\n"
        "assert 'cuda:99: TensorFlow finds no such device' in absent\n"
        "configure(LoadOptions(threads=1))\n"
        "tf.constant(1.0) + 1.0\n"
        "configure(LoadOptions(threads=1))\n"
        "assert 'expected cpu, 2 threads' in refused(UsageError, LoadOptions(threads=2))\n"
        "assert not tf.config.experimental.tensor_float_32_execution_enabled()\n"
        "give()\n"
    )


def test_pixels_pass_where_the_network_takes_them() -> None:
    pixels = np.zeros((1, 9, 193, 200, 3), np.uint8)
    check_inputs(i3d.two_stream(), inputs(rgb=pixels), {"rgb"})
    check_inputs(i3d.two_stream(), inputs(), {"rgb"})
    with pytest.raises(UsageError, match=r"expected float32 .*found uint8"):
        check_inputs(i3d.two_stream(), inputs(rgb=pixels))
    with pytest.raises(UsageError, match=r"expected float32 or uint8 .*found float64"):
        check_inputs(i3d.two_stream(), inputs(rgb=pixels.astype(float)), {"rgb"})
