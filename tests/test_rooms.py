"""The rules of the house: who imports whom, and what costs nothing until it is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES_OF_INPUT = {"datasets", "flow", "models"}
ALLOWED = {
    "downloads": set[str](),
    "datasets": {"downloads"},
    "flow": set[str](),
    "models": {"downloads"},
    "records": set[str](),
    "preprocessing": SOURCES_OF_INPUT,
    "training": {*SOURCES_OF_INPUT, "preprocessing", "records"},
    "live": {*SOURCES_OF_INPUT, "preprocessing", "records"},
    "reports": {"records"},
    "bench": {*SOURCES_OF_INPUT, "preprocessing", "records", "training", "live", "reports"},
}
"""Folder → the folders that it may import from, as docs/architecture.md draws them."""

ROOMS = tuple(ALLOWED)
MOST_FILES = 14
FRAMEWORKS = {"tensorflow", "torch", "sonnet", "tensorflow_hub"}


def room_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported_rooms(file: Path) -> set[str]:
    depth = len(file.relative_to(ROOT).parts) - 1
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = (node.module or "").split(".")
            if node.level == depth + 1:
                found |= {names[0]} if names[0] else {alias.name for alias in node.names}
            elif node.level == 0 and names[0] == "actionbench":
                found |= {names[1]} if len(names) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("actionbench.")}
    return found & set(ROOMS)


def imported_frameworks(file: Path) -> set[str]:
    """Frameworks that importing the file imports: not what a function imports when it is called."""
    found: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)
    return found & FRAMEWORKS


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_they_may(room: str) -> None:
    files = room_files(room)
    assert files
    for file in files:
        others = imported_rooms(file) - {room}
        assert others <= ALLOWED[room], f"{file.relative_to(ROOT)} imports {others - ALLOWED[room]}"


def test_no_folder_is_a_pile() -> None:
    for folder in {file.parent for room in ROOMS for file in room_files(room)}:
        files = list(folder.glob("*.py"))
        assert len(files) <= MOST_FILES, f"{folder.relative_to(ROOT)} has {len(files)} files"


NETWORKS = re.compile(r"i3d|resnext|resnet", re.IGNORECASE)


NAMING_NETWORKS = (
    "models/registry/names.py",
    "models/weights/catalogue.py",
    "models/weights/descriptions.py",
)
"""Lists, of networks and of published weights, that name networks outside the networks' folders."""


def generic_files() -> list[Path]:
    """All sources but the networks' folders and the lists."""
    own = ("models/i3d/", "models/resnext/", "models/resnet/", *NAMING_NETWORKS)
    files = [*ROOT.glob("*.py"), *(file for room in ROOMS for file in room_files(room))]
    return [file for file in files if not file.relative_to(ROOT).as_posix().startswith(own)]


def networks_named(text: str) -> set[str]:
    """Identifiers and strings of a source that name a network; docstrings, of values too, may do so."""
    tree = ast.parse(text)
    expressions = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    documentation = {id(value) for value in expressions if isinstance(value, ast.Constant)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        # Whatever kind of node it is: names, attributes, arguments, keywords, imports and constants.
        values = [value for _, value in ast.iter_fields(node)]
        found |= {value for value in values if isinstance(value, str) and NETWORKS.search(value)}
    return found


def test_generic_code_names_no_network() -> None:
    files = generic_files()
    assert len(files) > 150
    for file in files:
        named = networks_named(file.read_text(encoding="utf-8"))
        assert not named, f"{file.relative_to(ROOT)} names {named}"


def test_the_architecture_states_who_may_name_a_network() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in NAMING_NETWORKS:
        assert f"`{name}`" in text
        assert networks_named((ROOT / name).read_text(encoding="utf-8")), name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from .i3d import architecture", {"i3d"}),
        ("import actionbench.models.resnext", {"actionbench.models.resnext"}),
        ("x = 'such as i3d@torch'", {"such as i3d@torch"}),
        ("def f(a): return f'{a}-I3D'", {"-I3D"}),
        ("def load_resnext(): pass", {"load_resnext"}),
        ("f(i3d=1).resnext", {"i3d", "resnext"}),
        ('"""Like I3D."""\nX = 1\n"""What I3D has."""\ndef f():\n    """ResNeXt."""', set()),
        ("# as in I3D\nx = 'a network'", set()),
    ],
)
def test_a_network_that_is_named_is_found(text: str, found: set[str]) -> None:
    assert networks_named(text) == found


def test_json_and_yaml_are_read_in_one_file() -> None:
    """What json.loads and yaml raise of a text from outside is not all ValueError."""
    for file in [*ROOT.glob("*.py"), *(file for room in ROOMS for file in room_files(room))]:
        text = file.read_text(encoding="utf-8")
        reads = [word for word in ("json.load", "yaml.load", "yaml.safe_load") if word in text]
        assert bool(reads) == (file.name == "parsing.py"), f"{file.relative_to(ROOT)} has {reads}"


