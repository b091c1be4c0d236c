"""Networks from the Hugging Face Hub: fetched through `huggingface_hub`, pinned to a commit, recorded.

The files lie in Hugging Face's own cache (HF_HOME, HF_HUB_CACHE), which other programs use too. The store
keeps a record of each: the commit that the revision meant, its licence, and the digest of every file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx2

from ....atomic import write_file
from ....errors import BackendUnavailable, UsageError, WeightsError
from ....home import home
from ....parsing import parse_json
from ....plain_text import plain_line
from ....typed_values import typed
from ..formats.safetensors_files import SUFFIX
from ..record import FIRST_USE, FileRecord, difference, digest, git_blob

PREFIX: Final = "hf:"
"""What the name of a network on the Hub begins with."""

MAIN: Final = "main"
"""The revision that is meant where none is named."""

NOT_STATED: Final = "not stated"

HUB: Final = "https://huggingface.co"
"""Address of the Hub itself."""

FILES: Final = (
    "config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*.safetensors",
)
"""The files that are fetched, as patterns: nothing that could run code."""

_NAME = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?)(?:@(?P<revision>[\w./-]+))?", re.ASCII
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository as it was fetched.

    - `repository`: "OWNER/NAME".
    - `revision`: branch, tag or commit that was asked for.
    - `commit`: that it was then, 40 hexadecimal digits.
    - `endpoint`: address of the server; NOT_STATED where what Hugging Face's cache held was recorded offline.
    - `licence`: by the repository's model card; NOT_STATED without one.
    - `folder`: of its files, in Hugging Face's cache.
    - `fetched`: date and time.
    - `files`: name in the folder → its record.
    """

    repository: str
    revision: str
    commit: str
    endpoint: str
    licence: str
    folder: str
    fetched: str
    files: dict[str, FileRecord]

    @property
    def name(self) -> str:
        """For `bench weights fetch`."""
        return PREFIX + self.repository + ("" if self.revision == MAIN else f"@{self.revision}")

    @property
    def source(self) -> str:
        """Address of the repository at its commit; in words where the server is not known."""
        if self.endpoint == NOT_STATED:
            return f"{self.repository} at {self.commit}, of Hugging Face's cache"
        return f"{self.endpoint}/{self.repository}/tree/{self.commit}"

    @property
    def published(self) -> bool:
        """Whether these are the files that the repository's owner publishes: `main` of the Hub itself.

        Anyone can open a pull request, whose commits the repository then has; a mirror can serve anything.
        """
        return self.revision == MAIN and self.endpoint == HUB


def is_hub_name(name: str) -> bool:
    """Whether a name of weights is that of a network on the Hub."""
    return name.startswith(PREFIX)


def parse_name(name: str) -> tuple[str, str]:
    """Repository and revision of "OWNER/NAME" or "OWNER/NAME@REVISION", with or without "hf:" before it.

    Raises UsageError for anything else.
    """
    found = _NAME.fullmatch(name.removeprefix(PREFIX))
    if found is None or ".." in name:
        raise UsageError(
            "is not the name of a repository", where=name, expected="hf:OWNER/NAME or hf:OWNER/NAME@REVISION"
        )
    return found["repository"], found["revision"] or MAIN


def records_folder(repository: str) -> Path:
    """The folder of the store that keeps the records of a repository."""
    return home() / "weights" / "hugging-face" / repository.replace("/", "--")


def stored_snapshot(name: str) -> Snapshot | None:
    """What was fetched of a repository; None if nothing was.

    - `name`: as for `parse_name`. A revision may be the one that was asked for, or the commit that it meant.
    """
    repository, revision = parse_name(name)
    path = _record_path(repository, revision)
    if path.is_file():
        return _read(path)
    known = map(_read, records_folder(repository).glob("*.json"))
    same = sorted((each for each in known if each.commit == revision), key=lambda each: not each.published)
    return same[0] if same else None


def stored_snapshots() -> list[Snapshot]:
    """Everything that was fetched from the Hub, by name."""
    paths = (home() / "weights" / "hugging-face").glob("*/*.json")
    return sorted(map(_read, paths), key=lambda each: each.name)


def snapshot_in(folder: Path) -> Snapshot | None:
    """The record of a folder in Hugging Face's cache; None if it was not fetched by us.

    Of several revisions that mean the same commit, the one that is `published` counts.
    """
    known = sorted(stored_snapshots(), key=lambda each: not each.published)
    return next((each for each in known if Path(each.folder) == folder), None)


def problems(snapshot: Snapshot) -> tuple[str, ...]:
    """A sentence for each of its files that is missing or has changed since it was fetched."""
    folder = Path(snapshot.folder)
    found = (difference(folder / name, name, file) for name, file in sorted(snapshot.files.items()))
    return tuple(each for each in found if each is not None)


