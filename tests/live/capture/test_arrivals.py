"""When pictures of streams were there, by hand-computed streams and decoders."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.live.capture.arrivals import Arrivals

FRAME_S = 0.04


def simulate(
    decode_s: list[float], arrivals_s: list[float] | None = None, stamps_s: list[float] | None = None
) -> tuple[list[float], list[float]]:
    """A stream of 25 pictures a second is read by a decoder that takes `decode_s` for each.

    - `arrivals_s`: when pictures come. `stamps_s`: their stamps. Both by default at the stream's pace.

    Gives what is said of the arrivals, and when each picture was read.
    """
    made, now_s = Arrivals(), 100.0
    found, read = [], []
    for n, decoding_s in enumerate(decode_s):
        came_s = 100 + n * FRAME_S if arrivals_s is None else 100 + arrivals_s[n]
        read_s = max(now_s, came_s)
        stamp_s = 7000 + n * FRAME_S if stamps_s is None else stamps_s[n]
        found.append(made.place(stamp_s, read_s, read_s - now_s, n > 0))
        read.append(read_s)
        now_s = read_s + decoding_s
    return found, read


def test_a_decoder_that_keeps_up_reads_pictures_as_they_come() -> None:
    found, read = simulate([0.01] * 100)
    assert found == pytest.approx(read)


def test_a_decoder_that_is_too_slow_makes_pictures_wait() -> None:
    """0.05 s for each picture of 0.04 s: after 500 of them one has waited for five seconds."""
    found, read = simulate([0.01] * 50 + [0.05] * 500)
    assert found == pytest.approx([100 + n * FRAME_S for n in range(550)])
    assert read[-1] - found[-1] == pytest.approx(499 * 0.01)


def test_once_it_is_fast_again_pictures_are_there_when_they_are_read() -> None:
    found, read = simulate([0.05] * 300 + [0.01] * 300)
    assert found == pytest.approx([100 + n * FRAME_S for n in range(600)])
    assert found[-100:] == pytest.approx(read[-100:])


def test_a_clock_that_drifts_does_not_age_the_pictures() -> None:
    """The source's clock is slower by one per cent."""
    number = 5000
    arrivals = [n * FRAME_S for n in range(number)]
    found, read = simulate([0.01] * number, arrivals, [0.99 * each for each in arrivals])
    assert max(r - f for r, f in zip(read, found, strict=True)) < 0.022, "what it drifts in two spans"


def test_a_line_that_becomes_slower_is_no_lag() -> None:
    """From one second on all pictures come 0.3 s later: after another second that is how they come."""
    arrivals = [n * FRAME_S + 0.3 * (n >= 25) for n in range(200)]
    found, read = simulate([0.01] * 200, arrivals)
    assert found[80:] == pytest.approx(read[80:])


def test_another_clock_after_a_reconnect() -> None:
    made = Arrivals()
    assert made.place(5000.0, 10.0, 1.0, False) == 10.0
    assert made.place(5000.04, 12.0, 0.0, True) == pytest.approx(10.04)
    assert made.place(3.0, 20.0, 1.0, False) == 20.0
    assert made.place(3.04, 20.05, 0.0, True) == pytest.approx(20.04)


def test_pictures_without_stamps_count_from_when_they_are_read() -> None:
    """Of the second span, from 10.9 s on, 0.7 of 2.1 s are spent waiting; of the third 0.2 of 1 s."""
    made = Arrivals()
    keeps_up = []
    for stamp_s, read_s, waited_s, continues in (
        (None, 9.9, 1.0, False),
        (float("nan"), 10.9, 0.5, True),
        (None, 13.0, 0.7, True),
        (None, 14.0, 0.2, True),
        (None, 15.0, 0.0, False),
    ):
        assert made.place(stamp_s, read_s, waited_s, continues) == read_s
        keeps_up.append(made.keeps_up)
    assert keeps_up == [True, True, True, False, True]


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(0, 10), st.floats(0, 1), st.booleans()),
        min_size=1,
    )
)
def test_no_picture_was_there_after_it_was_read(pictures: list[tuple[float, float, float, bool]]) -> None:
    made, now_s = Arrivals(), 0.0
    for stamp_s, passed_s, waited_s, continues in pictures:
        now_s += passed_s
        assert made.place(stamp_s, now_s, waited_s, continues) <= now_s + 1e-9


@given(st.lists(st.floats(0.0, 0.12), min_size=2, max_size=200))
def test_pictures_of_a_steady_stream_were_there_when_they_came(decode_s: list[float]) -> None:
    """However long decoding takes: never later than read, never earlier than they came."""
    found, _ = simulate(decode_s)
    assert all(n * FRAME_S - 1e-6 <= each - 100 for n, each in enumerate(found))
    assert all(later - earlier > 0 for earlier, later in pairwise(found))
