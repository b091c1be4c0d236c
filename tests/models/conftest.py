"""References that share no code with the networks, and processes that each hold one framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.models import loading
from actionbench.models.random_state import random_state
from actionbench.models.state import Shapes, State

from ..known import known

Array = np.ndarray[Any, np.dtype[Any]]
Draw = Callable[[Shapes, int, Mapping[str, float]], State]


PRELUDE = "import sys, numpy as np\ndef give(**arrays): np.savez(sys.argv[1], **arrays)\n"

FORKS = """
import json, os
for line in sys.stdin:
    script, *arguments = json.loads(line)
    child = os.fork()
    if not child:
        sys.argv[1:] = arguments
        exec(script)
        sys.exit()
    print(os.waitpid(child, 0)[1], flush=True)
"""

WITH_TENSORFLOW = """
from actionbench.models.i3d.tensorflow_loading import load_i3d
from actionbench.models.registry import find_model
from actionbench.models.spec import LoadOptions
load_i3d(find_model("i3d").model, {}, LoadOptions(threads=1))
"""
"""Imports TensorFlow as the harness does: it reads some environment variables then, and never again."""


@pytest.fixture(scope="session")
def draw() -> Draw:
    """`random_state` that keeps what it has drawn: ResNeXt's 48 million random numbers take a second."""
    kept: dict[tuple[object, ...], Array] = {}

    def drawn(shapes: Shapes, seed: int, gains: Mapping[str, float]) -> State:
        keys = {name: (seed, name, shape, gains.get(name)) for name, shape in shapes.items()}
        # Whether a tensor's layer has a bias counts too, so what is small is always drawn anew.
        new = {name: shape for name, shape in shapes.items() if len(shape) == 1 or keys[name] not in kept}
        tensors = random_state(new, seed, gains)
        kept.update({keys[name]: tensor for name, tensor in tensors.items() if tensor.ndim > 1})
        return {name: kept[keys[name]] if name not in new else tensors[name] for name in shapes}

    return drawn


@pytest.fixture(autouse=True, scope="session")
def _loaded_as_drawn(draw: Draw) -> Iterator[None]:
    """Random weights that are loaded are those of `draw`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "random_state", draw)
        yield


@pytest.fixture(scope="session")
def run_script(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Array]]:
    """Run Python text in a fresh process, warnings as errors; what it passes to `give(**arrays)` returns."""
    folder = tmp_path_factory.mktemp("scripts")

    def run(script: str, *arguments: object) -> dict[str, Array]:
        out = folder / f"{len(list(folder.iterdir()))}.npz"
        command = [*_python(PRELUDE + script), str(out), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=_environment())
        assert done.returncode == 0, done.stderr
        return _given(out)

    return run


@pytest.fixture(scope="session")
def run_with_tensorflow(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., dict[str, Array]]]:
    """As `run_script`, in a fork of one process that has imported TensorFlow, which takes five seconds."""
    folder = tmp_path_factory.mktemp("tensorflow")
    errors = folder / "errors.txt"
    with (
        errors.open("w") as file,
        subprocess.Popen(
            _python(PRELUDE + WITH_TENSORFLOW + FORKS),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            cwd=folder,
            env=_environment(),
        ) as process,
    ):
        asked, answered = known(process.stdin), known(process.stdout)

        def run(script: str, *arguments: object) -> dict[str, Array]:
            out = folder / f"{len(list(folder.iterdir()))}.npz"
            print(json.dumps([script, str(out), *map(str, arguments)]), file=asked, flush=True)
            assert answered.readline() == "0\n", errors.read_text()
            return _given(out)

        yield run


def _python(script: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", script]


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}


def _given(out: Path) -> dict[str, Array]:
    with np.load(out, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def numpy_i3d() -> Callable[[dict[str, Array], Array], Array]:
    """One stream of I3D in float64, from the paper's figure 3 and TensorFlow's definition of "SAME"."""
    return _i3d


@pytest.fixture(scope="session")
def numpy_resnext() -> Callable[[dict[str, Array], Array], Array]:
    """3D-ResNeXt-101 in float64, written from the paper's table 1."""
    return _resnext


