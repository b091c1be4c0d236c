"""Which videos of a set are wanted: N of each class in a seeded order, of those that are available."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from ....errors import UsageError, unknown_name
from ...labels import LabelMatcher
from ...subset import rank


@dataclass(frozen=True, slots=True)
class Chosen:
    """The videos of one class.

    - `taken`: keys of those that are wanted, in the seeded order.
    - `passed_over`: keys of those that come before the last one taken and are not available.
    """

    taken: tuple[str, ...]
    passed_over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The videos that may be taken, and how many.

    - `classes`: label → keys of its videos in the seeded order; "" for videos whose class is not published.
      Labels in alphabetical order.
    - `per_class`: number of videos of each class, None for all.
    """

    classes: Mapping[str, tuple[str, ...]]
    per_class: int | None

    def chosen(self, label: str, unusable: Container[str]) -> Chosen:
        """The videos of a class.

        - `unusable`: keys of videos that are not available. The more of them are known, the further down the
          seeded order the result goes; the order in which they became known does not matter.
        """
        taken: list[str] = []
        passed_over: list[str] = []
        for key in self.classes[label]:
            if len(taken) == self.per_class:
                break
            (passed_over if key in unusable else taken).append(key)
        return Chosen(tuple(taken), tuple(passed_over))

    def wanted(self, unusable: Container[str]) -> dict[str, str]:
        """Key → label of all videos that are wanted, in the order of classes; `unusable`: see `chosen`."""
        return {key: label for label in self.classes for key in self.chosen(label, unusable).taken}


def select(
    videos: Iterable[tuple[str, str | None]], per_class: int | None, seed: int, classes: tuple[str, ...] = ()
) -> Selection:
    """The selection from a list of videos.

    - `videos`: key and class of each; None for a class that is not published.
    - `per_class`: number of videos of each class, None for all.
    - `seed`: of the order, which depends on it and on the keys alone.
    - `classes`: names of the classes that are wanted, as `LabelMatcher` reads them; empty for all.

    The order is that of `bench data subset`: where all videos are available, both choose the same. Raises
    UsageError for an unknown class, and for `per_class` or `classes` where no class is published.
    """
    by_label: dict[str, set[str]] = defaultdict(set)
    for key, label in videos:
        by_label[label or ""].add(key)
    if per_class is not None and per_class < 1:
        raise UsageError("must be at least 1", where="--per-class", found=per_class)
    if set(by_label) == {""} and (per_class is not None or classes):
        raise UsageError(
            "needs the classes of the videos, which this split does not publish",
            where="--classes" if per_class is None else "--per-class",
        )
    matcher = LabelMatcher(by_label)
    for name in classes:
        if matcher(name) is None:
            raise UsageError(str(unknown_name("class", name, by_label)), where="--classes")
    labels = sorted({matcher(name) or name for name in classes} or by_label)
    ordered = {label: tuple(sorted(by_label[label], key=lambda key: rank(seed, key))) for label in labels}
    return Selection(ordered, per_class)
