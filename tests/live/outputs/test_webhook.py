"""Deliveries to receivers that are slow, fail, or are not there; the session is never kept waiting."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from actionbench.errors import UsageError
from actionbench.live.events import ActionEvent
from actionbench.live.outputs.webhook import DeliveryPolicy, Webhook
from actionbench.typed_values import typed

from ..making import event
from .receiver import Receiver, receiving

HASTE = DeliveryPolicy(timeout_s=10, attempts=3, pause_s=0.01, most_waiting=4, closing_s=20)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as state:
        yield state


def hook(
    address: str, said: list[str], policy: DeliveryPolicy = HASTE, labels: tuple[str, ...] | None = None
) -> Webhook:
    return Webhook(f"{address}/hooks/secret", labels, said.append, policy)


def test_events_of_chosen_classes_come_in_their_order_as_they_are(receiver: Receiver) -> None:
    said: list[str] = []
    output = hook(receiver.address, said, labels=("falling",))
    sent = [event("start"), event("update"), event("end"), event("cleared"), event(label="running")]
    for each in sent:
        output.event(each)
    output.close()
    assert [typed(ActionEvent, raw) for raw in receiver.received] == [sent[0], sent[2], sent[3]]
    assert {each["Content-Type"] for each in receiver.headers} == {"application/json"}
    assert (output.delivered, output.failed, output.given_up, said) == (3, 0, 0, [])


@pytest.mark.parametrize("status", [500, 503, 429, 0])
def test_what_may_pass_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.statuses += [status, status]
    said: list[str] = []
    output = hook(receiver.address, said)
    output.event(event())
    output.close()
    assert len(receiver.received) == 3
    assert (output.delivered, output.failed, said) == (1, 0, [])


def test_what_stays_wrong_is_counted_and_told_once_until_it_is_over(receiver: Receiver) -> None:
    receiver.statuses += [500] * 6
    said: list[str] = []
    output = hook(receiver.address, said)
    for number in range(4):
        output.event(event(id=str(number)))
    output.close()
    assert (output.delivered, output.failed) == (2, 2)
    assert said == [
        f"webhook {receiver.address}: answered HTTP 500",
        f"webhook {receiver.address}: events are delivered again",
        f"webhook {receiver.address}: 2 of 4 events were not delivered",
    ]


def test_what_the_receiver_refuses_is_not_tried_again(receiver: Receiver) -> None:
    receiver.statuses += [404]
    said: list[str] = []
    output = hook(receiver.address, said)
    output.event(event())
    output.close()
    assert (len(receiver.received), output.failed) == (1, 1)
    assert said[0] == f"webhook {receiver.address}: answered HTTP 404"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    with receiving() as elsewhere:
        receiver.statuses, receiver.redirect = [status], f"{elsewhere.address}/steal"
        said: list[str] = []
        output = hook(receiver.address, said)
        output.event(event())
        output.close()
        assert elsewhere.received == []
    assert "redirects are not followed" in said[0]


def test_a_receiver_that_hangs_keeps_nobody_waiting(receiver: Receiver) -> None:
    """The queue is bounded, the oldest is given up, and the end of the session waits no longer than asked."""
    receiver.holding.clear()
    said: list[str] = []
    output = hook(receiver.address, said, replace(HASTE, timeout_s=20, closing_s=0.2))
    begin = time.monotonic()
    output.event(event(id="first"))
    assert receiver.begun.acquire(timeout=5)
    for number in range(20):
        output.event(event(id=str(number)))
    assert time.monotonic() - begin < 4
    begin = time.monotonic()
    output.close()
    assert time.monotonic() - begin < 2
    assert (output.delivered, output.given_up) == (0, 21)
    assert said == [f"webhook {receiver.address}: 21 of 21 events were not delivered"]
    receiver.holding.set()
    output._thread.join(5)


def test_a_slow_receiver_gets_everything_before_the_end(receiver: Receiver) -> None:
    receiver.holding.clear()
    said: list[str] = []
    output = hook(receiver.address, said, HASTE)
    output.event(event())
    assert receiver.begun.acquire(timeout=5)
    output.event(event("end"))
    receiver.holding.set()
    output.close()
    assert [raw["state"] for raw in receiver.received] == ["start", "end"]


def test_an_answer_that_does_not_come_is_a_failure(receiver: Receiver) -> None:
    receiver.holding.clear()
    said: list[str] = []
    output = hook(receiver.address, said, replace(HASTE, timeout_s=0.1, attempts=2))
    output.event(event())
    output.close()
    assert (output.delivered, output.failed) == (0, 1)
    assert said[0] == f"webhook {receiver.address}: could not be reached: timed out"


def test_a_receiver_that_is_not_there_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    said: list[str] = []
    output = hook(address, said)
    output.event(event())
    output.close()
    assert said[0].startswith(f"webhook {address}: could not be reached: ")
    assert not any("secret" in line for line in said)
    assert output.failed == 1


def test_the_end_of_the_session_cuts_a_pause_short() -> None:
    said: list[str] = []
    output = hook("http://127.0.0.1:9", said, replace(HASTE, pause_s=60, closing_s=0.1))
    output.event(event())
    begin = time.monotonic()
    output.close()
    output._thread.join(5)
    assert time.monotonic() - begin < 3
    assert "1 of 1 events were not delivered" in said[-1]


def test_other_addresses_are_refused() -> None:
    with pytest.raises(UsageError, match="--webhook: is not an address"):
        Webhook("ftp://x.org/hook", None, print)


@pytest.mark.parametrize(
    "address", ["http://secret..x.org/", f"http://{'secret' * 20}.org/", "http://x.org/secret\x01"]
)
def test_an_address_that_would_end_its_thread_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(UsageError, match="--webhook: is not an address that can be used") as caught:
        Webhook(address, None, print)
    assert "secret" not in str(caught.value)
