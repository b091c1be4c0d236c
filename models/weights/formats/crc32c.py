"""The checksum inside TensorFlow's checkpoints: CRC-32C (Castagnoli, RFC 3720 appendix B.4), masked."""

from __future__ import annotations

import google_crc32c


def masked_crc32c(data: bytes) -> int:
    """CRC-32C of `data`, masked as LevelDB tables and TensorFlow store it, 0 ≤ value < 2³².

    Masked means rotated right by 15 bits, plus a constant (`Mask` in tsl/lib/hash/crc32c.h).
    """
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
