"""Where ActionBench keeps what it makes or fetches."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from actionbench.home import home


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.setenv("ACTIONBENCH_HOME", "~/somewhere")
    assert home() == Path.home() / "somewhere"


@pytest.mark.parametrize("value", [None, ""])
def test_else_the_platform_does(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("ACTIONBENCH_HOME")
    if value is not None:
        monkeypatch.setenv("ACTIONBENCH_HOME", value)
    assert home() == platformdirs.user_cache_path("actionbench")
