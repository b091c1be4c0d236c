"""What is installed, whatever the clone's folder is called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from actionbench import __version__

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "build", "*.egg-info", "runs")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    clone = folder / "models"  # the worst name that a clone could have
    shutil.copytree(ROOT, clone, symlinks=True, ignore=LEFT_OUT)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(clone)], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_installs_one_package_and_nothing_beside_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"actionbench"}
    for needed in (
        "bench/worker/process.py",
        "datasets/annotations/tagged/falls.vott-export.json",
        "models/labels/kinetics-400.txt",
        "models/weights/store.py",
        "reports/templates/report.html",
        "reports/templates/report.css",
        "reports/templates/report.js",
        "py.typed",
    ):
        assert f"actionbench/{needed}" in names
    assert not [name for name in names if "/tests/" in name]


def test_wheel_has_its_version_and_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    assert f"Version: {__version__}" in lines
    assert "License-Expression: Apache-2.0" in lines
    licences = {name.rpartition("/")[2] for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_a_folder_of_the_users_never_shadows_a_module(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    here = tmp_path / "here"
    for name in ("datasets", "models", "flow"):
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise SystemExit('shadowed')\n")
    code = (
        "import importlib.util; from actionbench.bench.cli.app import run_app;"
        "assert run_app(['models']) == 0;"
        "assert importlib.util.find_spec('models') is None"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=here,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
