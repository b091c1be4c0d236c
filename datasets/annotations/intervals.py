"""From tagged samples to intervals: what a tool for tagging frames does not say, and we infer.

Two rules, of which the user chooses one:

- Runs of a tag: the same tag at consecutive visited samples, no two of them further apart than a few sampling
  steps. An interval reaches half a step beyond its first and last sample, but not beyond the middle
  between them and their visited neighbours.
- Start and end tags: a label at an action's first frame, one tag for all last frames at its last. Nothing is
  added on either side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .tags import Tag

HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class TaggedInterval:
    """A segment of a video with one label, inferred from its tags.

    - `start_s`, `end_s`: seconds from the first frame.
    - `closed`: whether the frames on screen at start and end belong to it, as where they were tagged
      themselves; otherwise the frames that appear in [start, end) do.
    """

    label: str
    start_s: Fraction
    end_s: Fraction
    closed: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Tags of which no interval is made, and why. `start_s`, `end_s`: where they are, in seconds."""

    label: str
    start_s: Fraction
    end_s: Fraction
    reason: str


@dataclass(frozen=True, slots=True)
class Inference:
    """What was made of a video's tags, in the order of time. No tag is left out of both."""

    intervals: tuple[TaggedInterval, ...]
    refusals: tuple[Refusal, ...]


def tag_runs(tags: Sequence[Tag], rate: Fraction, max_gap: int = 1) -> Inference:
    """Intervals by the rule of runs. Those that overlap are refused: a clip has one label.

    - `tags`: of one video, in the order of time.
    - `rate`: samples a second. `max_gap`: most steps of 1 / `rate` between two samples of a run.
    """
    times = [tag.time_s for tag in tags]
    most = max_gap / rate
    open_since: dict[str, int] = {}
    runs: list[tuple[str, int, int]] = []
    for i, tag in enumerate(tags):
        gap = i > 0 and times[i] - times[i - 1] > most
        ended = [label for label in open_since if gap or label not in tag.labels]
        runs += [(label, open_since.pop(label), i - 1) for label in ended]
        for label in tag.labels:
            open_since.setdefault(label, i)
    runs += [(label, first, len(tags) - 1) for label, first in open_since.items()]

    def before(i: int) -> Fraction:
        pad = HALF / rate if i == 0 else min(HALF / rate, (times[i] - times[i - 1]) / 2)
        return max(Fraction(0), times[i] - pad)

    def after(i: int) -> Fraction:
        return times[i] + (
            HALF / rate if i + 1 == len(times) else min(HALF / rate, (times[i + 1] - times[i]) / 2)
        )

    return _without_overlaps(TaggedInterval(label, before(i), after(j), closed=False) for label, i, j in runs)


def _without_overlaps(intervals: Iterable[TaggedInterval]) -> Inference:
    ordered = sorted(intervals, key=lambda each: (each.start_s, each.end_s, each.label))
    overlapped: dict[int, int] = {}
    longest = 0
    for i in range(1, len(ordered)):
        if ordered[i].start_s < ordered[longest].end_s:
            overlapped[i] = longest
            overlapped.setdefault(longest, i)
        if ordered[i].end_s > ordered[longest].end_s:
            longest = i
    refusals = []
    for i, j in sorted(overlapped.items()):
        mine, other = ordered[i], ordered[j]
        reason = f"overlaps '{other.label}' at {_span(other.start_s, other.end_s)}"
        refusals.append(Refusal(mine.label, mine.start_s, mine.end_s, reason))
    kept = [interval for i, interval in enumerate(ordered) if i not in overlapped]
    return Inference(tuple(kept), tuple(refusals))


def start_end_tags(tags: Sequence[Tag], end_tag: str) -> Inference:
    """Intervals by the rule of start and end tags.

    - `tags`: of one video, in the order of time. `end_tag`: the tag that marks last frames.

    Refused are a start without an end before the next start, an end without a start, and a frame with two
    labels or with a label and the end tag.
    """
    intervals: list[TaggedInterval] = []
    refusals: list[Refusal] = []
    start: tuple[str, Fraction] | None = None

    def refuse(label: str, time_s: Fraction, reason: str) -> None:
        refusals.append(Refusal(label, time_s, time_s, reason))

    def drop_open(reason: str) -> None:
        if start is not None:
            refuse(*start, reason)

    for tag in tags:
        if not tag.labels:
            continue
        at = f"{float(tag.time_s):g} s"
        if len(tag.labels) > 1:
            drop_open(f"no end before {at}, where the frame has several tags")
            refuse(
                " + ".join(tag.labels), tag.time_s, "several tags at one frame: it starts or ends one action"
            )
            start = None
        elif tag.labels[0] != end_tag:
            drop_open(f"no end before the next start, '{tag.labels[0]}' at {at}")
            start = (tag.labels[0], tag.time_s)
        elif start is None:
            refuse(end_tag, tag.time_s, "an end without a start before it")
        else:
            intervals.append(TaggedInterval(*start, tag.time_s, closed=True))
            start = None
    drop_open("no end until the end of the video")
    return Inference(tuple(intervals), tuple(sorted(refusals, key=lambda each: each.start_s)))


def _span(start_s: Fraction, end_s: Fraction) -> str:
    return f"{float(start_s):.2f}–{float(end_s):.2f} s"
