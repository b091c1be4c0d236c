"""Small videos of one colour each, a network that tells them apart, the command line."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from actionbench.bench.cli.app import run_app
from actionbench.models.labels import labels

from . import forked_workers as forks

COMMAND = [sys.executable, "-m", "actionbench"]
NETWORKS = Path(__file__).parent / "networks" / "tiny.py"


@pytest.fixture(scope="session")
def tiny_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tiny_network", NETWORKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_video(path: Path, colour: np.ndarray, frames: int = 5, size: int = 16) -> None:
    """A lossless video of `frames` frames of one colour (3,) in 0–1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.broadcast_to((255 * colour).round().astype(np.uint8), (size, size, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)  # opened in a tenth of the time of H.264
        stream.width = stream.height = size
        stream.pix_fmt = "rgb24"
        for _ in range(frames):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture(scope="session")
def coloured_videos(tmp_path_factory: pytest.TempPathFactory, tiny_module: ModuleType) -> Callable[..., Path]:
    """Function that writes `per_class` videos of each of some Kinetics classes (by index); the folder."""
    names = labels("kinetics-400")

    def write(indices: list[int], per_class: int) -> Path:
        folder = tmp_path_factory.mktemp("videos")
        for index in indices:
            for n in range(per_class):
                write_video(folder / names[index] / f"{index}_{n}.mp4", tiny_module.colour_of(index))
        return folder

    return write


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something to name as weights; the tiny network does not read it."""
    path = tmp_path_factory.mktemp("weights") / "colours.bin"
    path.write_bytes(b"colours")
    return path


@pytest.fixture(scope="module")
def forked_workers() -> Iterator[None]:
    """Workers that are there at once."""
    with forks.forked_workers():
        yield


Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bench(capfd: pytest.CaptureFixture[str]) -> Bench:
    """Function that runs the command line in this process: its exit code and what it printed."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = list(map(str, arguments))
        capfd.readouterr()
        code = run_app(words)
        return subprocess.CompletedProcess(words, code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def bench_process() -> Bench:
    """Function that runs the command line as a process of its own, as a user does."""

    def run(*arguments: object, timeout: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=os.environ | env,
        )

    return run
