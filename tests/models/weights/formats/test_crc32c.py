"""The checksum of checkpoints against published values and a register that moves one bit at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.models.weights.formats.crc32c import masked_crc32c


def unmasked(value: int) -> int:
    """The CRC that was masked: `Unmask` in tsl/lib/hash/crc32c.h."""
    rotated = (value - 0xA282EAD8) % 2**32
    return (rotated >> 17 | rotated << 15) % 2**32


def bit_by_bit(message: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in message:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("message", "expected"),
    [  # RFC 3720, B.4, and the catalogue's check value for "123456789"
        (b"", 0),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
    ],
)
def test_published_values(message: bytes, expected: int) -> None:
    assert unmasked(masked_crc32c(message)) == expected


@given(st.binary(max_size=700))
def test_equals_the_definition(message: bytes) -> None:
    assert unmasked(masked_crc32c(message)) == bit_by_bit(message)


def test_masking_is_that_of_a_published_file() -> None:
    # The trailer of the second block of DeepMind's rgb_imagenet/model.ckpt.index: an empty metaindex.
    assert masked_crc32c(bytes.fromhex("000000000100000000")) == 0xB0A1F2C0
