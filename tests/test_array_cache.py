"""Arrays are kept exactly; the folder may be one that is only read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from actionbench.array_cache import ArrayCache


def test_a_folder_that_may_not_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used last cannot be noted there."""
    ArrayCache(tmp_path, 1000).put("key", np.arange(3, dtype=np.float32))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", refused)
    found = ArrayCache(tmp_path, 1000).get("key")
    assert found is not None
    assert found.tolist() == [0, 1, 2]
