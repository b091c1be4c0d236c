"""Where an arm's code is: the working tree, a git reference, another interpreter, a command."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import BackendUnavailable, UsageError
from ...records.gate import Arm, ArmName
from ..plan.environment import probe
from .checkout import check_out, commit_of, git, lock_workshop, top_level
from .config import words
from .venvs import surroundings

OWN_ROOT = Path(__file__).resolve().parents[2]
"""The source of the ActionBench that runs the gate."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how one arm's processes are run.

    - `record`: the arm as it is recorded. `root`: their working folder. `python`: their interpreter.
    - `command`: what a slot runs there, where the arm itself is a command; else None.
    - `inherits`: the environment variables that choose Python's modules are the driver's own.
    """

    record: Arm
    root: Path
    python: str
    command: tuple[str, ...] | None = None
    inherits: bool = True

    def environment(self) -> dict[str, str]:
        """Variables of the arm's processes; `python` is its interpreter."""
        environment = dict(os.environ)
        if not self.inherits:
            for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
                environment.pop(name, None)
        environment["PATH"] = f"{Path(self.python).parent}{os.pathsep}{environment.get('PATH', '')}"
        return environment


def find_place(
    arm: ArmName, spec: str, repository: Path, shared: bool, say: Callable[[str], None], held: ExitStack
) -> Place:
    """The place that `spec` names, ready to run in; environments and checkouts are made here.

    `shared`: a commit's environment borrows the packages of this one whatever the commit pins. `held`: gets
    the lock of a commit's checkout, which is the gate's until it is closed.

    - "tree": the repository as it lies there, run by this interpreter.
    - "git:REF": a commit of it, checked out and installed on its own. "python:PATH": another interpreter.
    - "command:…": a command, run in this folder.
    - A plain word is an interpreter if there is such a program file, else a git reference.

    Raises UsageError for what cannot be found, BackendUnavailable for an interpreter without ActionBench,
    MeasurementError if an environment cannot be made.
    """
    kind, colon, rest = spec.partition(":")
    if spec == "tree":
        return _tree(spec, repository)
    if colon and kind == "command":
        command = words(rest, f"--{arm}")
        identity = {"command": rest, "folder": str(Path.cwd())}
        return Place(Arm(spec, rest, identity), Path.cwd(), sys.executable, command)
    if colon and kind == "python":
        return _interpreter(spec, rest)
    if colon and kind == "git":
        return _git(arm, spec, rest, repository, shared, say, held)
    if os.access(spec, os.X_OK) and Path(spec).is_file():
        return _interpreter(spec, spec)
    return _git(arm, spec, spec, repository, shared, say, held)


def _tree(spec: str, repository: Path) -> Place:
    root = top_level(repository)
    if root is None:
        folder = repository.absolute()
        identity = {"folder": str(folder), "python": sys.executable}
        return Place(Arm(spec, f"{folder}", identity), folder, sys.executable)
    if (root / "bench" / "gate").is_dir() and _is_actionbench(root) and root != OWN_ROOT:
        raise UsageError(
            "this `bench` does not run the working tree that is to be measured",
            where=root,
            found=OWN_ROOT,
            remedy="Install the tree (pip install -e .), or name the arm: --candidate git:REF.",
        )
    identity = tree_identity(root)
    title = f"working tree at {identity['commit'][:9]}" + (" with changes" if identity["changes"] else "")
    return Place(Arm(spec, title, identity), root, sys.executable)


def tree_identity(root: Path) -> dict[str, Any]:
    """The commit of a working tree, and a digest of what was changed since in the files that git knows."""
    index = Path(root, git(root, "rev-parse", "--git-path", "index").strip())
    with tempfile.TemporaryDirectory() as folder:
        # A copy: git writes to the index what it has looked at, and leaves a lock there if it is killed.
        copy = Path(shutil.copy(index, folder)) if index.is_file() else None
        changes = git(root, "diff", "HEAD", "--binary", index=copy)
    return {
        "commit": commit_of(root, "HEAD"),
        "changes": hashlib.sha256(changes.encode(errors="surrogateescape")).hexdigest() if changes else None,
    }


def _is_actionbench(root: Path) -> bool:
    setup = root / "setup.cfg"
    return setup.is_file() and "name = actionbench\n" in setup.read_text(encoding="utf-8")


def _interpreter(spec: str, path: str) -> Place:
    python = shutil.which(path)
    if python is None:
        raise UsageError("no such interpreter", where=spec, found=path)
    python = str(Path(python).absolute())  # not resolved: a virtual environment's is a link
    found = probe(python)
    if found.error:
        raise BackendUnavailable(
            f"the interpreter cannot run ActionBench: {found.error}",
            where=python,
            remedy="Install ActionBench there, or compare commands: --base command:… .",
        )
    title = f"{path} (ActionBench {found.actionbench})"
    identity = {"python": python, "actionbench": found.actionbench, "packages": dict(found.packages)}
    return Place(Arm(spec, title, identity), Path.cwd(), python, inherits=False)


def _git(
    arm: ArmName,
    spec: str,
    reference: str,
    repository: Path,
    shared: bool,
    say: Callable[[str], None],
    held: ExitStack,
) -> Place:
    root = top_level(repository)
    if root is None:
        raise UsageError(
            "is in no git repository, or git is not installed",
            where=repository,
            remedy="--repository names the one under test.",
        )
    commit = commit_of(root, reference)
    held.enter_context(lock_workshop(root, arm))
    tree = check_out(root, commit, arm)
    around = surroundings(tree, root, shared=shared, own=OWN_ROOT, under_test=_is_actionbench(tree), say=say)
    subject = git(tree, "show", "--no-patch", "--format=%s", "HEAD").strip()
    # Whatever its encoding, the title is written as UTF-8.
    subject = subject.encode(errors="surrogateescape").decode(errors="replace")
    title = f"{reference} ({commit[:9]} {subject}; packages: {around.packages})"
    identity = {"commit": commit, "packages": around.packages}
    return Place(Arm(spec, title, identity), tree, around.python, inherits=False)
