"""Python files with a user's networks, and their neighbours: the modules in the same folder.

Such a file imports its neighbours as a script would: its folder comes first on `sys.path`. One run may name
several networks, and two folders may each have a `layers.py`. So the process that plans the run has a folder
on the path only while it executes a file from there, and removes the neighbours from `sys.modules`
afterwards. The worker, which runs one network, keeps them: a network may import in its loader, or later.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

_FILE_PREFIX = "actionbench_file_"
"""What the names of the files' own modules begin with, which no file imports."""

_neighbours: dict[Path, dict[str, ModuleType]] = {}
"""Folder → name → module: what was imported from the folders of networks. Each is executed once."""


def execute(file: Path) -> ModuleType:
    """The module of a Python file, executed again at each call. Raises whatever the file raises."""
    # A name of its own for each file: two users' `net.py` are two modules.
    name = _FILE_PREFIX + hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, "a .py file has a loader"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def neighbours_importable(file: Path) -> Iterator[None]:
    """While the block runs, modules in the folder of `file` can be imported."""
    keep_neighbours_importable(file)
    try:
        yield
    finally:
        _put_away()


def keep_neighbours_importable(file: Path) -> None:
    """From now on modules in the folder of `file` can be imported, and those of no other network's folder."""
    _put_away()
    folder = file.resolve().parent
    if str(folder) in sys.path:
        return  # on the path already, as an installed package is: its modules are not the network's own
    sys.modules.update(_neighbours.setdefault(folder, {}))
    sys.path.insert(0, str(folder))


def _put_away() -> None:
    for folder, modules in _neighbours.items():
        found = _imported_from(folder)
        for name in found:
            del sys.modules[name]
        modules.update(found)
        with suppress(ValueError):
            sys.path.remove(str(folder))


def _imported_from(folder: Path) -> dict[str, ModuleType]:
    """Modules that were found directly in `folder`, with their submodules.

    Not all that lies below it: a project's environment may, and frameworks cannot be imported twice.
    """
    imported = dict(sys.modules)
    found = {name for name, each in imported.items() if "." not in name and str(folder) in _locations(each)}
    return {
        name: each
        for name, each in imported.items()
        if name.partition(".")[0] in found and not name.startswith(_FILE_PREFIX)
    }


def _locations(module: ModuleType) -> set[str]:
    """The folder of a module's file, or the folders that a package's folders lie in."""
    spec = vars(module).get("__spec__") if isinstance(module, ModuleType) else None
    if spec is None:
        return set()
    packages = spec.submodule_search_locations
    files = [spec.origin] if packages is None else packages
    # Not by `Path`: a process may have a thousand modules.
    return {os.path.dirname(file) for file in files if file is not None}  # noqa: PTH120
