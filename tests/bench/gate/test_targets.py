"""Arms that are commits: checked out, installed, the environment used again while the pins are the same."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.bench.gate import checkout
from actionbench.bench.gate import venvs as surroundings
from actionbench.bench.gate.checkout import check_out, commit_of
from actionbench.bench.gate.targets import Place, find_place
from actionbench.bench.gate.venvs import pins
from actionbench.errors import BackendUnavailable, MeasurementError, UsageError
from actionbench.home import home
from actionbench.records.gate import ArmName

from .test_gate_cli import run_gate

BENCHMARK = """
import json, statistics, pathlib
from mine import SECONDS
print(json.dumps({"stages_s": {"flow": SECONDS, "forward": 1.0}, "total_s": 1.0 + SECONDS}))
"""
SETUP = """
[metadata]
name = mine
version = 1
[options]
package_dir =
    = src
packages = mine
install_requires =
    numpy
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A user's package of two commits, the second of which is slower; named as none of its modules is."""
    folder = tmp_path / "any name, 2 spaces"
    (folder / "src" / "mine").mkdir(parents=True)
    (folder / "setup.cfg").write_text(SETUP)
    (folder / "setup.py").write_text("from setuptools import setup\nsetup()\n")
    (folder / "benchmark.py").write_text(BENCHMARK)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(folder))
    for seconds in (1.0, 1.5):
        (folder / "src" / "mine" / "__init__.py").write_text(f"SECONDS = {seconds}\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", f"takes {seconds} s")
    return folder


def place(arm: ArmName, spec: str, repository: Path, *, shared: bool = False) -> Place:
    """The place of an arm, its checkout given back at once."""
    with ExitStack() as held:
        return find_place(arm, spec, repository, shared, lambda _: None, held)


