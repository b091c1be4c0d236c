"""Pickles of arrays: what NumPy writes is read, and nothing else is admitted."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from actionbench.errors import WeightsError
from actionbench.models.weights.formats.pickled_arrays import read_pickled_arrays

WHERE = Path("weights.ckpt")


def read(contents: bytes) -> dict[tuple[str, ...], np.ndarray]:
    return read_pickled_arrays(io.BytesIO(contents), WHERE)


@given(
    array=arrays(np.float32, array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)),
    order=st.sampled_from("CF"),
    protocol=st.sampled_from([3, 4]),
)
def test_every_float32_array_comes_back(array: np.ndarray, order: Any, protocol: int) -> None:
    """Protocol 5 keeps arrays another way, which nobody who published weights has used."""
    written = pickle.dumps({"a": {"b/c": np.asarray(array, order=order)}}, protocol=protocol)
    (found,) = read(written).items()
    assert found[0] == ("a", "b/c")
    assert found[1].dtype == np.float32
    np.testing.assert_array_equal(found[1], array)


def test_as_numpy_1_wrote_it() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    written = pickle.dumps({"a": array}, protocol=3)
    assert b"numpy._core.multiarray" in written
    (found,) = read(written.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")).values()
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    "contents",
    [
        pickle.dumps({"a": np.zeros(3, np.float64)}),
        pickle.dumps({"a": np.zeros(3, ">f4")}, protocol=4),
        pickle.dumps({"a": np.array([object(), None])}, protocol=4),
        pickle.dumps({"a": OrderedDict()}),
        pickle.dumps({"a": eval}),
        pickle.dumps({"a": 3}),
        pickle.dumps([np.zeros(3, np.float32)], protocol=4),
        pickle.dumps({"a": np.float32(3)}),
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy\nndarray\n.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"Pid\n.",
        b"",
        b"\x80",
        b"not a pickle",
    ],
)
def test_anything_else_is_refused(contents: bytes) -> None:
    with pytest.raises(WeightsError, match=r"weights\.ckpt"):
        read(contents)


@pytest.mark.parametrize("state", [(-1,), (2, 2), (2**62,), ("3",), (None,)])
def test_a_shape_that_its_bytes_do_not_fill(state: tuple[object, ...]) -> None:
    written = pickle.dumps({"a": np.zeros(3, np.float32)}, protocol=3)
    begin = written.index(b"K\x03\x85")  # the shape (3,)
    other = pickle.dumps(state, protocol=3)[2:-1]
    with pytest.raises(WeightsError):
        read(written[:begin] + other + written[begin + 3 :])


@pytest.mark.parametrize("keep", [b"r\xff\xff\xff\xff", b"p4294967295\n", b"q\xff"])
def test_no_memory_is_taken_for_objects_that_are_not_there(keep: bytes) -> None:
    """By the number 2³²−1 under which an object is kept `pickle` takes 64 GB."""
    written = pickle.dumps({"a": np.zeros(3, np.float32)}, protocol=3)
    assert written.startswith(b"\x80\x03}q\x00")
    with pytest.raises(WeightsError, match="keeps an object under the number"):
        read(written[:3] + keep + written[5:])


@given(st.data())
def test_a_damaged_pickle_is_a_clear_error_or_the_same_names(data: st.DataObject) -> None:
    written = bytearray(pickle.dumps({"a": np.ones((2, 3), np.float32)}, protocol=4))
    for _ in range(data.draw(st.integers(1, 3))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(written))
    except WeightsError:
        return
    assert all(array.dtype == np.float32 for array in found.values())
