"""Events to a web address, from a thread of its own: a receiver that is slow or away delays nothing."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

import httpx2

from ...errors import UsageError
from ..events import ActionEvent
from .address import Address, parse_address

PORTS = {"http": 80, "https": 443}
"""Scheme → its port."""

RETRIED = {408, 425, 429, 500, 502, 503, 504}
"""Statuses after which another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """Limits of a delivery.

    - `timeout_s`: seconds to connect, to send, and to wait for the answer.
    - `attempts`: attempts for each event.
    - `pause_s`: seconds before the second attempt; doubled for each later one.
    - `most_waiting`: events that wait at most; the oldest one is given up for a new one.
    - `closing_s`: seconds that the end of a session waits for what is not delivered yet.
    """

    timeout_s: float = 5.0
    attempts: int = 4
    pause_s: float = 1.0
    most_waiting: int = 100
    closing_s: float = 5.0


def webhook_address(url: str) -> Address:
    """The address of a webhook. Raises UsageError for one that cannot be used."""
    address = parse_address("--webhook", url, PORTS)
    try:
        # As the client and the resolver will do it, in a thread that such an error would end.
        httpx2.URL(url).raw_host.decode("ascii").encode("idna")
    except (httpx2.InvalidURL, UnicodeError):
        raise UsageError(
            "is not an address that can be used",
            where="--webhook",
            expected="a host name of parts with 1 to 63 characters, and no control characters",
        ) from None
    return address


class Webhook:
    """Posts the starts, ends and clearings of chosen classes as JSON, in their order; see `ActionEvent`.

    No redirect is followed: events go to the address that was named, and to no other.

    - `url`: http or https; a name and password in it are sent as basic authentication.
    - `labels`: classes whose events are sent; None for all.
    - `say`: is told, from another thread, of the first event in a row that could not be delivered, of the
      first one that could be again, and at the end how many could not.
    - `policy`: limits.

    `delivered`, `failed` and `given_up` count events; those given up were never tried to the end.

    Raises UsageError as `webhook_address` does.
    """

    def __init__(
        self,
        url: str,
        labels: Collection[str] | None,
        say: Callable[[str], None],
        policy: DeliveryPolicy | None = None,
    ) -> None:
        self._name = f"webhook {webhook_address(url).public}"
        self._url, self._labels, self._say = url, labels, say
        self._policy = DeliveryPolicy() if policy is None else policy
        self.delivered = self.failed = self.given_up = 0
        self._waiting: deque[ActionEvent] = deque()
        self._changed = threading.Condition()
        self._ends_s: float | None = None
        self._failing = False
        self._in_hand = False  # an event is being delivered
        self._thread = threading.Thread(target=self._deliver_all, name="webhook", daemon=True)
        self._thread.start()

    def event(self, event: ActionEvent) -> None:
        """Send the event when its turn comes; returns at once."""
        if event.state == "update" or (self._labels is not None and event.label not in self._labels):
            return
        with self._changed:
            if len(self._waiting) >= self._policy.most_waiting:
                self._waiting.popleft()
                self.given_up += 1
            self._waiting.append(event)
            self._changed.notify()

    def close(self) -> None:
        """Wait up to `closing_s` for what is not delivered, then give it up, and tell of it."""
        with self._changed:
            self._ends_s = time.monotonic() + self._policy.closing_s
            self._changed.notify()
        # What still waits for an answer then is not waited for: the thread ends with the process.
        self._thread.join(self._policy.closing_s + 0.1)
        with self._changed:
            self.given_up += len(self._waiting) + self._in_hand
            self._in_hand = False
            self._waiting.clear()
        if missing := self.failed + self.given_up:
            self._say(f"{self._name}: {missing} of {missing + self.delivered} events were not delivered")

    def _deliver_all(self) -> None:
        with httpx2.Client(timeout=self._policy.timeout_s, follow_redirects=False) as client:
            while (event := self._next()) is not None:
                problem = self._deliver(client, event)
                with self._changed:
                    if not self._in_hand:  # the session is over, and the event was given up
                        return
                    self._in_hand = False
                    if problem is None:
                        self.delivered += 1
                    else:
                        self.failed += 1
                if (problem is not None) != self._failing:
                    self._failing = problem is not None
                    self._say(f"{self._name}: {'events are delivered again' if problem is None else problem}")

    def _next(self) -> ActionEvent | None:
        """The next event; waits for one. None when the session is over and nothing or no time is left."""
        with self._changed:
            while not self._waiting and self._ends_s is None:
                self._changed.wait()
            if not self._waiting or self._is_over():
                return None
            self._in_hand = True
            return self._waiting.popleft()

    def _is_over(self) -> bool:
        return self._ends_s is not None and time.monotonic() >= self._ends_s

    def _deliver(self, client: httpx2.Client, event: ActionEvent) -> str | None:
        """None if it was delivered, else what was wrong with the last attempt."""
        problem = ""
        for attempt in range(self._policy.attempts):
            if attempt and not self._paused(self._policy.pause_s * 2 ** (attempt - 1)):
                break
            try:
                # The body of the answer is not read.
                with client.stream(
                    "POST",
                    self._url,
                    content=event.to_json(),
                    headers={"Content-Type": "application/json", "User-Agent": "actionbench"},
                ) as response:
                    status = response.status_code
            except httpx2.TransportError as error:
                problem = f"could not be reached: {error or type(error).__name__}"
                continue
            except httpx2.HTTPError as error:
                return f"answered what is no HTTP: {error}"
            if 200 <= status < 300:
                return None
            problem = f"answered HTTP {status}"
            if 300 <= status < 400:
                return f"{problem}: redirects are not followed; name the final address"
            if status not in RETRIED:
                return problem
        return problem

    def _paused(self, seconds: float) -> bool:
        """Wait; False if the session ended meanwhile and no time is left."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self._is_over() and (left := until - time.monotonic()) > 0:
                end = self._ends_s
                self._changed.wait(left if end is None else max(0.0, min(left, end - time.monotonic())))
            return not self._is_over()
