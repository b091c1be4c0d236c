"""What is asked for of an archive set: the settings of `bench data fetch`, each declared once."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .... import settings
from ....errors import UsageError
from ....settings import NAMES, TEXT, WHOLE, Kind, documented, setting, settings_of
from .archive_set import set_names

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def _bytes(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT]?)B?\s*", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    unit = found[2].replace("K", "k")
    return round(float(found[1]) * _UNITS[unit])


def bytes_in_words(number: float) -> str:
    """A number of bytes such as "512 MB"; units are powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def absolute(text: str) -> str:
    """A path that exists, made absolute; other text unchanged."""
    return str(Path(text).absolute()) if Path(text).exists() else text


SIZE = Kind("size", "a number of bytes, such as 500MB", str, "SIZE", _bytes, bytes_in_words)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What is fetched of an archive set, and how.

    Raises UsageError for a value that is out of range.
    """

    archives: str = setting(TEXT, "archive set: a name, or a YAML file that describes one", "")
    split: str = setting(TEXT, "split, by its name in the set, such as `train`, `val`, `test`", "val")
    per_class: int | None = setting(
        WHOLE, "number of videos of each class, the first in a seeded order; by default all", None
    )
    seed: int = setting(WHOLE, "seed of that order", 0)
    classes: tuple[str, ...] = setting(NAMES, "class names; by default all", ())
    mirror: str | None = setting(
        TEXT, "base of the addresses in place of the set's own: a URL or a folder with the same files", None
    )
    parts_at_once: int = setting(WHOLE, "number of archives that are read at the same time", 2)
    limit_rate: int | None = setting(
        SIZE,
        "most bytes a second that are read, all archives together, such as 10MB; by default no limit",
        None,
    )
    spool: int = setting(
        SIZE,
        "with `--keep none`: most bytes of videos that lie on the disk at the same time, "
        "besides those that are timed",
        500 * 10**6,
    )

    def __post_init__(self) -> None:
        for name, least in (
            ("per_class", 1),
            ("seed", 0),
            ("parts_at_once", 1),
            ("limit_rate", 1),
            ("spool", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(
                    "is too small",
                    where="--" + name.replace("_", "-"),
                    expected=f"at least {least}",
                    found=value,
                )

    def resolved(self) -> FetchRequest:
        """The same with paths made absolute, so that a run can be resumed from any folder."""
        return replace(
            self,
            archives=self.archives if self.archives in set_names() else absolute(self.archives),
            mirror=None if self.mirror is None else absolute(self.mirror),
        )

    def name(self, title: str) -> str:
        """Name of the videos in reports; `title`: of the set."""
        number = "all videos" if self.per_class is None else f"{self.per_class} per class, seed {self.seed}"
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"{title} {self.split}, {number}{classes}"


FetchRequest.__doc__ = documented(FetchRequest)

SETTINGS = settings_of(FetchRequest)
"""Name → setting."""


def from_mapping(raw: dict[str, Any], where: str) -> FetchRequest:
    """The request from plain values (options, run.json); see `settings.from_mapping`."""
    return settings.from_mapping(FetchRequest, raw, where)
