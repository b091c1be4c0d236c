"""Which machine a run was made on, as far as times depend on it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any


def fingerprint(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for times to be of one machine; unknown is None. `environment`: as runs record it.

    Processor, its vector instructions (a virtual machine may hide some), cores that may be used, memory in
    whole GiB (kernels keep different amounts of it for themselves), GPUs, system with its major version,
    frequency governor. Not the versions of programs: those are what one wants to compare.
    """
    memory = environment.get("memory_bytes")
    system = re.match(r"[A-Za-z]+-\d+", str(environment.get("os", "")))
    flags = environment.get("cpu_flags")
    return {
        "cpu": environment.get("cpu"),
        "cpu_flags": None if flags is None else sorted(flags),
        "cores": environment.get("cores"),
        "memory_gib": None if memory is None else round(memory / 2**30),
        "gpus": [f"{gpu.get('name')}, {gpu.get('memory')}" for gpu in environment.get("gpus") or ()],
        "os": system[0] if system else None,
        "cpu_governor": environment.get("cpu_governor"),
    }


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Where two environments are of different machines, in words: "cores: 2, 4". Empty: the same machine."""
    mine, theirs = fingerprint(first), fingerprint(second)
    return [f"{key}: {mine[key]}, {theirs[key]}" for key in mine if mine[key] != theirs[key]]


def machine_id(environment: Mapping[str, Any]) -> str:
    """A short name of the machine that only changes with its fingerprint: ten hexadecimal digits."""
    canonical = json.dumps(fingerprint(environment), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]
