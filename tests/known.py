"""What a type allows to be absent, and a test knows to be there."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")


def known(value: Value | None) -> Value:
    """`value`, which is not None."""
    assert value is not None
    return value
