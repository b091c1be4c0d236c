"""What a measurement depends on besides the code: hardware, system, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import psutil

from ... import __version__
from ...child_process import Completed, last_lines, run_captured
from ...errors import UsageError
from ...models.capabilities import BACKENDS, absent, cpu_flags
from ...parsing import parse_json
from ...typed_values import typed

DISTRIBUTIONS = (
    "numpy",
    "torch",
    "torchvision",
    "transformers",
    "tensorflow",
    "dm-sonnet",
    "tensorflow-hub",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "nncf",
    "opencv-contrib-python",
    "av",
    "pillow",
    "pandas",
    "scipy",
)


def cores() -> int:
    """CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


MOST_PER_CORE = 4
"""Most threads or processes per core: a few more than one may be measured, thousands make the machine
unusable."""


def check_threads(option: str, number: int) -> None:
    """Raise UsageError for a number of threads or processes below 1 or far above the number of cores.

    - `option`: the option, for the error.
    - `number`: its value.
    """
    most = MOST_PER_CORE * cores()
    if number < 1:
        raise UsageError("is too small", where=option, expected="at least 1", found=number)
    if number > most:
        raise UsageError(
            "is far more than this machine has cores",
            where=option,
            expected=f"at most {most}, {MOST_PER_CORE} for each of {cores()} cores",
            found=number,
            remedy="Leave the option out to use each core once.",
        )


def environment() -> dict[str, Any]:
    """Hardware and software as plain values; what cannot be read is absent or None."""
    return {
        "actionbench": __version__,
        "git_commit": _git_commit(),
        "python": platform.python_version(),
        "os": platform.platform(),
        "cpu": cpu_model(),
        "cpu_flags": [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in cpu_flags()],
        "cpu_governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "cpu_mhz": _cpu_mhz(),
        "cores": cores(),
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE"),
        "memory_bytes": psutil.virtual_memory().total,
        "huge_pages": _read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load_average": [round(load, 2) for load in psutil.getloadavg()],
        "gpus": gpus(),
        "packages": package_versions(),
    }


def package_versions() -> dict[str, str | None]:
    """Version of each of DISTRIBUTIONS in this interpreter; None where it is not installed."""
    versions: dict[str, str | None] = {}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def gpus() -> list[dict[str, str]]:
    """Name, memory, driver and clocks of the NVIDIA devices that nvidia-smi lists; [] without it."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = "name,memory.total,driver_version,clocks.sm,clocks.max.sm"
    answer = _output(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"])
    rows = [line.split(", ") for line in (answer or "").splitlines()]
    keys = ("name", "memory", "driver", "sm_clock", "sm_clock_max")
    return [dict(zip(keys, row, strict=True)) for row in rows if len(row) == len(keys)]


class GpuWatch:
    """Reads the utilisation of a GPU by nvidia-smi every second while its block runs.

    - `device`: "cpu", for which nothing is read, or "cuda:N". N is nvidia-smi's number unless
      CUDA_VISIBLE_DEVICES is set, in which case nothing is read.
    """

    def __init__(self, device: str) -> None:
        self._index = device.removeprefix("cuda:") if device != "cpu" else None
        if "CUDA_VISIBLE_DEVICES" in os.environ:
            self._index = None
        self._readings: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        if self._index is not None and shutil.which("nvidia-smi") is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def busy(self) -> float | None:
        """Mean utilisation, 0 to 1; None without a reading."""
        return sum(self._readings) / len(self._readings) if self._readings else None

    def _read(self) -> None:
        query = ["nvidia-smi", "-i", str(self._index), "--query-gpu=utilization.gpu"]
        while not self._over.wait(timeout=1):
            answer = _output([*query, "--format=csv,noheader,nounits"])
            if answer is not None and answer.isdigit():
                self._readings.append(int(answer) / 100)


def has_gpu() -> bool:
    """Whether the system has an NVIDIA device, by its device files; no framework is imported."""
    devices = [*Path("/dev").glob("nvidia[0-9]*"), Path("/dev/dxg")]
    return any(device.exists() for device in devices) or shutil.which("nvidia-smi") is not None


def cpu_model() -> str:
    """Name of the processor as the system gives it."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


