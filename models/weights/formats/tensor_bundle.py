"""TensorFlow checkpoints without TensorFlow: the TensorBundle format, read and written.

A checkpoint `model.ckpt` is a table `model.ckpt.index` and data shards `model.ckpt.data-00000-of-00001`.
The index is a LevelDB table whose values are messages of tensorflow/core/protobuf/tensor_bundle.proto: a
header under the empty key, then one entry per tensor.

Everything in a file is checked before it is used, so a damaged file ends in a WeightsError.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from ....atomic import replacing
from ....errors import WeightsError
from .crc32c import masked_crc32c
from .leveldb_table import read_table, write_table
from .protobuf import Fields, Malformed, field, integer, parse, submessage, varint

# Limits far above any network's checkpoint; they keep a forged file from filling the memory.
_MAX_INDEX_BYTES: Final = 64 << 20
_MAX_SHARDS: Final = 10_000
_MAX_DIMENSIONS: Final = 254  # TensorShape::MaxDimensions

HUB_VARIABLES: Final = Path("variables", "variables")
"""Prefix of the checkpoint in the folder of a TF-Hub module."""

FLOAT: Final = 1  # tensorflow/core/framework/types.proto, DT_FLOAT


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor's type and shape, and where its bytes are.

    - `dtype`: TensorFlow's number (1 is float32).
    - `shape`: of the tensor.
    - `shard`: number of the data file, from 0.
    - `offset`, `size`: of its bytes in that file.
    - `crc`: masked CRC-32C of its bytes.
    - `shards`: number of data files.
    - `sliced`: whether it is stored in slices, which are not supported.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    shards: int
    sliced: bool


def prefix_of(path: Path) -> Path:
    """The prefix (…/model.ckpt) for a path to the prefix, the index or a shard."""
    name = path.name
    if name.endswith(".index"):
        return path.with_name(name.removesuffix(".index"))
    stem, found, shard = name.rpartition(".data-")
    return path.with_name(stem) if found and "-of-" in shard else path


def index_path(prefix: Path) -> Path:
    """The index file of a checkpoint."""
    return prefix.with_name(f"{prefix.name}.index")


def shard_path(prefix: Path, shard: int, shards: int) -> Path:
    """The data file number `shard`, from 0, of `shards`."""
    return prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{shards:05d}")


def files_of(prefix: Path) -> list[Path]:
    """All files of the checkpoint, the index and the shards it names, in name order."""
    entries = list_tensors(index_path(prefix))
    used = {shard_path(prefix, each.shard, each.shards) for each in entries.values()}
    return sorted({index_path(prefix), *used})


def list_tensors(index: Path) -> dict[str, TensorEntry]:
    """Name → entry of every tensor that the index names. Raises WeightsError for a damaged index."""
    try:
        size = index.stat().st_size
        if size > _MAX_INDEX_BYTES:
            raise Malformed(f"{size} bytes, more than an index of tensors can have")
        table = dict(read_table(index.read_bytes()))
        header = parse(table.pop(b"", b""))
        shards = integer(header, 1)
        if integer(header, 2) != 0:
            raise Malformed("the tensors are big-endian")
        if not 1 <= shards <= _MAX_SHARDS:
            raise Malformed(f"{shards} shards")
        return {key.decode(): _entry(value, shards) for key, value in table.items()}
    except (Malformed, UnicodeDecodeError) as error:
        raise WeightsError(
            "not a TensorFlow checkpoint index, or a damaged one",
            where=index,
            found=error,
            remedy="Copy or fetch the file again",
        ) from error
    except OSError as error:
        raise WeightsError("cannot be read", where=index, found=error.strerror) from error


def read_tensors(prefix: Path, entries: Mapping[str, TensorEntry]) -> dict[str, npt.NDArray[np.float32]]:
    """The float32 tensors `entries` of the checkpoint `prefix`, each checked against its CRC-32C.

    Raises WeightsError where a shard is absent, too short, or not what the index says.
    """
    tensors = {}
    for (shard, shards), names in _by_shard(entries).items():
        path = shard_path(prefix, shard, shards)
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                _refuse_repetition(path, size, [entries[name] for name in names])
                for name in names:
                    tensors[name] = _read_tensor(file, path, size, name, entries[name])
        except FileNotFoundError as error:
            raise WeightsError(
                "the checkpoint's data file is missing",
                where=path,
                remedy=f"It belongs beside {index_path(prefix).name}",
            ) from error
        except OSError as error:
            raise WeightsError("cannot be read", where=path, found=error.strerror) from error
    return tensors


def write_bundle(prefix: Path, tensors: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """Write float32 `tensors` as the checkpoint `prefix`, in one shard, so that TensorFlow reads it.

    The index is replaced last: a reader never sees an index without its data.
    """
    ordered = sorted((name.encode(), tensors[name]) for name in tensors)
    header = field(1, 1) + submessage(3, field(1, 1))  # num_shards 1; version.producer 1
    table = [(b"", header)]
    offset = 0
    with replacing(shard_path(prefix, 0, 1)) as file:
        for key, tensor in ordered:
            if tensor.dtype != np.float32:
                raise TypeError(f"{key.decode()}: float32 expected, not {tensor.dtype}")
            data = np.ascontiguousarray(tensor).astype("<f4", copy=False).tobytes()
            file.write(data)
            shape = b"".join(submessage(2, field(1, extent)) for extent in tensor.shape)
            entry = field(1, FLOAT) + submessage(2, shape) + field(4, offset) + field(5, len(data))
            table.append((key, entry + _fixed32(6, masked_crc32c(data))))
            offset += len(data)
    with replacing(index_path(prefix)) as file:
        file.write(write_table(table))


def _by_shard(entries: Mapping[str, TensorEntry]) -> dict[tuple[int, int], list[str]]:
    groups: dict[tuple[int, int], list[str]] = {}
    for name, entry in entries.items():
        groups.setdefault((entry.shard, entry.shards), []).append(name)
    return groups


def _refuse_repetition(path: Path, file_size: int, entries: Iterable[TensorEntry]) -> None:
    """Raise WeightsError for tensors that share their bytes: a small file could fill the memory with them."""
    end = 0
    for entry in sorted(entries, key=lambda each: (each.offset, each.size)):
        if entry.offset < end:
            raise WeightsError(
                "tensors of the checkpoint share their bytes",
                where=path,
                expected=f"the next one from byte {end} on",
                found=f"byte {entry.offset}",
            )
        if entry.offset + entry.size <= file_size:  # else it is refused by itself
            end = entry.offset + entry.size


def _read_tensor(
    file: BinaryIO, path: Path, file_size: int, name: str, entry: TensorEntry
) -> npt.NDArray[np.float32]:
    if entry.sliced or entry.dtype != FLOAT:
        raise WeightsError(
            f"the tensor {name} is not one whole float32 tensor",
            where=path,
            found="slices of a partitioned variable" if entry.sliced else f"TensorFlow type {entry.dtype}",
        )
    if entry.size != 4 * math.prod(entry.shape):
        raise WeightsError(
            f"the size of the tensor {name} contradicts its shape",
            where=path,
            expected=f"{4 * math.prod(entry.shape)} bytes for {list(entry.shape)}",
            found=f"{entry.size} bytes",
        )
    if entry.offset + entry.size > file_size:
        raise WeightsError(
            f"the file ends inside the tensor {name}",
            where=path,
            expected=f"at least {entry.offset + entry.size} bytes",
            found=f"{file_size} bytes",
            remedy="Copy or fetch the file again",
        )
    file.seek(entry.offset)
    data = file.read(entry.size)
    if masked_crc32c(data) != entry.crc:
        raise WeightsError(
            f"the checksum of the tensor {name} is wrong: the file is damaged, or is not the index's own",
            where=path,
            expected=f"CRC-32C {entry.crc:08x}",
            found=f"{masked_crc32c(data):08x}",
            remedy="Copy or fetch the file again",
        )
    return np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(entry.shape)


def _entry(value: bytes, shards: int) -> TensorEntry:
    fields = parse(value)
    shape = _shape(fields)
    shard, offset, size = integer(fields, 3), integer(fields, 4), integer(fields, 5)
    if shard >= shards or max(offset, size) >= 1 << 62:
        raise Malformed(f"an entry in shard {shard} of {shards} at {offset}, {size} bytes")
    return TensorEntry(
        dtype=integer(fields, 1),
        shape=shape,
        shard=shard,
        offset=offset,
        size=size,
        crc=integer(fields, 6),
        shards=shards,
        sliced=7 in fields,
    )


def _shape(fields: Fields) -> tuple[int, ...]:
    extents = []
    for message in fields.get(2, [])[-1:]:
        if not isinstance(message, bytes):
            raise Malformed("a shape that is no message")
        for dimension in parse(message).get(2, []):
            if not isinstance(dimension, bytes):
                raise Malformed("a dimension that is no message")
            extents.append(integer(parse(dimension), 1))
    if len(extents) > _MAX_DIMENSIONS or any(extent >= 1 << 40 for extent in extents):
        raise Malformed("a shape that no tensor has")
    return tuple(extents)


def _fixed32(number: int, value: int) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<I", value)
