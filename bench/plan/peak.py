"""The machine's measured speed in matrix products: a practical upper bound for a network's speed.

`PYTHON -m actionbench.bench.plan.peak DEVICE THREADS PRECISION` prints one JSON line; in a process of its
own, so that thread counts are set before anything is imported.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...child_process import run_captured
from ...errors import MeasurementError
from ...models.spec import LoadOptions
from ...parsing import parse_json
from ...typed_values import typed
from ..worker.supervisor import worker_environment

SIZES = (256, 1024, 2048)
"""Sides of the square matrices: large enough for overheads to be negligible."""

SECONDS = 0.3
"""Minimum time that each size is repeated for. The fastest product counts: slower ones were disturbed."""

LONGEST_S = 1.0
"""A size that would take longer is left out: types that the processor emulates would take minutes."""

LIMIT_S = 120.0
"""Time limit of a measurement; one that takes longer is left out."""

PRECISIONS = {"fp32": "float32", "tf32": "TF32", "bf16": "bfloat16", "fp16": "float16"}
"""Precision of a request → its name in `Network.describe`. No product of int8 is measured."""


def gemm_peaks(wanted: Sequence[tuple[str, LoadOptions]]) -> list[dict[str, Any]]:
    """Measured speeds for (interpreter, options) pairs, each combination once.

    {"device", "threads", "precision", "gflop_per_s", "by", "kernel"} each; those that cannot be measured are
    left out. Raises MeasurementError if an interpreter does not answer as ours do.
    """
    peaks = []
    for python, device, threads, precision in dict.fromkeys((p, *_combination(o)) for p, o in wanted):
        try:
            answer = run_captured(
                [python, "-m", "actionbench.bench.plan.peak", device, str(threads), precision],
                env=worker_environment(threads),
                timeout_s=LIMIT_S,
            )
        except TimeoutError:
            continue
        if answer.status == 0 and (found := _reported(answer.last_line, python)) is not None:
            peaks.append({"device": device, "threads": threads, "precision": precision} | asdict(found))
    return peaks


@dataclass(frozen=True, slots=True)
class Speed:
    """A measured speed.

    - `gflop_per_s`: GFLOP/s.
    - `by`: the library and its version.
    - `kernel`: instruction set of the BLAS; None where it is not known.
    """

    gflop_per_s: float
    by: str
    kernel: str | None = None


def _reported(line: str, python: str) -> Speed | None:
    try:
        found = parse_json(line)
        return None if found is None else typed(Speed, found)
    except ValueError as error:
        raise MeasurementError(
            "printed no speed of matrix products",
            where=python,
            expected="JSON in its last line",
            found=repr(line[:80]),
            remedy="Correct --python, or leave this measurement out: --no-peak.",
        ) from error


def _combination(options: LoadOptions) -> tuple[str, int, str]:
    tf32 = options.device != "cpu" and options.precision == "fp32" and options.tf32
    precision = "tf32" if tf32 else options.precision
    return options.device, options.threads, PRECISIONS.get(precision, precision)


def measure_peak(device: str, threads: int, precision: str) -> Speed | None:
    """Speed of the fastest installed library; None if none has the precision.

    - `device`: "cpu" or "cuda:N".
    - `threads`: CPU threads.
    - `precision`: a value of PRECISIONS.
    """
    found = []
    if device == "cpu" and precision == "float32":
        found.append(_numpy_peak())
    if importlib.util.find_spec("torch") is not None and precision in PRECISIONS.values():
        found.append(_torch_peak(device, threads, precision))
    return max(found, key=lambda speed: speed.gflop_per_s, default=None)


def _numpy_peak() -> Speed:
    import numpy as np

    def product(n: int) -> Callable[[], None]:
        a, b = np.random.default_rng(0).random((2, n, n), dtype=np.float32)
        out = np.empty_like(a)

        def run() -> None:
            np.matmul(a, b, out=out)

        return run

    return Speed(_fastest(product), f"numpy {np.__version__}", _blas_kernel())


def _torch_peak(device: str, threads: int, precision: str) -> Speed:
    import torch

    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = precision == "TF32"
    dtype = torch.float32 if precision == "TF32" else getattr(torch, precision)

    def product(n: int) -> Callable[[], None]:
        a, b = torch.rand((2, n, n), device=device, dtype=torch.float32).to(dtype)
        out = torch.empty_like(a)

        def run() -> None:
            torch.matmul(a, b, out=out)
            if device != "cpu":
                torch.cuda.synchronize(device)

        return run

    return Speed(_fastest(product), f"torch {torch.__version__}")


def _fastest(product: Callable[[int], Callable[[], None]]) -> float:
    """GFLOP/s of the fastest product of any size; 2 n³ operations each."""
    best = 0.0
    for n in SIZES:
        if best and 2e-9 * n**3 / best > LONGEST_S:
            break
        run = product(n)
        run()
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            begin = time.perf_counter()
            run()
            best = max(best, 2e-9 * n**3 / (time.perf_counter() - begin))
    return best


def _blas_kernel() -> str | None:
    """The instruction set of numpy's BLAS, where threadpoolctl is installed; else None."""
    if importlib.util.find_spec("threadpoolctl") is None:
        return None
    import threadpoolctl  # type: ignore[import-untyped]

    kernels = [
        pool.get("architecture") for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"
    ]
    return ", ".join(sorted({kernel for kernel in kernels if kernel})) or None


if __name__ == "__main__":
    speed = measure_peak(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    print(json.dumps(speed and asdict(speed)))
