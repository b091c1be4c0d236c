"""A session without camera and network: what it shows is what a test says. And a client for its server."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from actionbench.live.decision import Decision
from actionbench.live.events import ActionEvent, SessionHeader
from actionbench.live.frame import Frame
from actionbench.live.labelling import PersonLabel
from actionbench.live.measurements import Measurements
from actionbench.live.outputs.output import Shown
from actionbench.live.web.address import WebAddress
from actionbench.live.web.server import WebServer

HEADER = SessionHeader(
    source="entrance.mp4",
    model="a network",
    weights={"rgb": "demo"},
    caveat="demo weights: the labels mean nothing",
    window=16,
    stride=8,
    rate=12.5,
    no_action="the likeliest class is 'other'",
    time="2026-01-01T12:00:00+00:00",
)

TOKEN = "a-token-for-the-tests"


class FakeSession:
    """Gives frames and labels to a server; its frames follow one another at 10 a second of its timeline."""

    def __init__(
        self, labels: Sequence[str] = ("falling", "walking", "other"), address: WebAddress | None = None
    ) -> None:
        self.labels = labels
        self.measurements = Measurements(HEADER.stride, (str(HEADER.caveat),))
        self.server = WebServer(address or WebAddress("127.0.0.1", 0), HEADER, labels, self.measurements)
        self.port = self.server.address.port
        self.number = 0
        self.decision: Decision | None = None

    def frame(self, size: tuple[int, int] = (48, 64), value: int = 128) -> None:
        """One more frame, with the last label on it."""
        frame = Frame(np.full((*size, 3), value, np.uint8), self.number, self.number / 10, time.monotonic())
        decision = self.decision
        top = () if decision is None else tuple(zip(self.labels, map(float, decision.smoothed), strict=True))
        self.server.frame(frame, Shown(decision, 0.12, top, self.measurements.status()))
        self.number += 1

    def decide(self, *probabilities: float, label: str | None = None) -> None:
        """A label and its frame."""
        smoothed = np.array(probabilities, np.float32)
        self.decision = Decision(label, float(smoothed.max()), smoothed)
        self.frame()

    def people(self, *labels: PersonLabel) -> None:
        """A frame with persons; the first one's label is that of the picture."""
        frame = Frame(np.full((48, 64, 3), 128, np.uint8), self.number, self.number / 10, time.monotonic())
        first = labels[0] if labels else None
        decision = None if first is None else first.decision
        person = None if first is None or decision is None else first.person.id
        self.server.frame(frame, Shown(decision, 0.12, (), self.measurements.status(), labels, person))
        self.number += 1

    def event(
        self, id: str, state: Any, label: str, start_s: float, end_s: float | None, **more: Any
    ) -> None:
        """An event of an action; `more`: its person and zone."""
        seen_s = start_s + 1 if end_s is None else end_s
        seen = ActionEvent(
            id=id,
            state=state,
            label=label,
            start_s=start_s,
            end_s=end_s,
            confidence=0.75,
            window_start_s=0.0,
            window_end_s=seen_s,
            age_s=0.12,
            window=16,
            stride=8,
            rate=12.5,
            model="a network",
            time="2026-01-01T12:00:00+00:00",
            **more,
        )
        self.server.event(seen)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        """The answer to one request, and its body. Headers: `_` stands for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    @contextmanager
    def viewer(self) -> Iterator[Viewer]:
        """Somebody who has the page open."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/events")
            yield Viewer(connection.getresponse())
        finally:
            connection.close()


class Viewer:
    """Reads the messages of /events."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer

    def message(self) -> dict[str, Any]:
        """The next message."""
        line = self.answer.readline()
        assert line.startswith(b"data: "), line
        assert self.answer.readline() == b"\n"
        message: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
        return message
