"""Sessions that run for long: what they hold in memory, and whether they go on through cuts and damage."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest

from actionbench.live.capture.picture import Picture, SourceLost
from actionbench.live.capture.source import Source
from actionbench.live.capture.video import read_video
from actionbench.live.decision import Decider, DecisionSettings
from actionbench.live.events import ActionEvent
from actionbench.live.frame import Frame
from actionbench.live.measurements import Measurements
from actionbench.live.outputs.output import Shown
from actionbench.live.session import SessionSettings, run_session
from actionbench.preprocessing.preparer import Preparer, View

pytestmark = pytest.mark.slow

MOST_GROWTH_MB = 20.0
WARM_UP_S = 20.0


class Counter:
    """An output that counts."""

    def __init__(self) -> None:
        self.frames, self.events, self.closed = 0, 0, 0

    def frame(self, frame: Frame, shown: Shown) -> None:
        assert frame.number >= self.frames
        assert shown.status.captured >= 0
        self.frames += 1

    def event(self, event: ActionEvent) -> None:
        assert event.label
        self.events += 1

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("minutes", [2, 30])
def test_memory_stays_flat_through_cuts_size_changes_and_damage(
    preparer: Preparer, tmp_path: Path, write_video: Callable[..., Path], minutes: int
) -> None:
    """A camera made of files of two sizes, one of them damaged, which is unplugged every few seconds."""
    noise = np.random.default_rng(0)
    paths = []
    for number, (height, width) in enumerate([(240, 320), (480, 640), (240, 320)]):
        shown = [noise.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(20)]
        path = write_video(tmp_path / f"{number}.ts", shown * 6)
        if number == 2:
            content = bytearray(path.read_bytes())
            middle = len(content) // 2
            content[middle : middle + 9000] = noise.bytes(9000)
            path.write_bytes(bytes(content))
        paths.append(path)
    opened = 0

    def read(_: Source, damaged: Callable[[], None]) -> Iterator[Picture]:
        nonlocal opened
        path = paths[opened % len(paths)]
        opened += 1
        begin = time.monotonic()
        for n, picture in enumerate(read_video(Source("file", str(path), path.name), damaged)):
            time.sleep(max(0.0, begin + n / 25 - time.monotonic()))
            yield picture
        raise SourceLost("unplugged")

    def network(view: View) -> np.ndarray:
        time.sleep(0.01)
        falling = float(view["rgb"].mean()) > 0.5
        return np.array([1 - falling, falling], np.float32)

    process = psutil.Process()
    held: list[int] = []

    def report(shown: Shown) -> None:
        if shown.status.uptime_s > WARM_UP_S:
            if not held:
                gc.collect()
            held.append(process.memory_info().rss)

    output, measured = Counter(), Measurements(8)
    labels = ("walking", "falling")
    summary = run_session(
        Source("camera", "0", "camera 0"),
        network,
        preparer,
        labels,
        SessionSettings(window=16, rate=Fraction(25), stride=8, seconds=60.0 * minutes),
        [output],
        measured,
        threading.Event(),
        decider=Decider(labels, DecisionSettings(), None, "fake"),
        report=report,
        read=read,
    )
    tenth = max(1, len(held) // 10)
    growth_mb = (np.median(held[-tenth:]) - np.median(held[:tenth])) / 1e6
    assert growth_mb <= MOST_GROWTH_MB
    assert output.closed == 1
    # 4.8 s of each file, then half a second until it is opened again.
    assert summary.reconnects == pytest.approx(60 * minutes / 5.4, rel=0.2)
    assert summary.captured == pytest.approx(25 * 60 * minutes * 4.8 / 5.4, rel=0.1)
    assert summary.damaged >= summary.reconnects // 3 - 1
    # A window of 16 frames begins anew each time: (120 − 16) / 8 + 1 labels.
    assert summary.labels == pytest.approx(14 * (summary.reconnects + 1), rel=0.15)
