"""The window, where OpenCV's functions stand for a screen; and a machine without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from actionbench.child_process import Completed
from actionbench.errors import UsageError
from actionbench.live.outputs import screen
from actionbench.live.outputs.overlay import drawn
from actionbench.live.outputs.screen import Screen

from ..making import event, frame, picture, shown


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """What is shown in a window that stays open and in which no key is pressed."""
    found: list[np.ndarray] = []
    monkeypatch.setattr(screen, "run_captured", lambda *_, **__: Completed(0, b"", b""))
    for name in ("namedWindow", "resizeWindow", "destroyWindow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, image: found.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    return found


def test_each_frame_is_shown_with_its_overlay(pictures: list[np.ndarray]) -> None:
    ended: list[Any] = []
    output = Screen(lambda: ended.append(None))
    coloured = picture(240, 320)
    coloured[..., 0] = 255
    output.frame(frame(0, 0.0, coloured), shown())
    output.event(event())
    output.close()
    np.testing.assert_array_equal(pictures[0][..., ::-1], drawn(coloured, shown()))
    assert ended == []


@pytest.mark.parametrize(("key", "visible"), [(ord("q"), 1.0), (27, 1.0), (-1, 0.0)])
def test_the_user_can_end_the_session(
    pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, key: int, visible: float
) -> None:
    monkeypatch.setattr(cv2, "waitKey", lambda _: key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: visible)
    ended: list[Any] = []
    output = Screen(lambda: ended.append(None))
    output.frame(frame(0, 0.0), shown())
    output.frame(frame(1, 0.04), shown())
    output.close()
    assert (len(pictures), len(ended)) == (1, 1)


def test_without_a_screen_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"--show: no window can be opened; found .*Use --video or --web"):
        Screen(lambda: None)


def test_no_module_of_the_current_folder_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cv2.py").write_text("open('executed', 'w')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no window can be opened"):
        Screen(lambda: None)
    assert not (tmp_path / "executed").exists()
