"""A camera through OpenCV, with a fake in place of the driver."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from actionbench.live.capture.camera import read_camera
from actionbench.live.capture.picture import Picture, SourceLost


class FakeCapture:
    """Gives three pictures, blue (0, 1, 2) in OpenCV's order, then is unplugged."""

    made: list[FakeCapture]
    rate = 30.0
    there = True

    def __init__(self, number: int) -> None:
        self.number, self.left, self.released = number, 3, False
        self.made.append(self)

    def isOpened(self) -> bool:
        return self.there

    def get(self, key: int) -> float:
        return self.rate if key == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        if self.left < 0:
            return False, None
        return True, np.full((4, 6, 3), (200, 0, 2 - self.left), np.uint8)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeCapture]:
    FakeCapture.made = []
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    return FakeCapture


def test_pictures_are_rgb_and_stamped_with_their_arrival(fake: type[FakeCapture]) -> None:
    ticks = iter(range(100, 200))
    found: list[Picture] = []
    with pytest.raises(SourceLost, match="no pictures"):
        found.extend(read_camera(3, clock=lambda: float(next(ticks))))
    assert fake.made[0].number == 3
    assert fake.made[0].released
    ticks = iter(range(100, 200))
    camera = read_camera(3, clock=lambda: float(next(ticks)))
    first, second = next(camera), next(camera)
    camera.close()  # type: ignore[attr-defined]
    assert first.pixels.dtype == np.uint8
    assert first.pixels[0, 0].tolist() == [0, 0, 200]
    assert second.pixels[0, 0].tolist() == [1, 0, 200]
    assert (first.stamp_s, first.decode_s, second.stamp_s) == (100, 1, 102)
    assert first.step_s == pytest.approx(1 / 30)
    assert fake.made[1].released


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e9])
def test_a_driver_without_a_rate(
    fake: type[FakeCapture], monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    monkeypatch.setattr(fake, "rate", rate)
    assert next(iter(read_camera(0))).step_s == pytest.approx(1 / 25)


def test_no_such_camera(fake: type[FakeCapture], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "there", False)
    with pytest.raises(SourceLost, match="no such camera"):
        next(iter(read_camera(9)))
    assert fake.made[0].released
