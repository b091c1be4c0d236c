"""TensorFlow checkpoints: DeepMind's real indexes, TensorFlow itself in another process, and damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from actionbench.errors import WeightsError
from actionbench.models.weights.formats.leveldb_table import read_table, write_table
from actionbench.models.weights.formats.protobuf import Malformed, field, submessage
from actionbench.models.weights.formats.tensor_bundle import (
    files_of,
    index_path,
    list_tensors,
    prefix_of,
    read_tensors,
    shard_path,
    write_bundle,
)

FOLDER = Path("annotations", "i3d_published", "checkpoints")
PUBLISHED = ("rgb_imagenet", "flow_imagenet", "rgb_scratch_kin600")
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(prefix: Path, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    write_bundle(prefix, tensors)
    return tensors


@pytest.mark.parametrize(
    ("name", "count", "scope", "channels", "vector", "classes", "data_bytes"),
    [
        ("rgb_imagenet", 230, "RGB/inception_i3d/", 3, (64,), 400, 50818176),
        ("flow_imagenet", 230, "Flow/inception_i3d/", 2, (64,), 400, 50730368),
        ("rgb_scratch_kin600", 346, "", 3, (1, 1, 1, 1, 64), 600, 103218112),
    ],
)
def test_published_index(
    shared_data: Path,
    name: str,
    count: int,
    scope: str,
    channels: int,
    vector: tuple[int, ...],
    classes: int,
    data_bytes: int,
) -> None:
    entries = list_tensors(shared_data / FOLDER / name / "model.ckpt.index")
    assert len(entries) == count
    assert entries[f"{scope}Conv3d_1a_7x7/conv_3d/w"].shape == (7, 7, 7, channels, 64)
    assert entries[f"{scope}Conv3d_1a_7x7/batch_norm/beta"].shape == vector
    assert entries[f"{scope}Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w"].shape == (3, 3, 3, 32, 128)
    assert entries[f"{scope}Logits/Conv3d_0c_1x1/conv_3d/w"].shape == (1, 1, 1, 1024, classes)
    # Without gaps the tensors fill the data file, whose size is that of DeepMind's repository.
    assert max(each.offset + each.size for each in entries.values()) == data_bytes
    assert sum(each.size for each in entries.values()) == data_bytes


def test_tensorflow_and_this_reader_read_each_other(
    tmp_path: Path, shared_data: Path, run_with_tensorflow: Any
) -> None:
    ours = write(tmp_path / "ours" / "model.ckpt", **{"a/w": (2, 3, 4), "a/b": (4,), "s": (), "none": (0, 3)})
    published = {name: shared_data / FOLDER / name / "model.ckpt" for name in PUBLISHED}
    script = f"""
import tensorflow as tf
def save(path, arrays):
    np.savez(path, **{{name.replace("/", ":"): array for name, array in arrays.items()}})
reader = tf.train.load_checkpoint({str(tmp_path / "ours" / "model.ckpt")!r})
save({str(tmp_path / "read.npz")!r}, {{n: reader.get_tensor(n) for n in reader.get_variable_to_shape_map()}})
values = [tf.constant(np.arange(n * 7, dtype=np.float32).reshape(7, n)) for n in range(1, 90)]
names = [f"scope/tensor_{{n}}" for n in range(1, 90)]
tf.raw_ops.SaveV2(prefix={str(tmp_path / "theirs")!r}, tensor_names=names, shape_and_slices=[""] * 89,
                  tensors=values)
