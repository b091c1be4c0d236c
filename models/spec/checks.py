"""What the values of a description are checked for."""

from __future__ import annotations

from ...errors import UsageError


def require_one_of(where: str, field: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"`{field}` is unknown", where=where, expected=" or ".join(map(str, known)), found=value
        )


def require_whole(where: str, field: str, *values: object) -> None:
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(
                f"`{field}` makes no sense", where=where, expected="a whole number from 1 on", found=value
            )
