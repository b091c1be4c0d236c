"""Capturing fake sources: pace, reconnects, ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from actionbench.errors import ClipError
from actionbench.live.capture import capture
from actionbench.live.capture.capture import Capture, check_file
from actionbench.live.capture.picture import Picture, SourceLost
from actionbench.live.capture.source import Source
from actionbench.live.frame import Frame
from actionbench.live.measurements import Measurements

CAMERA = Source("camera", "0", "camera 0")
FILE = Source("file", "/walk.mp4", "walk.mp4")
PIXELS = np.zeros((2, 2, 3), np.uint8)


class Clock(threading.Event):
    """A clock, and an event whose waiting turns it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 500.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(round(timeout, 6))
        self.now += timeout
        return self.is_set()


Part = list[Picture | Exception]


def read_parts(parts: list[Part], clock: Clock, decode_s: float = 0.0) -> Callable[..., Iterator[Picture]]:
    """Function that opens a fake source: the n-th time it gives the n-th part; after the last it stops."""
    left = iter(parts)

    def read(_: Source, __: Callable[[], None]) -> Iterator[Picture]:
        part = next(left, None)
        if part is None:
            clock.set()
            return
        for item in part:
            clock.now += decode_s
            if isinstance(item, Exception):
                raise item
            yield item

    return read


def pictures(number: int, fps: float = 25, start_s: float = 0.0) -> Part:
    return [Picture(PIXELS, start_s + n / fps, 1 / fps, 0.0) for n in range(number)]


def run(
    source: Source, parts: list[Part], clock: Clock, decode_s: float = 0.0, **more: object
) -> tuple[list[Frame], Measurements, list[str]]:
    frames: list[Frame] = []
    said: list[str] = []
    measured = Measurements(clock=clock)
    read = read_parts(parts, clock, decode_s)
    capture = Capture(
        source,
        frames.append,
        measured,
        clock,
        say=said.append,
        read=read,
        clock=clock,
        **more,  # type: ignore[arg-type]
    )
    capture.run()
    return frames, measured, said


def test_a_paced_file_gives_each_frame_when_it_is_due() -> None:
    clock = Clock()
    frames, measured, _ = run(FILE, [pictures(4)], clock, paced=True)
    assert [frame.captured_s for frame in frames] == pytest.approx([500, 500.04, 500.08, 500.12])
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12])
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    assert [frame.continues for frame in frames] == [False, True, True, True]
    assert clock.waits == pytest.approx([0.04] * 3)
    assert measured.status().captured == 4


def test_a_file_as_fast_as_possible_waits_for_nothing() -> None:
    clock = Clock()
    frames, _, _ = run(FILE, [pictures(50)], clock, decode_s=0.001)
    assert clock.waits == []
    assert [frame.captured_s for frame in frames] == pytest.approx([500 + 0.001 * (n + 1) for n in range(50)])


def test_a_file_that_decodes_too_slowly_is_played_more_slowly_and_says_so() -> None:
    """0.1 s for each frame of 0.04 s: after 17 of them it is a second late."""
    clock = Clock()
    frames, measured, _ = run(FILE, [pictures(40)], clock, decode_s=0.1, paced=True)
    late = [500 + 0.1 * (n + 1) - frame.captured_s for n, frame in enumerate(frames)]
    assert max(late) <= 1.0001
    assert late[16] == pytest.approx(0.96)
    assert late[17] == pytest.approx(0, abs=1e-6)
    assert "played more slowly" in measured.status().caveats[0]


def test_a_camera_captures_a_frame_before_it_is_decoded() -> None:
    taking_0_3_s: Part = [Picture(PIXELS, 7.0, 0.04, 0.3), SourceLost("gone")]
    frames, measured, _ = run(CAMERA, [taking_0_3_s], Clock(), decode_s=0.3)
    assert frames[0].captured_s == pytest.approx(500)
    assert measured.histograms()["decode"].sum_s == pytest.approx(0.3)


def test_seconds_are_those_of_the_video() -> None:
    frames, _, _ = run(FILE, [pictures(50)], Clock(), seconds=0.4)
    assert len(frames) == 10


def test_a_camera_that_comes_back_goes_on_after_a_cut() -> None:
    clock = Clock()
    lost = SourceLost("the camera gives no pictures")
    parts: list[Part] = [
        [*pictures(3, start_s=70), lost],
        [lost],
        [lost],
        pictures(2, start_s=5),
    ]
    frames, measured, said = run(CAMERA, parts, clock)
    assert clock.waits[:4] == [0.5, 1.0, 2.0, 0.5], "longer while it is away, short again once it was there"
    assert [frame.continues for frame in frames] == [False, True, True, False, True]
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    # 3.5 s passed between the third and the fourth frame, by the clock of this machine.
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 3.58, 3.62])
    assert measured.status().reconnects == 1
    assert said[0] == "camera 0 is lost (the camera gives no pictures); it is opened again in 0.5 s"
    assert said[1] == "camera 0 is back", "the attempts in vain are in the status, not in the log"
    assert not measured.status().connected


