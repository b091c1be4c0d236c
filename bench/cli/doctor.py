"""`bench doctor`: hardware and software as a run records them, and which packages are lacking."""

from __future__ import annotations

import sys

from ...home import home
from ...models.capabilities import BACKENDS, missing_packages
from ..model_list import listed_families
from ..plan.environment import environment, probe


def print_diagnosis() -> None:
    """Print the environment, the versions of packages, and which backends, families and flow are ready."""
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
    for backend, offered in BACKENDS.items():
        if missing := missing_packages(offered):
            print(f"  {backend:12} lacks {', '.join(missing)}; install: {offered.remedy}")
            continue
        found = probe(sys.executable, backend)
        if found.error:
            print(f"  {backend:12} cannot be imported: {found.error}")
        else:
            print(
                f"  {backend:12} ready on CPU" + "".join(f", cuda:{i} {d}" for i, d in enumerate(found.cuda))
            )
    print(f"  {'flow':12} {_flow()}")
    print("\nfamilies of networks")
    for family in listed_families().values():
        lacks = (f"lacks {name}; install: {remedy}" for name, remedy in family.lacks.items())
        print(f"  {' or '.join(family.forms):40} {'; '.join(lacks) or 'packages installed'}")


def _flow() -> str:
    from ...errors import BackendUnavailable
    from ...flow.registry import get_method

    try:
        method = get_method("opencv")
    except BackendUnavailable as error:
        return str(error)
    return f"ready: {method.describe()['name']} of OpenCV"