for name, prefix in { ({name: str(prefix) for name, prefix in published.items()})!r}.items():
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    save(f"{tmp_path}/{{name}}.npz", {{tensor: np.array(shape) for tensor, shape in shapes.items()}})
give()
"""
    run_with_tensorflow(script)
    with np.load(tmp_path / "read.npz") as read:
        assert set(read) == {name.replace("/", ":") for name in ours}
        for name, tensor in ours.items():
            np.testing.assert_array_equal(read[name.replace("/", ":")], tensor)
            assert read[name.replace("/", ":")].shape == tensor.shape
    entries = list_tensors(tmp_path / "theirs.index")
    theirs = read_tensors(tmp_path / "theirs", entries)
    assert len(theirs) == 89
    np.testing.assert_array_equal(theirs["scope/tensor_40"], np.arange(280).reshape(7, 40))
    for name, prefix in published.items():
        with np.load(tmp_path / f"{name}.npz") as shapes:
            assert {tensor.replace(":", "/"): tuple(shapes[tensor]) for tensor in shapes} == {
                tensor: entry.shape for tensor, entry in list_tensors(index_path(prefix)).items()
            }


@in_one_folder
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
        npst.arrays(np.float32, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
        min_size=1,
        max_size=40,
    )
)
def test_what_is_written_is_read(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    write_bundle(tmp_path / "model.ckpt", tensors)
    entries = list_tensors(tmp_path / "model.ckpt.index")
    read = read_tensors(tmp_path / "model.ckpt", entries)
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)
        assert read[name].shape == tensor.shape


def test_paths_of_a_checkpoint(tmp_path: Path) -> None:
    prefix = tmp_path / "model.ckpt"
    write(prefix, a=(2,))
    assert files_of(prefix) == [tmp_path / "model.ckpt.data-00000-of-00001", tmp_path / "model.ckpt.index"]
    assert {prefix_of(path) for path in (prefix, *files_of(prefix))} == {prefix}


@in_one_folder
@given(st.data())
def test_a_damaged_index_is_an_error_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    prefix = tmp_path / "model.ckpt"
    write(prefix, **{f"scope/tensor_{n}": (n, 2) for n in range(20)})
    whole = index_path(prefix).read_bytes()
    entries = list_tensors(index_path(prefix))
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    index_path(prefix).write_bytes(damaged)
    try:
        listed = list_tensors(index_path(prefix))
    except WeightsError:
        return
    assert listed == entries


@in_one_folder
@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40)), max_size=8), st.booleans())
def test_forged_entries_with_right_checksums_are_errors(
    tmp_path: Path, pairs: list[tuple[bytes, bytes]], with_header: bool
) -> None:
    table = dict(pairs) | ({b"": field(1, 1)} if with_header else {})
    index = tmp_path / "forged.index"
    index.write_bytes(write_table(sorted(table.items())) if table else b"")
    try:
        listed = list_tensors(index)
    except WeightsError:
        return
    assert set(listed) == {key.decode() for key in table if key}


def forged(prefix: Path, *fields: bytes) -> None:
    table = [(b"", field(1, 1)), (b"tensor", b"".join(fields))]
    index_path(prefix).write_bytes(write_table(table))
    shard_path(prefix, 0, 1).write_bytes(bytes(64))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (
            (field(1, 1), submessage(2, submessage(2, field(1, 1 << 30))), field(5, 4 << 30)),
            "file ends inside",
        ),
        ((field(1, 1), submessage(2, submessage(2, field(1, 4))), field(5, 8)), "contradicts its shape"),
        ((field(1, 1), submessage(2, submessage(2, field(1, 4))), field(5, 16)), "checksum"),
        ((field(1, 3), submessage(2, submessage(2, field(1, 4))), field(5, 16)), "float32"),
        ((field(1, 1), field(5, 4), submessage(7, b"")), "float32"),
    ],
)
def test_entries_that_do_not_fit_the_data(tmp_path: Path, fields: tuple[bytes, ...], complaint: str) -> None:
    prefix = tmp_path / "model.ckpt"
    forged(prefix, *fields)
    entries = list_tensors(index_path(prefix))
    with pytest.raises(WeightsError, match=complaint):
        read_tensors(prefix, entries)


def test_negative_sizes_and_shards_out_of_range_are_refused(tmp_path: Path) -> None:
    for fields in (
        [field(3, 5)],
        [field(5, (1 << 64) - 4)],
        [submessage(2, submessage(2, field(1, 1 << 63)))],
    ):
        forged(tmp_path / "model.ckpt", *fields)
        with pytest.raises(WeightsError, match="damaged"):
            list_tensors(tmp_path / "model.ckpt.index")


def test_changed_data_is_noticed_and_named(tmp_path: Path) -> None:
    prefix = tmp_path / "model.ckpt"
    write(prefix, first=(100,), second=(100,))
    data = bytearray(shard_path(prefix, 0, 1).read_bytes())
    data[-1] ^= 1
    shard_path(prefix, 0, 1).write_bytes(data)
    with pytest.raises(WeightsError, match="tensor second"):
        read_tensors(prefix, list_tensors(index_path(prefix)))
    shard_path(prefix, 0, 1).write_bytes(data[:500])
    with pytest.raises(WeightsError, match="ends inside the tensor second"):
        read_tensors(prefix, list_tensors(index_path(prefix)))
    shard_path(prefix, 0, 1).unlink()
    with pytest.raises(WeightsError, match="data file is missing"):
        read_tensors(prefix, list_tensors(index_path(prefix)))


def test_compressed_blocks_are_refused() -> None:
    table = bytearray(write_table([(b"", b"x")]))
    table[table.index(b"x") + 1 + 8] = 1  # the type of the first block, snappy
    with pytest.raises(Malformed, match="compressed"):
        list(read_table(bytes(table)))


def test_tensors_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "model.ckpt", a=(4,), b=(0,), c=(4,))
    index = index_path(tmp_path / "model.ckpt")
    table = dict(read_table(index.read_bytes()))
    index.write_bytes(write_table([(b"", table[b""]), (b"a", table[b"a"]), (b"b", table[b"a"])]))
    with pytest.raises(WeightsError, match="tensors of the checkpoint share their bytes"):
        read_tensors(tmp_path / "model.ckpt", list_tensors(index))