def fetch_snapshot(name: str, endpoint: str | None, announce: Callable[[str], None]) -> Path:
    """Fetch a repository's configuration and safetensors, check them, and record them; returns their folder.

    - `name`: as for `parse_name`.
    - `endpoint`: address of a mirror; None for HF_ENDPOINT or the Hub itself.
    - `announce`: called with the licence, before anything large is downloaded.

    An interrupted fetch is continued. With HF_HUB_OFFLINE=1 what Hugging Face's cache holds is recorded, with
    the server and the licence of an earlier record of the same revision and commit.
    Raises BackendUnavailable without `huggingface_hub`, WeightsError if the repository cannot be fetched,
    has no safetensors, or a file is not the one that the server announced.
    """
    repository, revision = parse_name(name)
    with _understood(name):
        from huggingface_hub import HfApi, constants, snapshot_download

        if constants.is_offline_mode():
            commit, server, licence = None, NOT_STATED, NOT_STATED
        else:
            api = HfApi(endpoint=endpoint)
            info = api.model_info(repository, revision=revision)
            commit, licence = _commit(info, name), _licence(info)
            server = str(endpoint or constants.ENDPOINT).rstrip("/")
            _require_safetensors(info, name)
            announce(licence)
        folder = Path(
            snapshot_download(repository, revision=revision, endpoint=endpoint, allow_patterns=list(FILES))
        )
    if commit is None:
        server, licence = _said_before(repository, revision, folder.name)
        announce(licence)
    elif commit != folder.name:
        raise WeightsError(
            "the revision has changed while it was fetched",
            where=name,
            expected=commit,
            found=folder.name,
            remedy="Fetch it again",
        )
    files = {path.name: _recorded(path) for path in sorted(folder.iterdir()) if path.is_file()}
    if not any(file.endswith(SUFFIX) for file in files):
        raise WeightsError("there are no safetensors in Hugging Face's cache", where=folder)
    snapshot = Snapshot(
        repository=repository,
        revision=revision,
        commit=folder.name,
        endpoint=server,
        licence=licence,
        folder=str(folder),
        fetched=datetime.now(UTC).isoformat(timespec="seconds"),
        files=files,
    )
    path = _record_path(repository, revision)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(asdict(snapshot), indent=2))
    return folder


def _record_path(repository: str, revision: str) -> Path:
    return records_folder(repository) / f"{quote(revision, safe='')}.json"


def _read(path: Path) -> Snapshot:
    try:
        return typed(Snapshot, parse_json(path.read_bytes()))
    except ValueError as error:
        raise WeightsError(
            f"is damaged: {error}", where=path, remedy="Remove it and fetch the network again"
        ) from error


@contextmanager
def _understood(name: str) -> Iterator[None]:
    """What `huggingface_hub` raises inside the block, as an error of ours."""
    try:
        yield
    except ImportError as error:
        raise BackendUnavailable(
            "fetching from the Hugging Face Hub needs a package that is not installed: huggingface_hub",
            where=name,
            remedy="`pip install 'actionbench[transformers]'`",
        ) from error
    except (OSError, ValueError, RuntimeError, httpx2.HTTPError) as error:
        raise WeightsError(
            "cannot be fetched from the Hugging Face Hub",
            where=name,
            found=f"{type(error).__name__}: {plain_line(str(error))[:500]}",
            remedy="What was received is kept: run the same command again. A mirror: --from URL, or "
            "HF_ENDPOINT; a folder that you have: run hf:FOLDER",
        ) from error


def _commit(info: Any, name: str) -> str:
    commit = str(info.sha)
    if _COMMIT.fullmatch(commit) is None:
        raise WeightsError("the server gives no commit for the revision", where=name, found=commit)
    return commit


def _licence(info: Any) -> str:
    """By the metadata of the model card, which the repository's owner writes."""
    card = info.card_data
    stated = None if card is None else card.get("license")
    if stated == "other":
        stated = card.get("license_name") or stated
    named = [stated] if isinstance(stated, str) else stated if isinstance(stated, list) else []
    return plain_line(", ".join(map(str, named)))[:200] or NOT_STATED


def _said_before(repository: str, revision: str, commit: str) -> tuple[str, str]:
    """Server and licence by an earlier record of the same commit: offline, nothing else says them."""
    earlier = stored_snapshot(f"{repository}@{revision}")
    if earlier is None or earlier.commit != commit:
        return NOT_STATED, NOT_STATED
    return earlier.endpoint, earlier.licence


def _require_safetensors(info: Any, name: str) -> None:
    files = [str(each.rfilename) for each in info.siblings or ()]
    if not any(file.endswith(SUFFIX) for file in files):
        pickled = [plain_line(file) for file in files if file.endswith((".bin", ".pt", ".pth", ".h5"))]
        raise WeightsError(
            "publishes no weights as safetensors; pickles can run any code and are not fetched",
            where=name,
            found=", ".join(pickled[:5]) or "no weights",
            remedy="Converted ones are often offered as a pull request: hf:REPO@refs/pr/N",
        )


def _recorded(path: Path) -> FileRecord:
    """The record of a file in Hugging Face's cache, checked against the digest that the server announced.

    The cache names a file after that digest (its ETag), SHA-256 for large files and Git's for others, and
    links to it; where it cannot link, the digest is not known.
    """
    announced = path.resolve().name
    sha256 = digest([path])
    found = {64: sha256, 40: git_blob(path)}.get(len(announced))
    if path.is_symlink() and found is not None and found != announced:
        path.resolve().unlink()
        path.unlink()
        raise WeightsError(
            "is not the file that the server announced: its digest differs",
            where=path,
            expected=announced,
            found=found,
            remedy="It was removed: fetch it again; if it stays so, the source has changed",
        )
    checked = (
        {64: "sha256", 40: "git blob"}.get(len(announced), FIRST_USE) if path.is_symlink() else FIRST_USE
    )
    return FileRecord(path.stat().st_size, sha256, checked)
