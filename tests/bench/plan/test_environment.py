"""What another interpreter says of itself is checked before it is used."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.plan import environment
from actionbench.bench.plan.environment import Installed, lacking, own_packages, probe

FACTS = {"actionbench": "0.1.0", "packages": {"numpy": None}, "cuda": []}


def interpreter(folder: Path, script: str) -> str:
    """A program in the place of another Python interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_this_interpreter_is_described() -> None:
    found = probe(sys.executable)
    assert found.error == ""
    assert found.actionbench == own_packages(None)["actionbench"]
    assert found.packages["numpy"] is not None


def test_what_another_version_tells_besides_is_left_out(tmp_path: Path) -> None:
    python = interpreter(tmp_path, f"echo noise; echo '{json.dumps(FACTS | {'more': 1})}'")
    assert probe(python) == Installed("0.1.0", {"numpy": None}, ())


@pytest.mark.parametrize(
    "facts",
    [
        [],
        {},
        {"actionbench": "0.1.0"},
        FACTS | {"packages": ["numpy"]},
        FACTS | {"cuda": 1},
    ],
)
def test_an_answer_of_another_shape_is_an_error(tmp_path: Path, facts: Any) -> None:
    printed = json.dumps(facts)
    assert (
        probe(interpreter(tmp_path, f"echo '{printed}'")).error == f"it printed {(printed + chr(10))[-80:]!r}"
    )


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("exit 0", "it printed ''"),
        ("echo no module >&2; exit 1", "no module"),
        ("sleep 60", "it did not answer within 1 s"),
    ],
)
def test_an_interpreter_that_does_not_answer_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: str
) -> None:
    monkeypatch.setattr(environment, "PROBE_LIMIT_S", 1.0)
    assert probe(interpreter(tmp_path, script)).error == error


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in probe(str(tmp_path / "none")).error


def test_packages_are_looked_for_in_the_interpreter_that_is_named(tmp_path: Path) -> None:
    assert lacking(sys.executable, ("numpy", "no_such_package")) == ("no_such_package",)
    (tmp_path / "only_there.py").write_text("raise SystemExit('is imported')")
    python = interpreter(tmp_path, f'PYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"')
    assert lacking(python, ("only_there", "numpy", "no_such_package")) == ("no_such_package",)
    assert lacking(sys.executable, ("only_there",)) == ("only_there",)


@pytest.mark.parametrize("script", ["exit 1", "echo 1", "echo text"])
def test_an_interpreter_without_an_answer_lacks_nothing(tmp_path: Path, script: str) -> None:
    assert lacking(interpreter(tmp_path, script), ("no_such_package",)) == ()
