"""What each backend can compute, and why this machine cannot: one table, without importing a framework.

A selection is `backend:precision:variant`; the same words are used for backends of users' own networks.
"""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from .spec import Model

PRECISIONS = {
    "fp32": "float32",
    "tf32": "float32, the operands of products rounded to 10-bit mantissas (CUDA)",
    "bf16": "bfloat16, sums in float32",
    "fp16": "float16, sums in float32 (CUDA)",
    "int8": "8-bit integers, quantised after training",
}
"""Name on the command line → what it is."""

VARIANTS = {
    "tuned": "every exact transformation that helps",
    "plain": "as the authors' code or its usual port runs",
    "compiled": "tuned, then torch.compile",
    "graphs": "tuned, replayed from CUDA graphs",
}
"""Name on the command line → what it is."""

OUR_MODULES = f"{__package__}."
"""What the names of our loaders' modules begin with; others are a user's."""

Offer = Mapping[str, tuple[str, ...]]
"""Precision → its variants; the first is the default."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What a backend offers.

    - `packages`: the modules that it imports, those of the model included (`offer`).
    - `extra`: the optional dependency that installs them; None for what ActionBench itself depends on.
    - `remedies`: module → how it is installed, as a clause, where the extra does not install it.
    - `cpu`, `cuda`: what it computes on such a device.
    - `reads`: the formats of weights that it reads; None for all that there are.
    - `own_network`: the weights are a network themselves: there are no random ones for it, and none in common
      with other backends.
    """

    packages: tuple[str, ...] = ()
    extra: str | None = None
    cpu: Offer = field(default_factory=dict)
    cuda: Offer = field(default_factory=dict)
    reads: tuple[str, ...] | None = None
    own_network: bool = False
    remedies: Mapping[str, str] = field(default_factory=dict)

    @property
    def precisions(self) -> tuple[str, ...]:
        """All precisions that it offers on any device; the first is the default."""
        return tuple(dict.fromkeys((*self.cpu, *self.cuda)))

    def variants(self, precision: str) -> tuple[str, ...]:
        """All variants of a precision, on whatever device."""
        return tuple(dict.fromkeys((*self.cpu.get(precision, ()), *self.cuda.get(precision, ()))))

    @property
    def remedy(self) -> str:
        """How its own packages are installed."""
        extra = f"[{self.extra}]" if self.extra else ""
        return f"pip install 'actionbench{extra}'"

    def remedy_for(self, missing: Iterable[str]) -> str:
        """How the modules `missing`, of those that it needs, are installed: a clause for each way."""
        clauses = (self.remedies.get(name, f"`{self.remedy}`") for name in missing)
        return "; ".join(dict.fromkeys(clauses))


QUANTISER = "nncf"
"""The module that quantises networks to int8; it is not needed to run them."""

INT8_REMEDY = "pip install 'actionbench[int8]'"

_TUNED = ("tuned",)
_ON_CUDA = ("tuned", "compiled", "graphs")

BACKENDS: dict[str, Backend] = {
    "tensorflow": Backend(
        packages=("tensorflow", "sonnet"),
        cpu={"fp32": ("tuned", "plain"), "bf16": _TUNED},
        cuda={"fp32": ("tuned", "plain"), "tf32": ("tuned", "plain")},
        # Files of torch are read by torch, which must not be imported beside TensorFlow.
        reads=("tf1-checkpoint", "safetensors", "tfhub"),
    ),
    "torch": Backend(
        packages=("torch",),
        cpu={"fp32": ("tuned", "plain", "compiled"), "bf16": ("tuned", "compiled")},
        cuda={
            "fp32": (*_ON_CUDA, "plain"),
            "tf32": (*_ON_CUDA, "plain"),
            "bf16": _ON_CUDA,
            "fp16": _ON_CUDA,
        },
    ),
    "tfhub": Backend(
        packages=("tensorflow", "tensorflow_hub"),
        cpu={"fp32": ("plain",)},
        cuda={"fp32": ("plain",), "tf32": ("plain",)},
        reads=("tfhub",),
        own_network=True,
    ),
    "onnx": Backend(
        packages=("onnx", "onnxruntime"),
        extra="onnx",
        cpu={"fp32": _TUNED},
        cuda={"fp32": _TUNED, "tf32": _TUNED},
    ),
    "openvino": Backend(
        packages=("onnx", "openvino"),
        extra="openvino",
        cpu={"fp32": _TUNED, "bf16": _TUNED, "int8": _TUNED},
        remedies={QUANTISER: f"`{INT8_REMEDY}`"},
    ),
}
"""Backend → what it offers; the backends of ours."""

