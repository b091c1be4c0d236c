"""Composed sets without files, and recipes for folders of empty ones: nothing here is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml

from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.sources.split_lists import Side

LABELS = ("falling", "running", "walking")
MakeSet = Callable[..., ComposedSet]
WriteRecipe = Callable[..., Path]


@pytest.fixture(scope="session")
def make_set() -> MakeSet:
    def make(rows: Iterable[tuple[str, str, Side | None]], labels: tuple[str, ...] = LABELS) -> ComposedSet:
        """A set of one example for each (label, "SOURCE/GROUP", official side)."""
        examples = []
        for number, (label, group, side) in enumerate(rows):
            clip = Clip(f"clip {number}", Path(f"{number}.mp4"), label or None, source="composed")
            examples.append(Example(clip, group.partition("/")[0], group, label, side))
        sources = {example.source: "CC0" for example in examples}
        return ComposedSet("made", labels, tuple(examples), sources)

    return make


@pytest.fixture
def write_recipe(tmp_path: Path) -> WriteRecipe:
    def write(sources: dict[str, object], **keys: object) -> Path:
        """A recipe of these sources; `labels` by default falling, running and walking."""
        path = tmp_path / "recipe.yaml"
        content = {"labels": list(LABELS)} | keys | {"sources": sources}
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return write


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    def write(folder: str, *names: str) -> Path:
        """Files that hold their own names, for readers that do not decode; their folder."""
        for name in names:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name, encoding="utf-8")
        return tmp_path / folder

    return write
