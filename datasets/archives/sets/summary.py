"""What a delivery came to: videos of each class, those passed over and why, what is wrong with archives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ....atomic import write_file
from ....plain_text import plain_line
from ....settings import to_plain
from .split import OpenSplit

RECORD = "selection.json"
"""Name of the record in a folder of videos, and in a run directory."""

_MOST_LINES = 20
"""Of each kind of remark that are shown; the record has all."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a delivery came to.

    - `videos`: class → number of videos. `asked`: number of each class that was asked for, None for all.
    - `passed_over`: class → key of a video that came before the last one taken and cannot be used → reason.
    - `refused`: address of an archive → members that were not read, with the reason.
    - `damaged`: address of an archive → why it could not be read to its end.
    """

    videos: Mapping[str, int]
    asked: int | None
    passed_over: Mapping[str, Mapping[str, str]]
    refused: Mapping[str, tuple[str, ...]]
    damaged: Mapping[str, str]

    @property
    def shortfalls(self) -> dict[str, int]:
        """Class → number of videos, where it is less than what was asked for."""
        return {label: n for label, n in self.videos.items() if self.asked is not None and n < self.asked}

    def lines(self, record: Path) -> Iterator[str]:
        """The summary for people. `record`: file with all that is left out here."""
        total = sum(self.videos.values())
        over = [(label, key, why) for label, keys in self.passed_over.items() for key, why in keys.items()]
        yield f"{total} videos of {sum(n > 0 for n in self.videos.values())} classes"
        replaced = (
            "left out" if self.asked is None else "replaced by the next of its class, where there is one"
        )
        remarks = (
            [f"{label}: {n} of {self.asked} videos" for label, n in self.shortfalls.items()],
            [f"{archive}: {reason}" for archive, reason in self.damaged.items()],
            [f"{archive}: refused: {text}" for archive, texts in self.refused.items() for text in texts],
            [f"{label or 'no class'}: {key} {replaced}: {why}" for label, key, why in over],
        )
        for kind in remarks:
            yield from (f"  {plain_line(remark)}" for remark in kind[:_MOST_LINES])
            if len(kind) > _MOST_LINES:
                yield f"  … and {len(kind) - _MOST_LINES} more like these, in {record}"


def summarise(split: OpenSplit, unusable: Mapping[str, str]) -> Summary:
    """The summary of a delivery that has ended. `unusable`: from `Delivery.unusable`."""
    chosen = {label: split.selection.chosen(label, unusable) for label in split.selection.classes}
    indexes = {a.public: a.index for a in split.archives if a.index is not None}
    return Summary(
        videos={label: len(each.taken) for label, each in chosen.items()},
        asked=split.selection.per_class,
        passed_over={
            label: {key: unusable[key] for key in each.passed_over}
            for label, each in chosen.items()
            if each.passed_over
        },
        refused={address: index.refused for address, index in indexes.items() if index.refused},
        damaged={address: index.damage for address, index in indexes.items() if index.damage is not None},
    )


def record_of(split: OpenSplit, summary: Summary) -> dict[str, Any]:
    """What is kept of a delivery: the set with the sources of its facts, the request, the summary."""
    found = split.set
    return {
        "request": to_plain(split.request),
        "title": found.title,
        "licence": found.licence,
        "terms": found.terms,
        "sources": dict(found.sources),
        "archives": [
            {
                "address": archive.public,
                "bytes": archive.size,
                "version": archive.version,
                "verified": () if archive.index is None else archive.index.verified,
            }
            for archive in split.archives
        ],
        **asdict(summary),
    }


def write_record(path: Path, split: OpenSplit, summary: Summary) -> None:
    """Write `record_of` as JSON."""
    write_file(path, json.dumps(record_of(split, summary), ensure_ascii=False, indent=1))
