"""Decoding in the tests' own process: the children are tested on their own, and take a while to start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.decoder_pool import DecoderPool, Task, work_of


@pytest.fixture
def decoding_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: DecoderPool, task: Task, clip: Clip, kind: type, target: Path | None = None) -> Any:
        found = work_of(task, target)(clip)
        assert isinstance(found, kind)
        return found

    monkeypatch.setattr(DecoderPool, "ask", ask)
