"""Which labels are noted for which frame, where there are persons and where there are none."""

from __future__ import annotations

import numpy as np

from actionbench.bench.worker.live_videos import Recorder
from actionbench.live.decision import Decision
from actionbench.live.frame import Frame
from actionbench.live.labelling import PersonLabel
from actionbench.live.measurements import Measurements
from actionbench.live.outputs.output import Shown
from actionbench.live.people.finder import Present
from actionbench.records.live import LabelTimeline, ShownLabel

STATUS = Measurements().status()


def decision(label: str | None) -> Decision:
    return Decision(label, 0.9, np.array([0.9, 0.1], np.float32))


def noted(*shown: tuple[Decision | None, tuple[PersonLabel, ...] | None]) -> LabelTimeline:
    """The timeline of frames at 0, 1, 2, … s."""
    recorder = Recorder(lambda *_: None)
    for number, (each, people) in enumerate(shown):
        frame = Frame(np.zeros((4, 4, 3), np.uint8), number, float(number), 0.0)
        recorder.frame(frame, Shown(each, None, (), STATUS, people))
    recorder.close()
    return recorder.timeline


def test_changes_are_noted_from_the_first_decision_on() -> None:
    """After a gap there is no decision any more: no label, and not the one before it."""
    found = noted(
        (None, None),
        (decision(None), None),
        (decision("falling"), None),
        (decision("falling"), None),
        (None, None),
        (decision("walking"), None),
    )
    assert found == LabelTimeline(
        (
            ShownLabel(1.0, 0.0, ()),
            ShownLabel(2.0, 0.0, ("falling",)),
            ShownLabel(4.0, 0.0, ()),
            ShownLabel(5.0, 0.0, ("walking",)),
        ),
        5.0,
    )


def test_of_several_persons_all_labels_count() -> None:
    """From the first frame on, in which nobody is there: a camera without persons raises no alarm either."""

    def person(id: int, label: str | None) -> PersonLabel:
        return PersonLabel(Present(id, (0.0, 0.0, 1.0, 1.0), None, True), decision(label), 0.0)

    waiting = PersonLabel(Present(3, (0.0, 0.0, 1.0, 1.0), None, True), None, None)
    found = noted(
        (None, ()),
        (None, (waiting,)),
        (decision("walking"), (person(1, "walking"), person(2, "falling"), waiting)),
        (decision("walking"), (person(1, "walking"), person(2, None))),
    )
    assert found.labels == (
        ShownLabel(0.0, 0.0, ()),
        ShownLabel(2.0, 0.0, ("falling", "walking")),
        ShownLabel(3.0, 0.0, ("walking",)),
    )
