"""A line that changes, and messages that stay."""

from __future__ import annotations

import io
import sys

import pytest

from actionbench.bench.console.status_line import StatusLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_line_is_replaced_and_messages_stand_above_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "20")
    line = StatusLine()
    line.show("walking 97 %, and more than fits")
    line.say("falling\x1b[2J starts")
    line.show("falling")
    line.clear()
    assert terminal.getvalue() == (
        "\r\x1b[Kwalking 97 %, and m\r\x1b[Kfalling�[2J starts\n\r\x1b[Kfalling\r\x1b[K"
    )


def test_in_a_log_there_is_a_line_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    line = StatusLine(clock=lambda: now)
    for _ in range(200):
        now += 0.5
        line.show(f"at {now:g} s")
    line.say("a message")
    line.clear()
    assert capsys.readouterr().err == "at 30 s\nat 60 s\nat 90 s\na message\n"
