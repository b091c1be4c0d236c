"""LevelDB tables, read and written: the container of TensorFlow's checkpoint index.

Layout (google/leveldb, doc/table_format.md): blocks of sorted, prefix-compressed keys and their values,
an index block with the places of the blocks, a footer of 48 bytes. Every block ends with the positions
where keys are whole ("restarts"), a compression type and a masked CRC-32C.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from .crc32c import masked_crc32c
from .protobuf import Malformed, read_varint, varint

_MAGIC: Final = 0xDB4775248B80FB57
_FOOTER_BYTES: Final = 48
_TRAILER_BYTES: Final = 5  # compression type, then the masked CRC
_RESTART_INTERVAL: Final = 16
# Prefix compression lets a small file stand for very long keys; no tensor has such a name.
_MAX_KEY_BYTES: Final = 4096


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the table `data` in order. Raises Malformed for a damaged one."""
    if len(data) < _FOOTER_BYTES or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
        raise Malformed("no LevelDB footer at the end")
    footer = data[-_FOOTER_BYTES:]
    _, _, at = _handle(footer, 0)
    offset, size, _ = _handle(footer, at)
    last: bytes | None = None
    for _, handle in _block(data, offset, size):
        block_offset, block_size, _ = _handle(handle, 0)
        for key, value in _block(data, block_offset, block_size):
            if last is not None and key <= last:
                raise Malformed("keys out of order")
            last = key
            yield key, value
    if last is None:
        raise Malformed("an empty table")


def _handle(data: bytes, at: int) -> tuple[int, int, int]:
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return offset, size, at


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    end = offset + size
    if size < 4 or end + _TRAILER_BYTES > len(data) - _FOOTER_BYTES:
        raise Malformed("a block outside the file")
    if data[end] != 0:
        raise Malformed(f"compressed blocks (type {data[end]}), which TensorFlow does not write")
    (crc,) = struct.unpack_from("<I", data, end + 1)
    if masked_crc32c(data[offset : end + 1]) != crc:
        raise Malformed("a block with a wrong checksum")
    (restarts,) = struct.unpack_from("<I", data, end - 4)
    if 4 * (restarts + 1) > size:
        raise Malformed("a block with a wrong count of restarts")
    entries = data[offset : end - 4 * (restarts + 1)]
    key, at = b"", 0
    while at < len(entries):
        shared, at = read_varint(entries, at)
        unshared, at = read_varint(entries, at)
        length, at = read_varint(entries, at)
        if shared > len(key) or at + unshared + length > len(entries) or shared + unshared > _MAX_KEY_BYTES:
            raise Malformed("an entry outside its block")
        key = key[:shared] + entries[at : at + unshared]
        at += unshared
        yield key, entries[at : at + length]
        at += length


def write_table(entries: list[tuple[bytes, bytes]]) -> bytes:
    """The bytes of a table with one data block; `entries`: (key, value), the keys in ascending order.

    LevelDB's block size is a target, not a limit.
    """
    data = _sealed(_pack(entries))
    meta = _sealed(_pack([]))
    data_handle = varint(0) + varint(len(data) - _TRAILER_BYTES)
    meta_handle = varint(len(data)) + varint(len(meta) - _TRAILER_BYTES)
    index = _sealed(_pack([(entries[-1][0], data_handle)]))
    index_handle = varint(len(data) + len(meta)) + varint(len(index) - _TRAILER_BYTES)
    footer = (meta_handle + index_handle).ljust(_FOOTER_BYTES - 8, b"\0") + struct.pack("<Q", _MAGIC)
    return data + meta + index + footer


def _pack(entries: list[tuple[bytes, bytes]]) -> bytes:
    packed, restarts, last = bytearray(), [0], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % _RESTART_INTERVAL:
            while shared < min(len(last), len(key)) and last[shared] == key[shared]:
                shared += 1
        elif number:
            restarts.append(len(packed))
        packed += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return bytes(packed) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def _sealed(block: bytes) -> bytes:
    return block + b"\0" + struct.pack("<I", masked_crc32c(block + b"\0"))