def test_the_longest_wait_is_half_a_minute() -> None:
    clock = Clock()
    away: list[Part] = [[SourceLost("gone")] for _ in range(9)]
    run(CAMERA, [pictures(1), *away], clock)
    assert clock.waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]


@pytest.mark.parametrize("source", [CAMERA, FILE])
def test_what_cannot_be_opened_at_first_is_an_error(source: Source) -> None:
    with pytest.raises(ClipError, match=f"{source.public}: no such thing"):
        run(source, [[SourceLost("no such thing")]], Clock())


def test_a_source_without_any_picture_is_an_error() -> None:
    with pytest.raises(ClipError, match="gives no picture"):
        run(FILE, [[]], Clock())


def test_a_file_that_breaks_off_ends_and_says_so() -> None:
    frames, measured, said = run(FILE, [[*pictures(3), SourceLost("pictures too large")]], Clock())
    assert len(frames) == 3
    assert said == ["walk.mp4 ends early: pictures too large"]
    assert measured.status().reconnects == 0


def test_stopping_ends_the_wait_for_a_lost_source() -> None:
    clock = threading.Event()
    frames: list[Frame] = []
    read = read_parts([[*pictures(2), SourceLost("gone")]], Clock())
    capture = Capture(CAMERA, frames.append, Measurements(), clock, read=read)
    thread = threading.Thread(target=capture.run)
    thread.start()
    clock.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_stream_that_is_decoded_too_slowly_has_old_frames_and_says_so() -> None:
    """0.05 s for each picture of 0.04 s; it is the reader that waits at first, for a picture every 0.04 s."""
    clock, stream = Clock(), Source("stream", "rtsp://x/y", "rtsp://x/…")
    pace: list[Part] = [[Picture(PIXELS, 70 + n / 25, 0.04, 0.05) for n in range(200)]]
    frames, measured, _ = run(stream, pace, clock, decode_s=0.05)
    assert [frame.captured_s for frame in frames] == pytest.approx([500 + n / 25 for n in range(200)])
    (words,) = (each for each in measured.status().caveats if "decoded more slowly" in each)
    assert words.startswith("the stream is decoded more slowly than it comes")


def test_a_stream_without_stamps_says_that_its_ages_may_be_wrong_where_it_is_hardly_waited_for() -> None:
    stream = Source("stream", "http://x/y", "http://x/…")
    for decode_s, said in ((0.05, True), (0.01, False)):
        pace: list[Part] = [[Picture(PIXELS, None, 0.04, decode_s) for _ in range(100)]]
        frames, measured, _ = run(stream, pace, Clock(), decode_s=0.05)
        read_s = [500 + 0.05 * (n + 1) - decode_s for n in range(100)]
        assert [frame.captured_s for frame in frames] == pytest.approx(read_s)
        assert any("may be older" in each for each in measured.status().caveats) == said


def test_a_stream_that_is_decoded_in_time_has_frames_that_were_there_when_they_were_read() -> None:
    clock, stream = Clock(), Source("stream", "rtsp://x/y", "rtsp://x/…")
    pace: list[Part] = [[Picture(PIXELS, 70 + n / 25, 0.04, 0.01) for n in range(200)]]
    frames, measured, _ = run(stream, pace, clock, decode_s=0.04)
    assert [frame.captured_s for frame in frames] == pytest.approx([500.03 + n / 25 for n in range(200)])
    assert not any("slowly" in each for each in measured.status().caveats)


@pytest.mark.parametrize(
    ("parts", "says"),
    [([[]], "walk.mp4: gives no picture"), ([[SourceLost("no video in it")]], "walk.mp4: no video in it")],
)
def test_a_file_without_a_picture_is_known_beforehand(
    monkeypatch: pytest.MonkeyPatch, parts: list[Part], says: str
) -> None:
    monkeypatch.setattr(capture, "read_source", read_parts(parts, Clock()))
    with pytest.raises(ClipError, match=says):
        check_file(FILE)


def test_of_a_file_one_picture_is_read_beforehand_and_other_sources_are_not_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capture, "read_source", read_parts([pictures(2)], Clock()))
    check_file(FILE)
    monkeypatch.setattr(capture, "read_source", read_parts([], Clock()))
    check_file(CAMERA)
