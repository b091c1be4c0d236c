"""ThreadPool: nothing is lost, the urgent comes first, and a failure ends everything without a hang."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.bench.scenarios.thread_pool import ThreadPool


def waits_for(event: threading.Event) -> None:
    event.wait()


def test_one_lane_takes_the_most_urgent_first() -> None:
    done: list[str] = []
    with ThreadPool(1) as pool:
        held = threading.Event()
        pool.submit((0, 0), partial(waits_for, held))
        time.sleep(0.05)
        for urgency, name in (((2, 0), "third"), ((1, 1), "second"), ((1, 0), "first"), ((2, 0), "last")):
            pool.submit(urgency, partial(done.append, name))
        pool.submit((3, 0), pool.end)
        held.set()
        pool.wait()
    assert done == ["first", "second", "third", "last"]


@settings(max_examples=25)
@given(
    items=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=40),
    lanes_=st.integers(1, 4),
    size=st.integers(1, 5),
)
def test_every_item_is_computed_once_in_batches_of_one_key(
    items: list[tuple[int, int]], lanes_: int, size: int
) -> None:
    computed: list[tuple[int, int]] = []
    lock = threading.Lock()
    with ThreadPool(lanes_) as pool:

        def compute(batch: list[tuple[int, int]]) -> None:
            assert 1 <= len(batch) <= size
            assert len({key for key, _ in batch}) == 1
            with lock:
                computed.extend(batch)
                if len(computed) == len(items):
                    pool.end()

        for number, item in enumerate(items):
            pool.gather(item[0], (number, 0), item, compute, size)
        if not items:
            pool.end()
        pool.wait()
    assert sorted(computed) == sorted(items)


def test_a_full_batch_is_waited_for_while_there_is_other_work() -> None:
    batches: list[list[int]] = []
    with ThreadPool(1) as pool:

        def compute(batch: list[int]) -> None:
            batches.append(batch)
            if sum(map(len, batches)) == 3:
                pool.end()

        def more() -> None:
            pool.gather("key", (1, 0), 1, compute, 2)
            pool.gather("key", (2, 0), 2, compute, 2)

        pool.submit((9, 0), more)  # less urgent than the single item, which is not a full batch
        pool.gather("key", (0, 0), 0, compute, 2)
        pool.wait()
    assert batches in ([[0, 1], [2]], [[0], [1, 2]])  # the second where the lane was faster than this test


def test_what_must_be_alone_never_overlaps_and_the_other_lanes_go_on() -> None:
    inside = 0
    most = 0
    lock = threading.Lock()
    done: list[int] = []
    with ThreadPool(4) as pool:

        def compute(batch: list[int]) -> None:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.002)
            with lock:
                inside -= 1
                done.extend(batch)
                if len(done) == 20:
                    pool.end()

        for number in range(20):
            pool.gather(number % 3, (number, 0), number, compute, 1, alone="network")
        pool.wait()
    assert most == 1
    assert sorted(done) == list(range(20))


def test_of_one_key_the_most_urgent_are_computed_together() -> None:
    batches: list[list[int]] = []
    with ThreadPool(1) as pool:
        held = threading.Event()
        pool.submit((0, 0), partial(waits_for, held))
        time.sleep(0.05)
        for number in (5, 2, 4, 1):
            pool.gather("key", (number, 0), number, batches.append, 2)
        pool.submit((9, 0), pool.end)
        held.set()
        pool.wait()
    assert batches == [[1, 2], [4, 5]]


def test_nothing_begins_after_the_end() -> None:
    begun: list[str] = []

    def more() -> None:
        pool.end()
        pool.submit((0, 0), lambda: begun.append("task"))
        pool.gather("key", (0, 0), "item", lambda _: begun.append("gathering"))

    with ThreadPool(3) as pool:
        pool.submit((0, 0), more)
        pool.wait()
        time.sleep(0.05)
    assert begun == []


@pytest.mark.parametrize("error", [ValueError("broken"), MemoryError(), KeyboardInterrupt()])
def test_a_failure_ends_the_lanes_and_is_raised(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with ThreadPool(2) as pool:
        pool.submit((1, 0), fail)
        for number in range(100):
            pool.submit((2, number), lambda: None)
        with pytest.raises(type(error)):
            pool.wait()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane-")]


def test_an_interrupt_outside_ends_the_threads() -> None:
    def interrupted() -> None:
        with ThreadPool(2) as pool:
            pool.submit((0, 0), lambda: time.sleep(0.01))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane-")]
