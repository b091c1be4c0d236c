"""The script of the GitHub Action: what it compares with, and when a slowdown passes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
BENCH = """#!/bin/sh
echo "$@" > "$ASKED"
echo '{"verdict": "regression"}' > gate.json
echo '## Timing gate' > gate.md
exit "$STATUS"
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone whose branch has a commit more than main, which went on meanwhile."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(origin))
    git(origin, "commit", "--quiet", "--allow-empty", "--message", "first\n\nSlower: long ago")
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    git(origin, "commit", "--quiet", "--allow-empty", "--message", "of others")
    git(clone, "fetch", "--quiet")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "a change")
    return clone


def act(repository: Path, status: int, **environment: str) -> tuple[int, dict[str, str]]:
    """Run the action's script where `bench gate` ends with `status`: its own status, and what it wrote."""
    (step,) = (
        step for step in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"] if "id" in step
    )
    stub = repository.parent / "bin" / "bench"
    stub.parent.mkdir(exist_ok=True)
    stub.write_text(BENCH)
    stub.chmod(0o755)
    files = {
        name: str(repository.parent / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "ASKED")
    }
    given = {
        "BASE": "",
        "TARGET": "main",
        "ARGUMENTS": "--pairs '6'",
        "ON_INCONCLUSIVE": "ok",
        "STATUS": str(status),
    }
    path = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=repository,
        env={**os.environ, "PATH": path, **files, **given, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    written = {name: Path(file).read_text() for name, file in files.items() if Path(file).exists()}
    return ended.returncode, written | {"said": ended.stdout}


def test_the_base_is_the_merge_base(repository: Path) -> None:
    code, written = act(repository, 0)
    assert code == 0
    assert written["ASKED"].startswith(f"gate --base git:{git(repository, 'rev-parse', 'HEAD^')} ")
    assert written["ASKED"].strip().endswith("--pairs 6")
    assert "verdict=regression" in written["GITHUB_OUTPUT"]


def test_without_the_history_it_says_what_to_do(repository: Path) -> None:
    code, written = act(repository, 0, TARGET="no-such-branch")
    assert code == 2
    assert "fetch-depth: 0" in written["said"]


def test_a_slowdown_fails_unless_a_commit_of_the_change_explains_it(repository: Path) -> None:
    code, written = act(repository, 3)
    assert code == 3, "the trailer of a commit that is in the base does not count"
    assert "Slower: why" in written["said"]
    message = "another\n\nSlower: exact where it was fast\nReviewed-by: someone"
    git(repository, "commit", "--quiet", "--allow-empty", "--message", message)
    code, written = act(repository, 3, BASE="git:HEAD~2")
    assert code == 0
    assert "exact where it was fast" in written["GITHUB_STEP_SUMMARY"]
    assert "explanation=exact where it was fast" in written["GITHUB_OUTPUT"]


@pytest.mark.parametrize("status", [1, 2, 4])
def test_a_trailer_explains_nothing_else(repository: Path, status: int) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "x\n\nSlower: exact")
    assert act(repository, status)[0] == status


def test_a_base_that_is_no_commit_has_no_trailers(repository: Path) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "x\n\nSlower: exact")
    assert act(repository, 3, BASE="command:./old")[0] == 3
