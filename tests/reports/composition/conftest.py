"""Compositions as a command would record them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from actionbench.records.composition import Composition, Member

Row = tuple[str, str, str | None, tuple[str | None, ...]]


@pytest.fixture
def made() -> Callable[..., Composition]:
    def make(rows: Sequence[Row], splits: tuple[str, ...] = ("thesis",), **fields: Any) -> Composition:
        """One clip for each (label, "SOURCE/GROUP", official side, parts)."""
        members = tuple(
            Member(label, group.partition("/")[0], group, side, parts) for label, group, side, parts in rows
        )
        labels = tuple(dict.fromkeys(member.label for member in members))
        rest: dict[str, Any] = {"shortcuts": (), "duplicates": (), "pictures_compared": True, "notes": ()}
        return Composition("set", labels, splits, members, **rest | fields)

    return make
