"""A file system of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .file_system import mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory, with room enough."""
    with mounted(tmp_path / "disk") as folder:
        yield folder