def imports_subprocess(text: str) -> bool:
    """Whether a source imports `subprocess` or another way to start a process."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
    others = {"subprocess", "multiprocessing", "os.system", "os.popen", "os.fork", "asyncio", "psutil.Popen"}
    return bool(found & others)


def test_processes_are_started_in_one_file() -> None:
    """Only there is one given a time limit, and ended with all that it started."""
    for file in [*ROOT.glob("*.py"), *(file for room in ROOMS for file in room_files(room))]:
        starts = imports_subprocess(file.read_text(encoding="utf-8"))
        assert starts == (file == ROOT / "child_process.py"), file.relative_to(ROOT)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import os, subprocess", True),
        ("def f():\n    from subprocess import run", True),
        ("import os\nos.system('ls')", True),
        ("from multiprocessing.pool import Pool", True),
        ("from .child_process import run_captured\nimport os\nos.getpid()", False),
        ("# subprocess\nx = 'subprocess'", False),
    ],
)
def test_a_file_that_starts_processes_is_found(text: str, found: bool) -> None:
    assert imports_subprocess(text) == found


NOT_REPLACED = {
    "bench/gate/venvs.py": "paths in an environment that counts when its stamp is written",
    "datasets/synthetic/clips.py": "the manifest of a folder that is renamed when it is complete",
}
"""Source → what it writes without `atomic`, and why that is no risk."""


def test_files_are_replaced_as_a_whole() -> None:
    """What a reader may find while it is written, or after a crash, goes through `atomic`."""
    sources = {file.relative_to(ROOT).as_posix(): file for room in ROOMS for file in room_files(room)}
    found = {
        name
        for name, file in sources.items()
        if re.search(r"\.write_(text|bytes)\(", file.read_text(encoding="utf-8"))
    }
    assert found == NOT_REPLACED.keys()


def test_no_framework_is_imported_by_the_command_line_or_by_listing_models() -> None:
    code = (
        "import sys; from actionbench.bench.cli.app import run_app;"
        "assert run_app(['--help']) == 0; assert run_app(['models']) == 0;"
        f"print('imported:', sorted({FRAMEWORKS} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "imported: []" in answer.stdout
    assert "i3d" in answer.stdout


@pytest.mark.parametrize("room", ROOMS)
def test_no_package_imports_a_framework_by_itself(room: str) -> None:
    for file in (ROOT / room).rglob("__init__.py"):
        assert not imported_frameworks(file), file


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import torch", {"torch"}),
        ("import os, torch.nn as nn", {"torch"}),
        ("from tensorflow import keras", {"tensorflow"}),
        ("from torch.nn import functional", {"torch"}),
        ("if True:\n    import sonnet", {"sonnet"}),
        ("def load():\n    import torch", set()),
        ("class Net:\n    import torch", {"torch"}),
        ("try:\n    import torch\nexcept ImportError:\n    import tensorflow", {"torch", "tensorflow"}),
        ("import torchvision", set()),
        ("from . import torch", set()),
    ],
)
def test_an_import_of_a_framework_is_found(text: str, found: set[str], tmp_path: Path) -> None:
    file = tmp_path / "__init__.py"
    file.write_text(text)
    assert imported_frameworks(file) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import actionbench.flow.registry", {"flow"}),
        ("import os, actionbench.bench as b", {"bench"}),
        ("from actionbench.reports import load", {"reports"}),
        ("from actionbench import models", {"models"}),
        ("from ..flow.method import FlowMethod", {"flow"}),
        ("from .. import bench", {"bench"}),
        ("def late():\n    from ..bench import cli", {"bench"}),
        ("from .spec import Model\nfrom ..errors import UsageError\nimport flow", set()),
    ],
)
def test_an_import_of_another_room_is_found(
    text: str, found: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    file = tmp_path / "models" / "net.py"
    file.parent.mkdir()
    file.write_text(text)
    assert imported_rooms(file) == found


def test_every_package_is_installed_under_actionbench() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packages = set(setup["options"]["packages"].split())
    on_disk = {
        "actionbench." + ".".join(file.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for file in (ROOT / room).rglob("__init__.py")
    }
    assert packages == on_disk | {"actionbench"}


def test_cv2_is_the_contrib_build_and_nobody_brings_another() -> None:
    import cv2

    assert hasattr(cv2.optflow, "DualTVL1OpticalFlow_create")
    names = {line.split(";")[0].strip().lower() for line in requires("actionbench") or []}
    others = {name for name in names if name.startswith("opencv") and "contrib-python" not in name}
    assert not others


def test_warnings_are_errors_in_the_tests() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["pytest"]["ini_options"]["filterwarnings"][0] == "error"
