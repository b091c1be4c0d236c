"""Commits of the repository under test, checked out beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from ...atomic import FREE_SPACE
from ...child_process import line_of_full_disk, run_captured
from ...errors import UsageError
from ...home import home
from ...records.gate import ArmName
from ...records.lock import FolderLock

_OF_ANOTHER = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE"),
)
"""Variables that a git hook sets; with them git would look at the hook's repository from every folder.

Of `git rev-parse --local-env-vars`, without those by which a user may give settings.
"""

_SETTINGS = (
    f"core.hooksPath={os.devnull}",
    # A commit that no branch leads to can only be fetched by this version.
    "protocol.version=2",
    "protocol.file.allow=always",
)
"""Settings of every git command, whatever the user's and the repository's are: no hook is run, wherever it
lies, and the repository can be fetched from."""

_LIMIT_S = 3600.0
"""Time limit of a git command: a checkout may fetch large files, but a filter must not hang for ever."""

_REFUSED = ("error: unable to write file ", "Out of diskspace")
"""What git says where the disk does not take a file; of the first, not why, but that is for want of space."""


def git(folder: Path, *arguments: str, index: Path | None = None) -> str:
    """What git answers in `folder`. Raises UsageError with its message where it fails.

    - `index`: the index that it uses; None for that of the working tree.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER}
    environment |= {"LC_ALL": "C"} | ({} if index is None else {"GIT_INDEX_FILE": str(index)})
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    command = ["git", *settings, "-C", str(folder), *arguments]
    try:
        answer = run_captured(command, env=environment, timeout_s=_LIMIT_S)
    except FileNotFoundError:
        raise UsageError("git is not installed", where=folder, remedy="Compare commands instead.") from None
    except TimeoutError:
        raise UsageError(f"git {arguments[0]} took longer than {_LIMIT_S:g} s", where=folder) from None
    if answer.status != 0:
        if (line := _line_of_full_disk(answer.stderr)) is not None:
            raise UsageError(f"git {arguments[0]} failed: {line}", where=folder, remedy=FREE_SPACE)
        reason = answer.stderr.decode(errors="surrogateescape").strip()[-500:]
        raise UsageError(f"git {arguments[0]} failed: {reason or answer.status}", where=folder)
    return answer.stdout.decode(errors="surrogateescape")


def _line_of_full_disk(errors: bytes) -> str | None:
    """The line by which git tells that a disk is full; None if there is none."""
    lines = errors.decode(errors="replace").splitlines()
    refused = (line for line in lines if any(words in line for words in _REFUSED))
    return line_of_full_disk(errors) or next(refused, None)


def top_level(folder: Path) -> Path | None:
    """The root of the working tree that `folder` is in; None if it is in none.

    Raises UsageError with git's message if git refuses a repository that is another user's.
    """
    if not folder.is_dir():
        raise UsageError("is no folder", where="--repository", found=folder)
    try:
        return Path(git(folder, "rev-parse", "--show-toplevel").strip()).resolve()
    except UsageError as error:
        if "dubious ownership" in error.what:
            raise
        return None


def commit_of(root: Path, reference: str) -> str:
    """The full name of the commit that `reference` means. Raises UsageError if there is none."""
    try:
        if reference.startswith("-"):
            raise UsageError("is no reference")
        return git(root, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}").strip()
    except UsageError:
        shallow = git(root, "rev-parse", "--is-shallow-repository").strip() == "true"
        raise UsageError(
            f"there is no commit '{reference}'",
            where=root,
            found="a shallow clone" if shallow else None,
            remedy="Fetch the history too (fetch-depth: 0, or git fetch --unshallow)."
            if shallow
            else "Name a branch, a tag, a commit, or an interpreter by python:PATH.",
        ) from None


def workshop(root: Path, arm: ArmName) -> Path:
    """The folder in which an arm of this repository is checked out and installed."""
    name = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    return home() / "gate" / name / arm


def lock_workshop(root: Path, arm: ArmName) -> FolderLock:
    """Keep other gates of the repository from checking out an arm where this one does.

    Raises UsageError if another one is at it: waiting would hide that two gates were to share the machine.
    """
    return FolderLock(
        workshop(root, arm),
        f"another gate of this repository has checked out its {arm}",
        where=root,
        remedy="Two at once would spoil each other's times: start this one when that one has ended.",
    )


_REMOTE = "gated"
"""Name of the repository under test in a clone of it; `origin` is where its own settings say."""

_UPLOAD = ("--upload-pack", "git -c 'safe.directory=*' upload-pack")
"""What reads the repository for its clone. Git has not refused it for its owner (see `top_level`); here it
would, even where the user trusts its folder: it asks about the `.git` in it."""


def check_out(root: Path, commit: str, arm: ArmName) -> Path:
    """The files of `commit` in a clone of the repository, the same one for every gate of this arm.

    The repository is only read: its objects are used where they lie, and its settings (remotes, filters) hold
    in the clone too. Git may be killed at any moment, and within a worktree of the repository that would have
    broken the repository itself.

    The caller has the workshop's lock. What git does not know (compiled code beside its sources) stays there
    from commit to commit.
    """
    tree = workshop(root, arm) / "tree"
    if not _is_whole(tree):
        shutil.rmtree(tree, ignore_errors=True)
        tree.parent.mkdir(parents=True, exist_ok=True)
        clone = ("clone", "--quiet", "--shared", "--no-checkout", "--origin", _REMOTE)
        git(tree.parent, *clone, *_UPLOAD, str(root), str(tree))
    settings = Path(root, git(root, "rev-parse", "--git-path", "config").strip())
    git(tree, "config", "include.path", str(settings.resolve()))
    how = ("--quiet", "--force", "--no-recurse-submodules")
    # Versions may be made of tags. A shallow repository does not share its objects: the commit has to come.
    wanted = ("+refs/tags/*:refs/tags/*", commit)
    # Git would tidy up in the background, while the arms are measured.
    fetch = ("fetch", *how, "--prune", "--no-tags", "--update-shallow", "--no-auto-gc")
    git(tree, *fetch, *_UPLOAD, _REMOTE, *wanted)
    git(tree, "checkout", *how, "--detach", commit)
    return tree


def _is_whole(tree: Path) -> bool:
    """Whether `tree` is a clone that lacks nothing, and in which no git was killed while it worked."""
    own = tree / ".git"
    if not own.is_dir():
        return False
    try:
        # A damaged one is not taken for one, and git looks in the folders above.
        if Path(git(tree, "rev-parse", "--absolute-git-dir").strip()).resolve() != own.resolve():
            return False
        # The repository may have been cloned anew since, or may have forgotten what no branch leads to any
        # more: git fetches nothing into a clone that has names for what is not there.
        git(tree, "cat-file", "-e", "HEAD^{tree}")
        git(tree, "for-each-ref", "--format=%(objecttype)")
    except UsageError:
        return False
    return not any(own.rglob("*.lock"))  # nobody else works there
