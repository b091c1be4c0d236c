"""How much faster one variant is than another: ratios in one run, one thread each, taken in turns.

A ratio counts only if its baseline is as fast as the prototype that the bars were set with, in the same run.
The bars are those of a processor with AMX; on another one the ratio is told, and the test skipped.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.selection import unable
from actionbench.errors import UsageError
from actionbench.models.capabilities import cpu_flags
from actionbench.models.registry import find_model

pytestmark = pytest.mark.benchmark

ROUNDS = 5
PROTOTYPE_WITHIN = 0.05

SERVER = """
import json, sys, time
import numpy as np
name, selection, frames, prototypes = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
side = 224 if name == "i3d-rgb" else 112
if selection == "prototype of tensorflow:fp32":
    sys.path.insert(0, prototypes)
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from i3d_sonnet import I3DSonnet, functional
    x = tf.random.uniform((1, frames, side, side, 3))
    network = I3DSonnet()
    network(x[:, :16])
    constants = {f"{name}/w": unit.conv.w.numpy() for name, unit in network.u.items()}
    constants |= {f"{name}/b": np.zeros(unit.conv.output_channels) for name, unit in network.u.items()}
    net = tf.function(functional(constants))
    def call():
        return net(x).numpy()
elif selection == "prototype of torch:fp32:plain":
    sys.path.insert(0, prototypes)
    import torch
    torch.set_num_threads(1)
    if name == "i3d-rgb":
        from i3d_torch import I3DTorch
        net = I3DTorch(3).eval()
    else:
        from resnext_torch import resnext101
        net = resnext101().eval()
    x = torch.rand(1, 3, frames, side, side)
    @torch.inference_mode()
    def call():
        return net(x).numpy()
else:
    from actionbench.models.registry import find_model, load_network
    from actionbench.models.spec import LoadOptions, Weights
    request = find_model(f"{name}@{selection}")
    weights = {stream: Weights("random", each) for stream, each in request.model.streams.items()}
    network = load_network(request, weights, LoadOptions(threads=1))
    inputs = network.upload({"rgb": np.random.default_rng(0).random((1, frames, side, side, 3), np.float32)})
    def call():
        return network.download(network.forward(inputs))
call(), call()
print("ready", flush=True)
for _ in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    print(json.dumps([time.process_time() - cpu, time.perf_counter() - wall]), flush=True)
"""


@dataclass(frozen=True)
class Bar:
    """`fast` is at least `times` as fast as `base`, on `frames` frames."""

    name: str
    frames: int
    fast: str
    base: str
    times: float

    def __str__(self) -> str:
        return f"{self.name} {self.fast} against {self.base}"


BARS = (
    Bar("i3d-rgb", 64, "openvino:bf16", "torch:fp32:plain", 12.0),
    Bar("i3d-rgb", 64, "torch:fp32", "torch:fp32:plain", 1.7),
    Bar("i3d-rgb", 64, "tensorflow:bf16", "tensorflow:fp32", 4.0),
    Bar("resnext", 16, "openvino:bf16", "torch:fp32:plain", 4.7),
)


@contextmanager
def server(bar: Bar, selection: str, prototypes: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that computes once for each line that it is sent, and answers with the seconds it took."""
    command = [sys.executable, "-c", SERVER, bar.name, selection, str(bar.frames), str(prototypes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                pytest.fail(f"{selection} did not start")
            yield process
        finally:
            process.kill()


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    cpu, _wall = json.loads(process.stdout.readline())
    return float(cpu)


@pytest.fixture(scope="session")
def prototypes(shared_data: Path) -> Path:
    path = shared_data.parent / "prototypes" / "models"
    if not (path / "i3d_torch.py").is_file():
        pytest.skip(f"no prototypes at {path}")
    return path


@pytest.mark.parametrize("bar", BARS, ids=str)
def test_bar(bar: Bar, prototypes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for selection in (bar.fast, bar.base):
        try:
            reason = unable(find_model(f"{bar.name}@{selection}"), RunConfig(device="cpu"))
        except UsageError as error:
            reason = str(error)
        if reason is not None:
            pytest.skip(f"{bar.name}@{selection}: {reason}")
    with (
        server(bar, bar.fast, prototypes) as fast,
        server(bar, bar.base, prototypes) as base,
        server(bar, f"prototype of {bar.base}", prototypes) as prototype,
    ):
        times: dict[str, list[float]] = {"fast": [], "base": [], "prototype": []}
        for _ in range(ROUNDS):
            times["fast"].append(cpu_seconds(fast))
            times["base"].append(cpu_seconds(base))
            times["prototype"].append(cpu_seconds(prototype))
    ratios = sorted(b / f for b, f in zip(times["base"], times["fast"], strict=True))
    ratio = statistics.median(ratios)
    off = statistics.median(b / p - 1 for b, p in zip(times["base"], times["prototype"], strict=True))
    text = (
        f"{bar}: {ratio:.2f}× ({ratios[0]:.2f} to {ratios[-1]:.2f}, {ROUNDS} rounds; bar {bar.times:g}×); "
        f"baseline {off:+.1%} against the prototype"
    )
    with capsys.disabled():
        print(f"\n{text}")
    if "amx_bf16" not in cpu_flags():
        pytest.skip(f"{text}: this processor has no AMX, which the bar is for")
    if abs(off) > PROTOTYPE_WITHIN:
        pytest.skip(f"{text}: does not count, the baseline is not the prototype's")
    assert ratio >= bar.times, text
