"""What tests of training share: one thread, a set and a network that are quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.manifest import write_composed
from actionbench.datasets.sources.manifest import file_digest

LEARNER = Path(__file__).parents[1] / "bench" / "networks" / "learner.py"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Several processes share the cores, and results must not differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Manifest of a composed set: squares that sink or go to the right, in six groups of two clips."""
    return composed_set(tmp_path / "squares")


@pytest.fixture
def learner() -> str:
    """A small trainable network by the name that the command line takes."""
    return f"{LEARNER}:learner"


class Quiet:
    """A `Reporter` that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.done: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Quiet]:  # noqa: ARG002
        self._title = title
        yield self

    def advance(self, note: str = "") -> None:  # noqa: ARG002
        self.done.append(self._title)

    def note(self, text: str) -> None:
        pass


@pytest.fixture
def quiet() -> Callable[[], Quiet]:
    return Quiet


LABELS = ("falling", "walking")


def composed_set(folder: Path, groups: int = 6, first: int = 0, labels: tuple[str, ...] = LABELS) -> Path:
    """The manifest of a set with two clips of each group, one of each class; groups count from `first` on."""
    folder.mkdir(parents=True, exist_ok=True)
    examples = []
    for group in range(first, first + groups):
        for label in labels:
            path = folder / f"{label}-{group}.npy"
            np.save(path, clip(label, group))
            held = Clip(path.name, path, label, sha256=file_digest(path))
            examples.append(Example(held, "drawn", f"drawn/{group}", label, None))
    write_composed(folder / "set.csv", ComposedSet("set", labels, tuple(examples), {"drawn": "CC0"}))
    return folder / "set.csv"


def clip(label: str, seed: int, frames: int = 8) -> np.ndarray:
    """(T, 32, 40, 3) uint8: a bright square on noise, which sinks or goes to the right."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (frames, 32, 40, 3), np.uint8)
    top, left = rng.integers(0, 8, 2)
    for frame in range(frames):
        down, right = (2 * frame, 0) if label == "falling" else (0, 2 * frame)
        pixels[frame, top + down : top + down + 8, left + right : left + right + 8] = 230
    return pixels
