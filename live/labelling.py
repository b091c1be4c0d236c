"""Who has which label: one of the whole picture, or one of each person in it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .decision import Decider, Decision
from .events import ActionEvent
from .people.finder import Present
from .recognition import Recognised


@dataclass(frozen=True, slots=True, eq=False)
class PersonLabel:
    """A person in the picture, with the latest decision and its age; None before the first one."""

    person: Present
    decision: Decision | None
    age_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The labels at one moment.

    - `decision`: the latest one, None before the first; `age_s`: how old its window's last frame was then.
      With people: that of `person`, who acts with the highest confidence, or else was seen first.
    - `people`: who is in the picture; None where nobody is looked for, and before the first frame.
    """

    decision: Decision | None = None
    age_s: float | None = None
    people: tuple[PersonLabel, ...] | None = None
    person: int | None = None


Show = Callable[[Labelled, Sequence[ActionEvent]], None]
"""Is given the labels whenever they change, and the events that the change brought about."""


class Labelling:
    """Makes labels of answers, for each person by a decider of their own; any thread may call any method.

    - `decider`: of the whole picture; that of a person decides by the same rules.
    - `show`: called by one thread at a time, in the order of the changes.
    """

    def __init__(self, decider: Decider, show: Show) -> None:
        self._decider, self._show = decider, show
        self._lock = threading.Lock()
        self._of: dict[int, Decider] = {}
        self._present: tuple[Present, ...] = ()
        self._latest: dict[int, tuple[Decision, float]] = {}
        self._since_s = 0.0

    @property
    def watched(self) -> set[int]:
        """Ids of the persons who are recognised."""
        return {person.id for person in self._present if person.watched}

    def seen(self, people: tuple[Present, ...], time_s: float) -> None:
        """Who is in the picture at `time_s` of the timeline.

        The actions of persons who have left it, or all zones, end; after `clear_after_s` they are cleared.
        """
        with self._lock:
            self._present = people
            ids, watched = {person.id for person in people}, self.watched
            events: list[ActionEvent] = []
            for id in [id for id in self._of if id not in watched]:
                self._latest.pop(id, None)
                events += self._of[id].finish(time_s)
                if id not in ids and self._of[id].over:
                    del self._of[id]
            self._show(self._people(), events)

    def begin_anew(self, time_s: float) -> None:
        """Pictures are missing before `time_s` of the timeline: the label before them is none of now."""
        with self._lock:
            self._since_s = time_s
            self._show(Labelled(), ())

    def lost(self, time_s: float) -> None:
        """No picture has come for a while after `time_s` of the timeline: what goes on ends."""
        with self._lock:
            self._latest.clear()
            self._show(Labelled(), self._ended(time_s))

    def answered(self, recognised: Recognised) -> None:
        """The answer to a window; that of a person who is not watched any more is left out."""
        with self._lock:
            if (id := recognised.person) is None:
                decision = self._decider.update(recognised)
                is_new = recognised.start_s >= self._since_s
                labelled = Labelled(decision, recognised.age_s) if is_new else Labelled()
                self._show(labelled, decision.events)
            elif id in self.watched:
                if id not in self._of:
                    self._of[id] = self._decider.for_person(id)
                decision = self._of[id].update(recognised)
                self._latest[id] = (decision, recognised.age_s)
                self._show(self._people(), decision.events)

    def finish(self, time_s: float) -> tuple[ActionEvent, ...]:
        """The events of the session's end: what goes on ends."""
        with self._lock:
            return self._ended(time_s)

    def _ended(self, time_s: float) -> tuple[ActionEvent, ...]:
        deciders = [self._decider, *self._of.values()]
        return tuple(event for each in deciders for event in each.finish(time_s))

    def _people(self) -> Labelled:
        people = tuple(
            PersonLabel(person, *self._latest.get(person.id, (None, None))) for person in self._present
        )
        decided = [(each.decision, each) for each in people if each.decision is not None]
        if not decided:
            return Labelled(people=people)
        decision, first = max(
            decided, key=lambda each: 0.0 if each[0].label is None else each[0].confidence
        )  # the first of equals
        return Labelled(decision, first.age_s, people, first.person.id)
