"""CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum inside TensorFlow's checkpoints, in numpy.

A CRC is linear over GF(2), so a long message is cut into equal lanes whose registers advance together,
one numpy operation per byte of a lane, and the lanes are then joined pairwise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_POLYNOMIAL: Final = 0x82F63B78  # reflected
_LANES: Final = 4096
_SHORT: Final = 64 * _LANES  # below this many bytes fewer lanes pay

Register = npt.NDArray[np.uint32]


def _byte_table() -> Register:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


_TABLE: Final = _byte_table()


def _apply(operator: Register, registers: Register) -> Register:
    """A linear map of 32-bit words, given as its values on each byte: `operator` is (4, 256)."""
    result: Register = operator[0][registers & 0xFF]
    for byte in (1, 2, 3):
        result = result ^ operator[byte][(registers >> (8 * byte)) & 0xFF]
    return result


def _zeros_operator(n_bytes: int) -> Register:
    """The map from a register to the register after `n_bytes` zero bytes."""
    shifts = np.arange(0, 32, 8, dtype=np.uint32)[:, None]
    identity = np.arange(256, dtype=np.uint32)[None, :] << shifts
    result, power = identity, (identity >> 8) ^ _TABLE[identity & 0xFF]
    while n_bytes:
        if n_bytes & 1:
            result = _apply(power, result)
        power = _apply(power, power)
        n_bytes >>= 1
    return result


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """CRC-32C of `data`, 0 ≤ value < 2³²."""
    message = np.frombuffer(data, dtype=np.uint8)
    if len(message) < 4:
        return _short(bytes(message))
    # Starting from all ones is the same as inverting the first four bytes; leading zeros then change nothing.
    lanes = _LANES if len(message) >= _SHORT else 1 << max(0, (len(message) // 64).bit_length() - 1)
    length = -(-len(message) // lanes)
    padded = np.zeros(lanes * length, dtype=np.uint8)
    start = len(padded) - len(message)
    padded[start:] = message
    padded[start : start + 4] ^= 0xFF
    registers = np.zeros(lanes, dtype=np.uint32)
    for column in np.ascontiguousarray(padded.reshape(lanes, length).T):
        registers = _TABLE[(registers ^ column) & 0xFF] ^ (registers >> 8)
    operator = _zeros_operator(length)
    while len(registers) > 1:
        registers = _apply(operator, registers[0::2]) ^ registers[1::2]
        operator = _apply(operator, operator)
    return int(registers[0]) ^ 0xFFFFFFFF


def _short(message: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in message:
        register = int(_TABLE[(register ^ byte) & 0xFF]) ^ (register >> 8)
    return register ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """The form in which LevelDB tables and TensorFlow store a CRC (tsl/lib/hash/crc32c.h, `Mask`)."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
