"""`bench doctor`: hardware and software as a run records them, and which packages each backend lacks."""

from __future__ import annotations

import sys

from ...home import home
from ...models.capabilities import BACKENDS
from ..plan.environment import environment, probe


def print_diagnosis() -> None:
    """Print the environment, the versions of packages, and whether each backend and the flow can be used."""
    facts = environment()
    packages = facts.pop("packages")
    for name, value in facts.items():
        if name == "gpus":
            value = "; ".join(", ".join(gpu.values()) for gpu in value) or "none (nvidia-smi lists none)"
        elif name == "memory_bytes":
            name, value = "memory", f"{value / 2**30:.1f} GiB"
        print(f"{name:15} {value}")
    print(f"{'cache folder':15} {home()}")
    print("\npackages")
    for name, version in packages.items():
        print(f"  {name:22} {version or 'not installed'}")
    print("\nbackends")
    for backend, missing in probe(sys.executable).missing.items():
        if missing:
            print(f"  {backend:12} lacks {', '.join(missing)}; install: {BACKENDS[backend].remedy}")
            continue
        found = probe(sys.executable, backend)
        if found.error:
            print(f"  {backend:12} cannot be imported: {found.error}")
        else:
            print(
                f"  {backend:12} ready on CPU" + "".join(f", cuda:{i} {d}" for i, d in enumerate(found.cuda))
            )
    print(f"  {'flow':12} {_flow()}")


def _flow() -> str:
    from ...errors import BackendUnavailable
    from ...flow.registry import get_method

    try:
        method = get_method("opencv")
    except BackendUnavailable as error:
        return str(error)
    return f"ready: {method.describe()['name']} of OpenCV"
