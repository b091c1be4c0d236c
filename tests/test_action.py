"""The script of the GitHub Action: what it compares with, and when a slowdown passes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
BENCH = """#!/bin/sh
for word in "$@"; do echo "$word"; done > "$ASKED"
case "$STATUS" in
    0) verdict=fine ;;
    3) verdict=regression ;;
    4) verdict=inconclusive ;;
    *) exit "$STATUS" ;;
esac
echo "{\\"verdict\\": \\"$verdict\\"}" > gate.json
printf '## Timing gate: %s\\n' "$verdict" > gate.md
exit "$STATUS"
"""
"""As `bench gate`: it writes a result where it has a verdict, and none where it fails."""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone as actions/checkout makes it: the merge of a branch into main, which went on meanwhile."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(origin))
    git(origin, "commit", "--quiet", "--allow-empty", "--message", "first\n\nSlower: long ago")
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    git(origin, "commit", "--quiet", "--allow-empty", "--message", "of others")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "a change")
    git(clone, "branch", "feature")
    merge(clone)
    return clone


def merge(clone: Path) -> None:
    """Check out what a pull request of the branch `feature` is tested by."""
    git(clone, "fetch", "--quiet")
    git(clone, "checkout", "--quiet", "--detach", "origin/main")
    git(clone, "merge", "--quiet", "--no-ff", "--message", "Merge feature into main", "feature")


def commit(clone: Path, message: str) -> None:
    """A further commit of the branch."""
    git(clone, "checkout", "--quiet", "feature")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", message)
    merge(clone)


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
    script = repository.parent / "step.sh"
    script.write_text(step["run"])
    given = {
        "BASE": "",
        "TARGET": "main",
        "ARGUMENTS": "--pairs '6'\n--command \"python 'a b.py'\"",
        "ON_INCONCLUSIVE": "ok",
        "STATUS": str(status),
    }
    path = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
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
    words = written["ASKED"].splitlines()
    assert words[:3] == ["gate", "--base", f"git:{git(repository, 'rev-parse', 'origin/main')}"]
    assert words[-4:] == ["--pairs", "6", "--command", "python 'a b.py'"]
    assert written["GITHUB_OUTPUT"] == "verdict=fine\n"
    assert written["GITHUB_STEP_SUMMARY"] == "## Timing gate: fine\n"


def test_without_the_history_it_says_what_to_do(repository: Path) -> None:
    code, written = act(repository, 0, TARGET="no-such-branch")
    assert code == 2
    assert "fetch-depth: 0" in written["said"]


def test_a_slowdown_fails_unless_a_commit_of_the_change_explains_it(repository: Path) -> None:
    code, written = act(repository, 3)
    assert code == 3, "the trailer of a commit that is in the base does not count"
    assert "Slower: why" in written["said"]
    commit(repository, "another\n\nSlower: exact $(where) `it`\n was fast\nReviewed-by: someone")
    code, written = act(repository, 3)
    assert code == 0
    assert "    exact $(where) `it` was fast\n" in written["GITHUB_STEP_SUMMARY"]
    assert written["GITHUB_OUTPUT"].endswith("verdict=regression\nexplanation=exact $(where) `it` was fast\n")


def test_a_commit_cannot_give_commands_to_the_runner(repository: Path) -> None:
    commit(
        repository, "x\n\nSlower: ::set-output name=verdict::fine\nSlower: a ##[set-output name=verdict]fine"
    )
    code, written = act(repository, 3)
    assert code == 0
    assert "set-output" not in written["said"]
    assert written["GITHUB_OUTPUT"].startswith("verdict=regression\nexplanation=")
    assert len(written["GITHUB_OUTPUT"].splitlines()) == 2


@pytest.mark.parametrize("status", [1, 2, 4])
def test_a_trailer_explains_nothing_else(repository: Path, status: int) -> None:
    commit(repository, "x\n\nSlower: exact")
    assert act(repository, status)[0] == status


def test_a_base_that_is_no_commit_has_no_trailers(repository: Path) -> None:
    commit(repository, "x\n\nSlower: exact")
    assert act(repository, 3, BASE="command:./old")[0] == 3