_UNTUNED: Offer = {"fp32": _TUNED}

_OFF_CUDA = {
    "tf32": "TF32 is an arithmetic of CUDA devices",
    "fp16": "float16 gains nothing on a CPU (measured: as fast as float32 as a product of matrices, and "
    "1.7 times slower in OpenVINO)",
    "graphs": "CUDA graphs need a CUDA device",
}
"""Precision or variant that a CPU does not compute → why."""


def offer(model: Model, backend: str) -> Backend:
    """What `backend` offers for `model`.

    - `model`: the network; `Model.precisions` may restrict or replace the precisions.
    - `backend`: a key of `Model.backends`.

    For one of our loaders it is the entry of BACKENDS, with the packages of the model. A user's own loader is
    taken to compute in float32 and to read weights of any format.
    """
    known = BACKENDS.get(backend, Backend())
    known = replace(
        known,
        packages=tuple(dict.fromkeys((*known.packages, *model.packages))),
        remedies={**known.remedies, **model.packages},
    )
    loader = model.backends[backend]
    if not (isinstance(loader, str) and loader.startswith(OUR_MODULES)):
        own = dict.fromkeys(model.precisions.get(backend, ("fp32",)), _TUNED)
        return replace(known, cpu=own, cuda=own, reads=None, own_network=False)
    named = model.precisions.get(backend, known.precisions)
    return replace(known, cpu=_only(named, known.cpu), cuda=_only(named, known.cuda))


def _only(precisions: tuple[str, ...], offered: Offer) -> Offer:
    return {precision: variants for precision, variants in offered.items() if precision in precisions}


def needed_packages(offered: Backend, precision: str = "") -> tuple[str, ...]:
    """Modules that a model imports with a backend.

    - `offered`: what the backend offers (`offer`).
    - `precision`: "int8" needs QUANTISER too.
    """
    return (*offered.packages, QUANTISER) if precision == "int8" else offered.packages


def missing_packages(offered: Backend, precision: str = "") -> tuple[str, ...]:
    """Those of `needed_packages` that this interpreter lacks; nothing is imported."""
    return absent(needed_packages(offered, precision))


def absent(modules: Iterable[str]) -> tuple[str, ...]:
    """Those of the top-level `modules` that this interpreter lacks; nothing is imported."""
    return tuple(name for name in modules if importlib.util.find_spec(name) is None)


def why_not(offered: Backend, precision: str, variant: str, device: str) -> str | None:
    """Why this machine cannot compute so, as a clause of a sentence; None if it can.

    - `offered`: what the backend offers (`offer`).
    - `precision`, `variant`: keys of PRECISIONS and VARIANTS.
    - `device`: "cpu" or "cuda:N"; whether there is such a device is not checked.

    Packages are not checked either: another interpreter may have them.
    """
    on_cpu = device == "cpu"
    if variant not in (offered.cpu if on_cpu else offered.cuda).get(precision, ()):
        if on_cpu and (reason := _OFF_CUDA.get(precision) or _OFF_CUDA.get(variant)):
            return reason
        return f"{precision}:{variant} is not offered on {'the CPU' if on_cpu else 'CUDA devices'}"
    if precision == "bf16" and on_cpu and _is_x86() and not cpu_flags() & _AVX512:
        return (
            "this CPU has no AVX-512, without which bfloat16 convolutions run in scalar code (measured: 28 "
            "times slower than float32 in TensorFlow, 100 times in torch) or, in OpenVINO, in float32"
        )
    return None


def caution(precision: str, device: str) -> str | None:
    """A warning about a precision that this machine can compute, as a clause; None if there is none.

    - `precision`: a key of PRECISIONS.
    - `device`: "cpu" or "cuda:N".
    """
    if precision == "bf16" and device == "cpu" and not cpu_flags() & _BF16:
        return "this CPU has no bfloat16 instructions (AMX, AVX-512 BF16): emulated, slower than float32"
    return None


_AVX512 = {"avx512bw", "avx512_bf16", "amx_bf16"}
_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # the last one is Arm's name


@lru_cache
def cpu_flags() -> frozenset[str]:
    """Instruction sets of the processor by Linux's names; empty where /proc/cpuinfo cannot be read."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return frozenset()
    for line in text.splitlines():
        if line.lower().startswith(("flags", "features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def _is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")
