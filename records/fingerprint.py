"""The fingerprint of a machine: the properties that measured times depend on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any


def fingerprint(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The properties in which two environments must be equal to count as the same machine; unknown is None.

    Processor, its vector instructions (a virtual machine may hide some), usable cores, memory in whole GiB
    (kernels reserve different amounts), GPUs, system with its major version, frequency governor. Versions of
    programs are not part of it: comparing them is a purpose of the comparison.

    `environment`: as in `Run.environment`; what is no such value counts as unknown.
    """
    memory = environment.get("memory_bytes")
    system = re.match(r"[A-Za-z]+-\d+", str(environment.get("os", "")))
    flags, gpus = environment.get("cpu_flags"), environment.get("gpus")
    return {
        "cpu": environment.get("cpu"),
        "cpu_flags": sorted(map(str, flags)) if isinstance(flags, list) else None,
        "cores": environment.get("cores"),
        "memory_gib": round(memory / 2**30) if isinstance(memory, int) else None,
        "gpus": [
            f"{gpu.get('name')}, {gpu.get('memory')}"
            for gpu in (gpus if isinstance(gpus, list) else ())
            if isinstance(gpu, Mapping)
        ],
        "os": system[0] if system else None,
        "cpu_governor": environment.get("cpu_governor"),
    }


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Properties in which two machines differ, as texts like "cores: 2, 4"; empty for the same machine."""
    mine, theirs = fingerprint(first), fingerprint(second)
    return [f"{key}: {mine[key]}, {theirs[key]}" for key in mine if mine[key] != theirs[key]]


def machine_id(environment: Mapping[str, Any]) -> str:
    """A short identifier of the machine: the first ten hexadecimal digits of its fingerprint's SHA-256."""
    canonical = json.dumps(fingerprint(environment), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]
