"""What a command says of a disk that refuses something."""

from __future__ import annotations


def error_of(said: str) -> str:
    """The error that a command ended with: one, in one line, the last."""
    assert "Traceback" not in said, said
    *_, last = lines = said.splitlines()
    assert [line for line in lines if line.startswith("bench: ")] == [last], said
    return last
