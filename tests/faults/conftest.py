"""What is destroyed: a short run that nothing of a framework takes part in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ..bench.conftest import coloured_videos, forked_workers, tiny_module
from .runs import Words, words_of

__all__ = ["coloured_videos", "forked_workers", "tiny_module"]


@pytest.fixture(scope="session")
def videos(coloured_videos: Callable[[list[int], int], Path]) -> Path:
    """Folder of six clips; a manifest of them with digests is in it, `clips.csv`."""
    from actionbench.datasets.sources.folder import load_folder
    from actionbench.datasets.sources.manifest import write_manifest

    folder = coloured_videos([10, 20, 30, 40, 50, 60], 1)
    write_manifest(folder / "clips.csv", load_folder(str(folder), vocabulary=()))
    return folder


@pytest.fixture(scope="session")
def words(videos: Path) -> Words:
    """Function that gives the words of a run of the six clips, which is written to a folder."""
    return lambda out, model="steady", *more: words_of(videos / "clips.csv", out, model, *more)