def _i3d(state: dict[str, Array], x: Array) -> Array:
    def unit(x: Array, scope: str, stride: int = 1) -> Array:
        w = state[f"{scope}/conv_3d/w"]
        x = _correlate(_same(x, w.shape[:3], (stride,) * 3, 0.0), w, (stride,) * 3)
        mean, variance, beta = (
            state[f"{scope}/batch_norm/{name}"] for name in ("moving_mean", "moving_variance", "beta")
        )
        return np.maximum((x - mean) / np.sqrt(variance.astype(float) + 0.001) + beta, 0)

    def pool(x: Array, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Array:
        pooled: Array = _windows(_same(x, kernel, stride, -np.inf), kernel, stride).max((5, 6, 7))
        return pooled

    def mixed(x: Array, name: str) -> Array:
        slip = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"
        second = unit(unit(x, f"{name}/Branch_1/Conv3d_0a_1x1"), f"{name}/Branch_1/Conv3d_0b_3x3")
        third = unit(unit(x, f"{name}/Branch_2/Conv3d_0a_1x1"), f"{name}/Branch_2/{slip}")
        fourth = unit(pool(x, (3, 3, 3), (1, 1, 1)), f"{name}/Branch_3/Conv3d_0b_1x1")
        return np.concatenate([unit(x, f"{name}/Branch_0/Conv3d_0a_1x1"), second, third, fourth], -1)

    x = unit(x.astype(float), "Conv3d_1a_7x7", stride=2)
    x = pool(x, (1, 3, 3), (1, 2, 2))
    x = unit(unit(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3")
    x = pool(x, (1, 3, 3), (1, 2, 2))
    x = mixed(mixed(x, "Mixed_3b"), "Mixed_3c")
    x = pool(x, (3, 3, 3), (2, 2, 2))
    for letter in "bcdef":
        x = mixed(x, f"Mixed_4{letter}")
    x = pool(x, (2, 2, 2), (2, 2, 2))
    x = mixed(mixed(x, "Mixed_5b"), "Mixed_5c")
    averaged = _windows(x, (2, 7, 7), (1, 1, 1)).mean((5, 6, 7))
    head = "Logits/Conv3d_0c_1x1/conv_3d"
    logits = averaged @ state[f"{head}/w"][0, 0, 0].astype(float) + state[f"{head}/b"]
    mean: Array = logits.mean((1, 2, 3))
    return mean


def _resnext(state: dict[str, Array], x: Array) -> Array:
    def norm(x: Array, scope: str) -> Array:
        scale, shift, mean, variance = (
            state[f"{scope}.{name}"].astype(float)
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        normed: Array = scale * (x - mean) / np.sqrt(variance + 0.00001) + shift
        return normed

    def conv(x: Array, scope: str, stride: tuple[int, int, int] = (1, 1, 1)) -> Array:
        w = state[f"{scope}.weight"].transpose(2, 3, 4, 1, 0)
        sides = [(taps // 2, taps // 2) for taps in w.shape[:3]]
        x = np.pad(x, [(0, 0), *sides, (0, 0)])
        groups = x.shape[-1] // w.shape[3]
        parts = zip(np.split(x, groups, -1), np.split(w, groups, -1), strict=True)
        return np.concatenate([_correlate(part, weight, stride) for part, weight in parts], -1)

    x = np.maximum(norm(conv(x.astype(float), "conv1", (1, 2, 2)), "bn1"), 0)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    x = _windows(padded, (3, 3, 3), (2, 2, 2)).max((5, 6, 7))
    for layer, blocks in enumerate((3, 4, 23, 3), start=1):
        for block in range(blocks):
            scope = f"layer{layer}.{block}"
            stride = (2, 2, 2) if layer > 1 and block == 0 else (1, 1, 1)
            y = np.maximum(norm(conv(x, f"{scope}.conv1"), f"{scope}.bn1"), 0)
            y = np.maximum(norm(conv(y, f"{scope}.conv2", stride), f"{scope}.bn2"), 0)
            y = norm(conv(y, f"{scope}.conv3"), f"{scope}.bn3")
            if block == 0:
                x = norm(conv(x, f"{scope}.downsample.0", stride), f"{scope}.downsample.1")
            x = np.maximum(x + y, 0)
    logits: Array = x.mean((1, 2, 3)) @ state["fc.weight"].astype(float).T + state["fc.bias"]
    return logits


def _same(x: Array, kernel: tuple[int, ...], stride: tuple[int, ...], value: float) -> Array:
    """TensorFlow's documentation: as many cells as the windows reach over the end, the odd one behind."""
    sides = [(0, 0)]
    for size, taps, step in zip(x.shape[1:4], kernel, stride, strict=True):
        over = max(taps - (size % step or step), 0)
        sides.append((over // 2, over - over // 2))
    return np.pad(x, [*sides, (0, 0)], constant_values=value)


def _windows(x: Array, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Array:
    """(N, t, h, w, C, *kernel) of (N, T, H, W, C)."""
    every = np.lib.stride_tricks.sliding_window_view(x, kernel, (1, 2, 3))
    return every[:, :: stride[0], :: stride[1], :: stride[2]]


def _correlate(x: Array, w: Array, stride: tuple[int, int, int]) -> Array:
    """Sum over the taps of time and height; those of the width are one matrix product."""
    kt, kh, kw, inputs, outputs = w.shape
    t, h = x.shape[1] - kt + 1, x.shape[2] - kh + 1
    matrices = w.astype(float).transpose(0, 1, 3, 2, 4).reshape(kt, kh, inputs * kw, outputs)
    total: Any = 0.0
    for i in range(kt):
        for j in range(kh):
            rows = x[:, i : i + t : stride[0], j : j + h : stride[1]]
            taps = np.lib.stride_tricks.sliding_window_view(rows, kw, 3)[:, :, :, :: stride[2]]
            # One product of two matrices: of more axes, NumPy computes a small one for each row of pixels.
            total = total + taps.reshape(-1, inputs * kw) @ matrices[i, j]
    return total.reshape(*taps.shape[:4], outputs)  # type: ignore[no-any-return]


@pytest.fixture
def text_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Write a text file of the given name; the path for imports is afterwards what it was before."""
    monkeypatch.setattr(sys, "path", sys.path.copy())

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write
