"""`bench doctor`: the environment as a run records it, and what each backend lacks."""

from __future__ import annotations

import sys

from ...home import home
from ...models.capabilities import BACKENDS
from ..plan.environment import environment, probe


def print_diagnosis() -> None:
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
    for backend, missing in probe(sys.executable)["missing"].items():
        if missing:
            print(f"  {backend:12} lacks {', '.join(missing)}: {BACKENDS[backend].remedy} installs them")
            continue
        found = probe(sys.executable, backend)
        if "error" in found:
            print(f"  {backend:12} does not import: {found['error']}")
        else:
            print(
                f"  {backend:12} ready on CPU"
                + "".join(f", cuda:{i} {d}" for i, d in enumerate(found["cuda"]))
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