PROBE_LIMIT_S = 120.0
"""Time limit of `probe` and `lacking`: a framework's first import may take a minute."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed for an interpreter.

    - `actionbench`: version of ActionBench.
    - `packages`: as `package_versions` gives them.
    - `cuda`: names of the CUDA devices of the backend that was asked for.
    - `error`: why it could not be found out, in which case all else is empty; "" if it could.
    """

    actionbench: str = ""
    packages: Mapping[str, str | None] = field(default_factory=dict)
    cuda: tuple[str, ...] = ()
    error: str = ""


@lru_cache
def probe(python: str, devices_of: str | None = None) -> Installed:
    """Versions in an interpreter, and the CUDA devices of one backend.

    - `python`: path of the interpreter.
    - `devices_of`: the backend whose devices are listed; None: no framework is imported.

    An interpreter that does not start or has no ActionBench gives the `error`.
    """
    if python == sys.executable and devices_of is None:
        return typed(Installed, own_packages(None))
    code = (
        "import json; from actionbench.bench.plan import environment as e;"
        "print(json.dumps(e.own_packages(%r)))"
    )
    try:
        answer = _run_code(python, code % devices_of)
    except TimeoutError:
        return Installed(error=f"it did not answer within {PROBE_LIMIT_S:g} s")
    except OSError as error:
        return Installed(error=str(error))
    if answer.status != 0:
        return Installed(error=last_lines(answer.stderr, 1))
    try:
        found = parse_json(answer.last_line)
        # Another version of ActionBench, which a gate may compare with, may tell more.
        return typed(Installed, {each.name: found[each.name] for each in fields(Installed)[:-1]})
    except (LookupError, TypeError, ValueError):
        return Installed(error=f"it printed {answer.text[-80:]!r}")


def lacking(python: str, modules: Sequence[str]) -> tuple[str, ...]:
    """Those of the top-level `modules` that an interpreter lacks; none of them is imported.

    - `python`: path of the interpreter. One that gives no answer counts as lacking none: `probe` has its
      `error`.
    """
    return absent(modules) if python == sys.executable else _lacking_elsewhere(python, tuple(modules))


@lru_cache
def _lacking_elsewhere(python: str, modules: tuple[str, ...]) -> tuple[str, ...]:
    code = (
        "import json; from importlib.util import find_spec;"
        f"print(json.dumps([each for each in {modules!r} if find_spec(each) is None]))"
    )
    try:
        found = parse_json(_run_code(python, code).last_line)
        return tuple(each for each in modules if each in found)
    except (OSError, TypeError, ValueError):  # also TimeoutError
        return ()


def _run_code(python: str, code: str) -> Completed:
    """Raises OSError, TimeoutError."""
    return run_captured(
        [python, "-c", code],
        env={**os.environ, "PYTHONSAFEPATH": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        timeout_s=PROBE_LIMIT_S,
    )


def own_packages(devices_of: str | None) -> dict[str, Any]:
    """The fields of `Installed` for this interpreter, for `probe`; `devices_of` as there."""
    found: dict[str, Any] = {
        "actionbench": __version__,
        "packages": package_versions(),
        "cuda": [],
    }
    if devices_of == "torch":
        import torch

        found["cuda"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    elif devices_of is not None and "tensorflow" in BACKENDS[devices_of].packages:
        import tensorflow as tf

        found["cuda"] = [device.name for device in tf.config.list_physical_devices("GPU")]
    elif devices_of == "onnx":
        import onnxruntime

        # It reports whether it was built for CUDA, but not the devices.
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            found["cuda"] = [gpu["name"] for gpu in gpus()]
    elif devices_of == "openvino":
        from ...models.backends import openvino_network  # noqa: F401  # to see whether it can be imported
    return found


def _cpu_mhz() -> float | None:
    frequency = psutil.cpu_freq()
    return round(frequency.current) if frequency else None


def _git_commit() -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _output(["git", "-C", str(root), "rev-parse", "HEAD"])
    changed = _output(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return None if commit is None else commit + ("+changes" if changed else "")


def _output(command: list[str]) -> str | None:
    try:
        answer = run_captured(command, timeout_s=20)
    except OSError:  # also TimeoutError
        return None
    return answer.text.strip() if answer.status == 0 else None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