def linked(python: Path, tree: Path, _: bool) -> None:
    """What pip's editable installation comes to, without its seconds."""
    packages = surroundings._packages_folder(python)
    (packages / "mine.pth").write_text(f"{tree / 'src'}\n")


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("install", [linked, pytest.param(surroundings._pip, marks=pytest.mark.slow)])
def test_two_commits_are_gated_and_the_environment_is_used_again(
    tmp_path: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    install: Callable[[Path, Path, bool], None],
) -> None:
    monkeypatch.setattr(surroundings, "_pip", install)
    options = ["--repository", str(repository), "--command", "python benchmark.py", "--pairs", "6"]
    arms = ["--base", "git:main^", "--candidate", "main", "--max-pairs", "8"]
    code, result = run_gate(tmp_path, *options, *arms)
    assert (code, result["verdict"], result["moved"]["command"]["stage"]) == (3, "regression", "flow")
    assert "takes 1.0 s" in result["base"]["title"]
    # The pins have not changed: pip is not asked again, for another commit neither.
    monkeypatch.setattr(surroundings, "_pip", lambda *_: pytest.fail("installed again"))
    base = place("base", "git:main", repository)
    asked = [base.python, "-P", "-c", "import mine, numpy, actionbench; print(mine.SECONDS)"]
    answer = subprocess.run(asked, env=base.environment(), capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "1.5"
    assert home() in base.root.parents


def test_pins_are_what_is_required_not_how_the_files_look(repository: Path) -> None:
    before = pins(repository)
    setup = repository / "setup.cfg"
    setup.write_text(SETUP.replace("packages = mine", "packages =\n    mine\n    mine.more"))
    assert pins(repository) == before
    setup.write_text(SETUP.replace("    numpy\n", "    # why\n    numpy>=2\n"))
    changed = pins(repository)
    assert changed != before
    (repository / "constraints.txt").write_text("numpy==2.0\n")
    assert pins(repository) not in (before, changed)
    (repository / "constraints.txt").unlink()
    (repository / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["scipy"]\n')
    assert pins(repository) not in (before, changed)


def test_other_pins_get_packages_of_their_own_unless_they_are_shared(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "constraints.txt").write_text("numpy==1.0\n")
    installs: list[bool] = []
    monkeypatch.setattr(surroundings, "_pip", lambda *arguments: installs.append(arguments[-1]))
    monkeypatch.setattr(surroundings, "requires", lambda _: ["numpy", "pytest; extra == 'test'"])
    run: list[list[str]] = []
    ran = surroundings._run

    def note(command: list[str], folder: Path) -> str:
        if {"pip", "ensurepip"} & set(command):  # unpacking pip takes seconds
            run.append(command)
            return ""
        return ran(command, folder)

    monkeypatch.setattr(surroundings, "_run", note)
    own = place("base", "git:main", repository)
    assert "packages: its own pins" in own.record.title
    # Beside them what the driver's ActionBench needs, which is no package of an extra.
    assert [command[-1] for command in run] == ["--default-pip", "numpy"]
    shared = place("base", "git:main", repository, shared=True)
    assert "shared, though pins differ" in shared.record.title
    assert installs == [False, True]
    assert len(run) == 2, "one that borrows packages borrows pip too"


def test_an_environment_that_cannot_be_made_is_an_error_with_pips_words(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "setup.py").write_text("raise SystemExit('this does not install')\n")
    git(repository, "commit", "--quiet", "--all", "--message", "broken")
    arms = ["--base", "git:main", "--candidate", "git:main^", "--command", "true"]
    assert run_app(["gate", "--repository", str(repository), *arms]) == 2
    message = capsys.readouterr().err
    assert "this does not install" in message
    assert "name its interpreter, python:PATH" in message


@pytest.mark.parametrize("how", ["in a clone", "and its files are gone", "at the index", "at HEAD"])
def test_a_checkout_in_which_git_was_killed_is_made_anew(repository: Path, how: str) -> None:
    """It leaves its locks, which would stop git for ever, or a part of a clone."""
    tree = check_out(repository, commit_of(repository, "main^"), "base")
    own = tree / ".git"
    if how == "at the index":
        (own / "index.lock").touch()
    elif how == "at HEAD":
        (own / "HEAD.lock").touch()
    elif how == "in a clone":
        (own / "objects" / "info" / "alternates").unlink()
        (own / "config").write_text("")
    else:
        shutil.rmtree(own)
    (tree / "benchmark.py").unlink()
    assert check_out(repository, commit_of(repository, "main"), "base") == tree
    assert (tree / "benchmark.py").read_text() == BENCHMARK
    assert not list(own.rglob("*.lock"))


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Path → bytes and time of change of every file."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_repository_is_only_read(repository: Path) -> None:
    """A git that is killed, or a disk that is full, cannot damage it."""
    before = contents(repository)
    for reference in ("main", "main^"):
        tree = place("base", f"git:{reference}", repository).root
        place("candidate", "tree", repository)
    assert contents(repository) == before
    assert (tree / "benchmark.py").read_text() == BENCHMARK


@pytest.mark.parametrize("kind", ["shallow", "partial", "worktree"])
def test_any_clone_can_be_gated(repository: Path, tmp_path: Path, kind: str) -> None:
    """Also a commit that no branch leads to, as that of a pull request in a workflow; tags come with it."""
    git(repository, "tag", "first", "main^")
    mine = tmp_path / "mine"
    if kind == "worktree":
        git(repository, "worktree", "add", "--quiet", "--detach", str(mine), "main")
    else:
        git(repository, "config", "uploadpack.allowFilter", "true")
        how = ["--depth", "2"] if kind == "shallow" else ["--filter", "blob:none"]
        git(tmp_path, "clone", "--quiet", *how, f"file://{repository}", str(mine))
        git(mine, "checkout", "--quiet", "--detach")
    check_out(mine, commit_of(mine, "HEAD^"), "base")
    (mine / "benchmark.py").write_text("print()")
    git(mine, "commit", "--quiet", "--all", "--message", "of no branch")
    tree = check_out(mine, commit_of(mine, "HEAD"), "base")
    assert (tree / "benchmark.py").read_text() == "print()"
    assert described(tree).startswith("first-2-")
    git(mine, "tag", "second", "HEAD^")
    git(mine, "tag", "--delete", "first")
    (tree / "benchmark.py").write_text("changed")
    assert check_out(mine, commit_of(mine, "HEAD"), "base") == tree
    assert described(tree).startswith("second-1-")
    git(mine, "tag", "--delete", "second")
    check_out(mine, commit_of(mine, "HEAD"), "base")
    assert described(tree) == ""
    assert (tree / "benchmark.py").read_text() == "print()"


def described(tree: Path) -> str:
    """What a version that is made of tags would be; "" without tags."""
    words = ["git", "-C", str(tree), "describe", "--tags"]
    return subprocess.run(words, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["HEAD", "a branch, which is removed", "a tag, which is moved"])
def test_a_commit_that_was_forgotten_does_not_stop_the_next_gate(repository: Path, name: str) -> None:
    """The clone has a name for a commit of which the repository has removed the objects since."""
    (repository / "benchmark.py").write_text("print()")
    git(repository, "commit", "--quiet", "--all", "--message", "is dropped")
    if name != "HEAD":
        git(repository, "branch" if "branch" in name else "tag", "other")
        git(repository, "reset", "--quiet", "--hard", "HEAD^")
    tree = check_out(repository, commit_of(repository, "main"), "base")
    if name == "HEAD":
        git(repository, "reset", "--quiet", "--hard", "HEAD^")
    elif "branch" in name:
        git(repository, "branch", "--quiet", "-D", "other")
    else:
        git(repository, "tag", "--force", "other")
    git(repository, "reflog", "expire", "--expire=now", "--all")
    git(repository, "gc", "--quiet", "--prune=now")
    (repository / "more.txt").touch()
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "is new")
    assert check_out(repository, commit_of(repository, "main"), "base") == tree
    assert (tree / "more.txt").exists()
    assert (tree / "benchmark.py").read_text() == BENCHMARK


def test_settings_of_the_repository_do_not_stop_its_clone(repository: Path, tmp_path: Path) -> None:
    """Also where its objects, of no branch, have to be fetched."""
    mine = tmp_path / "mine"
    git(tmp_path, "clone", "--quiet", "--depth", "2", f"file://{repository}", str(mine))
    git(mine, "checkout", "--quiet", "--detach")
    git(mine, "config", "protocol.version", "0")
    git(mine, "config", "protocol.file.allow", "never")
    for content in ("1", "2"):
        (mine / "benchmark.py").write_text(content)
        git(mine, "commit", "--quiet", "--all", "--message", "of no branch")
        commit = commit_of(mine, "HEAD")
        git(mine, "checkout", "--quiet", "HEAD^")
        assert (check_out(mine, commit, "base") / "benchmark.py").read_text() == content


@pytest.mark.parametrize("where", [".hooks", ".git/hooks"])
def test_no_hook_is_run(repository: Path, tmp_path: Path, where: str) -> None:
    """Neither of the clone, where a setting names a folder of the code, nor of the repository."""
    hooks = repository / where
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch '{tmp_path / 'ran'}'\n")
        (hooks / name).chmod(0o755)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "with hooks")
    if where == ".hooks":
        git(repository, "config", "core.hooksPath", where)
    git(repository, "checkout", "--quiet", "main")
    assert (tmp_path / "ran").exists(), "they do run"
    (tmp_path / "ran").unlink()
    os.utime(repository / "benchmark.py", (1, 1))
    for reference in ("main", "main^"):
        check_out(repository, commit_of(repository, reference), "base")
        place("candidate", "tree", repository)
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user_is_gated_where_git_trusts_its_folder(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a workflow whose container has another user than its runner."""
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    git(tmp_path, "config", "--global", "safe.directory", str(repository))
    tree = check_out(repository, commit_of(repository, "main"), "base")
    assert (tree / "benchmark.py").read_text() == BENCHMARK


def test_an_environment_that_was_removed_in_part_is_made_anew(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a gate that was killed while it made way for one with other pins."""
    monkeypatch.setattr(surroundings, "_pip", linked)
    python = Path(place("base", "git:main", repository).python)

    def killed(folder: Path, **_: object) -> None:
        (folder / "bin" / "python").unlink()
        raise KeyboardInterrupt

    (repository / "constraints.txt").write_text("numpy==1.0\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "other pins")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            place("base", "git:main", repository, shared=True)
    place("base", "git:main^", repository, shared=True)
    assert python.exists()


def test_an_environment_for_which_there_is_no_space_is_an_error_that_says_so(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(surroundings, "_borrow", full)
    with pytest.raises(MeasurementError, match=r"could not be made: No space left.*Free some space"):
        place("base", "git:main", repository)


def test_a_killed_pip_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    killed = "import os, tempfile; tempfile.mkdtemp(); os.kill(os.getpid(), 9)"
    with pytest.raises(MeasurementError, match="SIGKILL"):
        surroundings._run([sys.executable, "-c", killed], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_references_that_are_none(repository: Path, tmp_path: Path) -> None:
    for reference in ("git:no-such-branch", "no-such-branch", "git:--all", "git:"):
        with pytest.raises(UsageError, match="there is no commit"):
            place("base", reference, repository)
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(UsageError, match="in no git repository"):
        place("base", "git:main", outside)


@pytest.mark.parametrize(
    "reference", ["--upload-pack=touch x", "HEAD --exec=x", "HEAD;touch x", "$(touch x)", ""]
)
def test_no_reference_is_an_option_or_a_command(reference: str, repository: Path) -> None:
    with pytest.raises(UsageError, match="there is no commit"):
        commit_of(repository, reference)
    assert not list(repository.rglob("x"))


def test_a_checkout_fetches_no_submodule(repository: Path, tmp_path: Path) -> None:
    command = shlex.quote(str(tmp_path / "fetched")).replace(" ", "% ")
    (repository / ".gitmodules").write_text(
        f'[submodule "other"]\n path = other\n url = ext::touch {command}\n'
    )
    git(repository, "add", ".gitmodules")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},other")
    git(repository, "commit", "--quiet", "--message", "with a submodule")
    tree = check_out(repository, commit_of(repository, "HEAD"), "base")
    assert not list((tree / "other").iterdir())
    assert not (tmp_path / "fetched").exists()


def test_a_shallow_clone_is_told_to_fetch(repository: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{repository}", str(shallow))
    with pytest.raises(UsageError, match="fetch-depth"):
        place("base", "git:HEAD^", shallow)


def test_the_working_tree_is_known_again_by_what_was_changed(repository: Path) -> None:
    clean = place("candidate", "tree", repository)
    assert "with changes" not in clean.record.title
    (repository / "benchmark.py").write_text("print(1)\n")
    changed = place("candidate", "tree", repository)
    assert "with changes" in changed.record.title
    assert clean.record.identity != changed.record.identity


def test_nothing_is_written_to_the_index_of_the_working_tree(repository: Path) -> None:
    """A git that is killed while it does would leave a lock, by which the user's own git stops."""
    os.utime(repository / "benchmark.py", (1, 1))
    before = contents(repository)
    assert "with changes" not in place("candidate", "tree", repository).record.title
    assert contents(repository) == before


def test_a_repository_that_was_cloned_anew_is_checked_out_anew(repository: Path, tmp_path: Path) -> None:
    before = check_out(repository, commit_of(repository, "main^"), "base")
    repository.rename(tmp_path / "away")
    git(tmp_path, "clone", "--quiet", str(tmp_path / "away"), str(repository))
    after = check_out(repository, commit_of(repository, "main"), "base")
    assert after == before
    assert "1.5" in (after / "src" / "mine" / "__init__.py").read_text()


@pytest.mark.parametrize(("variable", "of_it"), [("GIT_DIR", ""), ("GIT_OBJECT_DIRECTORY", "objects")])
def test_a_git_hook_does_not_mislead(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, of_it: str
) -> None:
    git(tmp_path, "init", "--quiet", "other")
    monkeypatch.setenv(variable, str(tmp_path / "other" / ".git" / of_it))
    tree = check_out(repository, commit_of(repository, "main"), "base")
    assert "1.5" in (tree / "src" / "mine" / "__init__.py").read_text()


def test_changes_in_any_encoding_are_known(repository: Path) -> None:
    (repository / "benchmark.py").write_bytes("# Größe\n".encode("latin-1"))
    assert "with changes" in place("candidate", "tree", repository).record.title


@pytest.mark.usefixtures("control")
def test_a_second_gate_of_the_repository_is_refused(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(surroundings, "_pip", lambda *_: None)
    arms = ["--base", "git:main", "--repository", str(repository), "--pairs", "6", "--max-pairs", "6"]
    command = ["--command", shlex.join(["python", "-c", "print('{\"total_s\": 1}')"])]
    with ExitStack() as held:
        find_place("base", "git:main^", repository, False, lambda _: None, held)
        assert run_gate(tmp_path, *arms, *command) == (2, {})
        message = capsys.readouterr().err
        assert f"{repository}: another gate of this repository" in message
        assert f"process {os.getpid()} on" in message
        assert "when that one has ended" in message
    assert run_gate(tmp_path, *arms, *command)[0] == 0


@pytest.mark.usefixtures("control")
def test_an_arm_that_checks_out_another_commit_gets_no_verdict(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(surroundings, "_pip", lambda *_: None)
    other = "subprocess.run(['git', 'checkout', '--quiet', '--detach', 'main^'])"
    code = f"import subprocess; {other}; print('{{\"total_s\": 1}}')"
    command = shlex.join(["python", "-c", code])
    arms = ["--base", "git:main", "--candidate", "git:main", "--repository", str(repository)]
    assert run_gate(tmp_path, *arms, "--command", command, "--pairs", "6", "--max-pairs", "6") == (2, {})
    assert "was changed while it was being measured" in capsys.readouterr().err


@pytest.mark.usefixtures("control")
def test_a_tree_that_changes_while_it_is_measured_gets_no_verdict(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(surroundings, "_pip", lambda *_: None)
    (repository / "edits.py").write_text(
        "import pathlib\nfile = pathlib.Path('benchmark.py')\n"
        "file.write_text(file.read_text() + '# edited\\n')\nprint('{\"total_s\": 1}')\n"
    )
    options = ["--repository", str(repository), "--base", "git:main", "--command", "python edits.py"]
    (repository / ".git" / "info" / "exclude").write_text("edits.py\n")
    git(repository, "add", "--force", "edits.py")
    git(repository, "commit", "--quiet", "--message", "edits")
    assert run_gate(tmp_path, *options, "--pairs", "6", "--max-pairs", "6") == (2, {})
    assert "was changed while it was being measured" in capsys.readouterr().err


def test_an_interpreter_must_have_actionbench(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys._base_executable} -I "$@"\n')  # type: ignore[attr-defined]
    bare.chmod(0o755)
    with pytest.raises(BackendUnavailable, match="cannot run ActionBench"):
        place("base", str(bare), tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("spec", ["tree", f"python:{sys.executable}"])
def test_networks_of_two_arms_are_gated(
    tmp_path: Path, coloured_videos: Callable[..., Path], weights_file: Path, spec: str
) -> None:
    network = Path(__file__).parents[1] / "networks" / "tiny.py"
    options = ["--models", f"{network}:tiny", "--data", str(coloured_videos([5, 9], 1)), "--views", "single"]
    arms = ["--base", spec, "--candidate", spec, "--latency-seconds", "0", "--pair-seconds", "1"]
    options += ["--weights", f"tiny={weights_file}", "--accuracy"]
    few = ["--pairs", "6", "--max-pairs", "6", "--threshold", "900%"]
    code, result = run_gate(tmp_path, *arms, *options, *few)
    assert (code, result["verdict"]) == (0, "fine")
    metrics = {c["metric"] for c in result["changes"]}
    assert {"total", "decode", "forward", "cpu", "load", "first", "peak_memory"} <= metrics
    (accuracy,) = result["accuracy"]
    assert (accuracy["clips"], accuracy["base_right"], accuracy["candidate_right"]) == (2, 2, 2)
    assert result["pairs_in_turns"] == 6


def test_a_git_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\nsleep 60\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(checkout, "_LIMIT_S", 0.5)
    with pytest.raises(UsageError, match=r"git rev-parse took longer than 0\.5 s"):
        commit_of(tmp_path, "main")


def test_a_reference_that_is_an_option_does_not_reach_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def git(_: Path, *words: str) -> str:
        asked.extend(words)
        return "false"

    monkeypatch.setattr(checkout, "git", git)
    with pytest.raises(UsageError, match="there is no commit '--parseopt'"):
        checkout.commit_of(tmp_path, "--parseopt")
    assert not [word for word in asked if "parseopt" in word]
