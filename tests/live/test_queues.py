"""Handing items from one thread to another."""

from __future__ import annotations

import threading

import pytest

from actionbench.live import queues
from actionbench.live.queues import Newest, Turns


def test_the_newest_item_replaces_one_that_nobody_took() -> None:
    hand: Newest[int] = Newest()
    assert hand.put(1) is None
    assert hand.put(2) == 1
    hand.close()
    assert hand.take() == 2
    assert hand.take() is None


def test_the_oldest_of_several_is_replaced_and_the_order_kept() -> None:
    queue: Newest[int] = Newest(3)
    assert [queue.put(n) for n in range(5)] == [None, None, None, 0, 1]
    assert len(queue) == 3
    queue.close()
    assert queue.closed
    assert queue.put(9) == 9, "it takes no more"
    assert [queue.take() for _ in range(4)] == [2, 3, 4, None]


def test_a_lossless_one_waits_until_there_is_room() -> None:
    queue: Newest[int] = Newest(2, lossless=True)
    taken: list[int] = []

    def produce() -> None:
        for n in range(50):
            assert queue.put(n) is None
        queue.close()

    thread = threading.Thread(target=produce)
    thread.start()
    while (item := queue.take()) is not None:
        taken.append(item)
    thread.join()
    assert taken == list(range(50))


def test_closing_releases_one_that_waits_for_room() -> None:
    queue: Newest[int] = Newest(1, lossless=True)
    queue.put(0)
    refused: list[int | None] = []
    thread = threading.Thread(target=lambda: refused.append(queue.put(1)))
    thread.start()
    queue.close()
    thread.join(5)
    assert refused == [1]


def test_items_that_always_have_room_keep_their_place() -> None:
    queue: Newest[int] = Newest(2, always=lambda item: item < 0)
    assert [queue.put(n) for n in (-1, 1, -2, 2, -3, -4, 3)] == [None, None, 1, None, 2, None, None]
    queue.close()
    assert [queue.take() for _ in range(6)] == [-1, -2, -3, -4, 3, None]


def test_items_that_always_have_room_do_not_wait_where_others_do() -> None:
    queue: Newest[int] = Newest(1, lossless=True, always=lambda item: item < 0)
    assert [queue.put(n) for n in (1, -1, -2)] == [None, None, None]
    queue.close()
    assert [queue.take() for _ in range(4)] == [1, -1, -2, None]


def test_items_that_always_have_room_are_refused_where_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST_KEPT", 3)
    queue: Newest[int] = Newest(1, always=lambda item: item < 0)
    assert [queue.put(n) for n in (1, -1, -2, -3, -4, -5, 2)] == [None, 1, None, None, None, -5, None]
    assert (queue.take(), queue.take()) == (-1, -2)
    assert queue.put(-6) == 2, "it has the room"
    queue.close()
    assert [queue.take() for _ in range(5)] == [-3, -4, -6, None, None]


def test_whoever_was_served_longest_ago_is_next_with_the_newest_item() -> None:
    turns: Turns[int, str] = Turns()
    assert turns.put(1, "a1") is None
    assert turns.put(2, "b1") is None
    assert turns.put(1, "a2") == "a1"
    assert turns.take() == "a2", "nobody was served yet: who has waited longest"
    assert turns.put(1, "a3") is None
    assert turns.put(3, "c1") is None
    assert len(turns) == 3
    assert [turns.take() for _ in range(3)] == ["b1", "c1", "a3"], "3 is new, 1 was the last"
    turns.put(1, "a4")
    turns.put(3, "c2")
    assert turns.take() == "c2"


def test_who_has_left_is_forgotten() -> None:
    turns: Turns[int, str] = Turns()
    turns.put(1, "a")
    turns.put(2, "b")
    turns.keep({2})
    turns.close()
    assert turns.put(3, "c") == "c"
    assert (turns.take(), turns.take()) == ("b", None)


def test_lossless_turns_wait_for_each_other() -> None:
    turns: Turns[int, str] = Turns(lossless=True)
    turns.put(1, "a")
    put = threading.Thread(target=turns.put, args=(2, "b"))
    put.start()
    put.join(0.05)
    assert put.is_alive()
    assert turns.take() == "a"
    put.join(5)
    assert turns.take() == "b"
