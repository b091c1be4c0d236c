"""The protocol buffers wire format, as much of it as TensorFlow's checkpoint index uses.

Source: protobuf.dev, "Encoding". Messages are read into field number → values in order, unnamed.
"""

from __future__ import annotations

from collections.abc import Mapping

Fields = Mapping[int, list["int | bytes"]]


class Malformed(Exception):
    """Bytes that do not follow their format. The reader of a file turns it into a WeightsError."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The variable-length integer at `at`, below 2⁶⁴, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise Malformed("the data ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                break
            return value, at
    raise Malformed("a number longer than 64 bits")


def varint(value: int) -> bytes:
    """`value`, 0 or more, as a variable-length integer."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def parse(message: bytes) -> Fields:
    """The fields of a message: integers for the wire types 0, 1 and 5, bytes for 2."""
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        value: int | bytes
        if wire_type == 0:
            value, at = read_varint(message, at)
        else:
            if wire_type == 2:
                length, at = read_varint(message, at)
            elif wire_type in (1, 5):
                length = 8 if wire_type == 1 else 4
            else:
                raise Malformed(f"wire type {wire_type} in a message")
            if at + length > len(message):
                raise Malformed("a field that is longer than its message")
            value = message[at : at + length]
            at += length
            if wire_type != 2:
                value = int.from_bytes(value, "little")
        fields.setdefault(number, []).append(value)
    return fields


def integer(fields: Fields, number: int) -> int:
    """The integer in field `number`, 0 where it is absent, as in proto3."""
    value = fields.get(number, [0])[-1]
    if isinstance(value, bytes):
        raise Malformed(f"bytes in field {number}, where a number belongs")
    return value


def field(number: int, value: int) -> bytes:
    """Field `number` with an integer; nothing for 0, the default."""
    return varint(number << 3) + varint(value) if value else b""


def submessage(number: int, message: bytes) -> bytes:
    """Field `number` with the bytes of a message."""
    return varint(number << 3 | 2) + varint(len(message)) + message
