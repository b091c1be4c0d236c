"""The virtual environment of a commit: made once, and used again while its pins are unchanged.

A commit that pins what the working tree pins borrows the packages of the environment that the gate runs in,
so that only the code differs between the arms and nothing large is installed twice. Another one gets
packages of its own, by pip, unless the gate is to compare the code alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import site
import sys
import tempfile
import tomllib
import venv
from collections.abc import Callable
from configparser import ConfigParser
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

from ...atomic import FREE_SPACE, NO_SPACE, write_file
from ...child_process import output_of
from ...errors import MeasurementError
from ...parsing import parse_json

PIN_FILES = ("setup.py", "constraints*.txt", "requirements*.txt", "*.lock")
"""Files at a repository's root that say what is installed with it, beside what setup.cfg and pyproject.toml
require."""

_INSTALLABLE = ("setup.cfg", "setup.py", "pyproject.toml")

_STAMP = "actionbench-gate.json"

_REMEDY = "Make one yourself and name its interpreter, python:PATH."


def pins(root: Path) -> str:
    """Digest of what the repository at `root` says of its packages, and of this interpreter."""
    digest = hashlib.sha256(f"{sys.version} {sys.base_prefix}".encode())
    digest.update(json.dumps(_requirements(root)).encode())
    for file in sorted(path for pattern in PIN_FILES for path in root.glob(pattern) if path.is_file()):
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _requirements(root: Path) -> list[str]:
    """What installing the repository without extras requires, of packages and of Python."""
    found: list[str] = []
    setup = ConfigParser(interpolation=None)
    setup.read(root / "setup.cfg", encoding="utf-8")
    for key in ("install_requires", "python_requires"):
        text = setup.get("options", key, fallback="")
        found += [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    pyproject = root / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        found += [*project.get("dependencies", []), str(project.get("requires-python", ""))]
    return found


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Interpreter of a commit's environment. `packages`: whose they are, in words."""

    python: str
    packages: str


def surroundings(
    tree: Path, working_tree: Path, *, shared: bool, own: Path, under_test: bool, say: Callable[[str], None]
) -> Surroundings:
    """The environment beside `tree`, with its code installed in place; made now where it has to be.

    `shared`: borrow this environment's packages even where the pins differ. `own`: the driver's ActionBench,
    installed too unless the tree is itself ActionBench (`under_test`). Raises MeasurementError with pip's, or
    the disk's, message if it cannot be made.
    """
    folder = tree.parent / "environment"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    same = pins(tree) == pins(working_tree)
    borrowed = same or shared
    words = (
        "those of this environment" if same else "shared, though pins differ" if shared else "its own pins"
    )
    found = Surroundings(str(python), words)
    stamp = {
        "pins": pins(tree),
        "tree": str(tree),
        "packages_of": sys.prefix if borrowed else None,
        "actionbench": None if under_test else str(own),
    }
    if _stamped(folder) == stamp:
        return found
    say(f"making an environment for {tree}" + ("" if borrowed else ": its pins differ, pip installs them"))
    try:
        # First: an environment that was removed in part must not pass for a complete one.
        (folder / _STAMP).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, symlinks=os.name != "nt")
        _fill(python, tree, own, borrowed=borrowed, under_test=under_test)
        write_file(folder / _STAMP, json.dumps(stamp))
    except OSError as error:
        raise MeasurementError(
            f"its environment could not be made: {error.strerror or error}",
            where=error.filename or folder,
            remedy=FREE_SPACE if error.errno in NO_SPACE else _REMEDY,
        ) from error
    return found


def _fill(python: Path, tree: Path, own: Path, *, borrowed: bool, under_test: bool) -> None:
    """Install what is needed into a new environment, whose interpreter is `python`; see `surroundings`."""
    packages = _packages_folder(python)
    if borrowed:
        _borrow(packages)
    else:
        # Not by `venv`: what that starts would go on where this process is killed.
        _run([str(python), "-I", "-m", "ensurepip", "--default-pip"], tree)
    if not under_test:
        _link(own, packages)
    if any((tree / name).is_file() for name in _INSTALLABLE):
        _pip(python, tree, borrowed)
    if not under_test and not borrowed:
        needs = [need for need in requires("actionbench") or [] if "extra ==" not in need]
        _run([str(python), "-m", "pip", "install", "--quiet", *needs], tree)


def _stamped(folder: Path) -> object:
    try:
        return parse_json((folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _packages_folder(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(_run([str(python), "-I", "-c", code], python.parent).strip())


def _borrow(packages: Path) -> None:
    """Make the packages of this interpreter importable there, after its own ones."""
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    # Named to be read last: the tree's own code comes before what is borrowed. `addsitedir` also reads the
    # .pth files in those folders, which editable installs are made of.
    lines = [f"import site; site.addsitedir({str(folder)!r})" for folder in folders if Path(folder).is_dir()]
    (packages / "zz_borrowed.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _link(own: Path, packages: Path) -> None:
    """Make the driver's ActionBench importable there, whatever its folder is called."""
    links = packages / "actionbench-of-the-driver"
    links.mkdir()
    (links / "actionbench").symlink_to(own, target_is_directory=True)
    (packages / "actionbench_of_the_driver.pth").write_text(f"{links}\n", encoding="utf-8")


def _pip(python: Path, tree: Path, borrowed: bool) -> None:
    """Install the tree in place; with its dependencies unless they are borrowed."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if borrowed:
        command += ["--no-deps", "--no-build-isolation", "--ignore-installed"]
    for constraints in sorted(tree.glob("constraints*.txt")):
        command += [] if borrowed else ["-c", str(constraints)]
    _run([*command, "-e", str(tree)], tree)


def _run(command: list[str], folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    # pip removes its temporary files itself, but not when it is killed, as in an interrupt.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        return output_of(
            command,
            f"its environment could not be made: `python {' '.join(command[1:4])}` failed",
            where=folder,
            remedy=_REMEDY,
            cwd=folder,
            env=environment | {"TMPDIR": temporary},
        )
