"""Published weights into the store: fetched once, checked, and checked again on demand."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import filelock
import httpx2

from ...atomic import NO_SPACE, replacing
from ...downloads.space import disk_full
from ...downloads.web import RetryPolicy, web_client
from ...errors import UsageError, WeightsError
from ...parsing import parse_json
from ...registry import LOAD_REMEDY, load
from .archive import opened_member, unpack
from .catalogue import RemoteFile, WeightsSource, find_source, total_size
from .checking import check_contents, check_file
from .download import OTHER_HOME, NotFound, TransferProgress, download
from .formats.pickled_arrays import read_pickled_arrays
from .formats.readers import write_state
from .hugging_face.hub import fetch_snapshot, is_hub_name
from .inventory import verify
from .package_index import index_client, local_path, locate, pip_settings
from .record import FIRST_USE, RECORD, chunks, difference, digest, recorded
from .store import stored, weights_folder

_LOCK_TIMEOUT_S: Final = 600.0
_MAX_TREE_BYTES: Final = 16 << 20


def _quiet(done: int, total: int | None) -> None:
    pass


def _unsaid(licence: str) -> None:
    pass


def fetch(
    name: str,
    *,
    mirror: str | None = None,
    progress: TransferProgress = _quiet,
    policy: RetryPolicy | None = None,
    announce: Callable[[str], None] = _unsaid,
) -> Path:
    """Fetch weights into the store, unless they are there already; returns the path to load them from.

    - `name`: a name of the catalogue, or "hf:OWNER/NAME@REVISION" (`hub`).
    - `mirror`: address or folder to take the files from instead of their source. It is laid out like the
      store or like the authors' repository; a folder may also contain the files directly. For weights that
      are one file, it may be the path of that file.
    - `progress`: called with the bytes received and the bytes in all (None if unknown).
    - `policy`: limits of each download; None for the defaults.
    - `announce`: called with the licence, before anything large is downloaded.

    From the Hub, `huggingface_hub` downloads: it shows its own progress and has its own limits, and `mirror`
    is the address of one.

    Files pinned in the catalogue, and files from GitHub, are checked; of others the digest at the first fetch
    is recorded. Stored files that have changed since are fetched again. An interrupted fetch is continued.
    Raises UsageError for an unknown name, WeightsError if the files cannot be fetched or are not the
    published ones.
    """
    if is_hub_name(name):
        if mirror is not None and not _is_address(mirror):
            raise UsageError(
                "is no address",
                where="--from",
                found=mirror,
                remedy=f"A folder needs no fetching: name it as the model, hf:{mirror}",
            )
        if mirror is not None and _split_auth(mirror)[0] is not None:
            raise UsageError(
                "holds a password, which the library that fetches from Hugging Face would show",
                where="--from",
                remedy="Give the address without it, and a token in the environment variable HF_TOKEN.",
            )
        return fetch_snapshot(name, mirror, announce)
    source = find_source(name)
    announce(source.licence)
    present = stored(source)
    if present is not None and verify(name).ok:
        return present
    if mirror is None and source.by_hand:
        raise WeightsError(f"the weights {name} can only be fetched by hand", remedy=source.manual)
    final = weights_folder() / source.folder
    partial = weights_folder() / f"{source.folder}.partial"
    lock = filelock.FileLock(weights_folder() / f"{source.folder}.lock", timeout=_LOCK_TIMEOUT_S)
    try:
        weights_folder().mkdir(parents=True, exist_ok=True)
        with lock:
            files = source.files
            if (final / RECORD).is_file():
                if verify(name).ok:
                    return final / source.load
                files = _set_aside(final, partial, source)
            elif final.exists():
                raise WeightsError(
                    "exists, but was not made by `bench weights fetch`",
                    where=final,
                    remedy="Move it elsewhere",
                )
            partial.mkdir(exist_ok=True)
            _fill(partial, replace(source, files=files), mirror, progress, policy or RetryPolicy())
            partial.rename(final)
    except filelock.Timeout as error:
        raise WeightsError("another process is still fetching these weights", where=lock.lock_file) from error
    except OSError as error:
        if error.errno in NO_SPACE:
            raise disk_full(weights_folder(), WeightsError, OTHER_HOME) from error
        raise WeightsError("cannot be kept", where=error.filename or partial, found=error.strerror) from error
    return final / source.load


def _split_auth(mirror: str) -> tuple[tuple[str, str] | None, str]:
    """Name and password in an address, None without one; and the rest, which may be shown and recorded.

    Raises UsageError for an address that cannot be read.
    """
    if not _is_address(mirror):
        return None, mirror
    try:
        url = httpx2.URL(mirror)
    except httpx2.InvalidURL as error:
        raise UsageError("is no address", where="--from", found=str(error)) from None
    auth = (url.username, url.password) if url.userinfo else None
    return auth, str(url.copy_with(userinfo=b""))


def _is_address(mirror: str) -> bool:
    return mirror.startswith(("https://", "http://"))


def _set_aside(final: Path, partial: Path, source: WeightsSource) -> tuple[RemoteFile, ...]:
    """Move damaged weights out of the store; returns the files to fetch again, with their former digests."""
    had = recorded(final)
    shutil.rmtree(partial, ignore_errors=True)
    final.rename(partial)
    (partial / RECORD).unlink()
    files = []
    for file in source.files:
        record = had.get(file.name)
        if record is None or difference(partial / file.name, file.name, record) is not None:
            (partial / file.name).unlink(missing_ok=True)
        files.append(file if record is None else replace(file, sha256=record.sha256))
    return tuple(files)


def _fill(
    partial: Path, source: WeightsSource, mirror: str | None, progress: TransferProgress, policy: RetryPolicy
) -> None:
    """Fetch every file of `source` into `partial`, check it, and write the record."""
    files = source.files
    if mirror is None and source.tree and not all(file.git_blob for file in files):
        files = _with_blobs(source, partial, policy)
    total, before = total_size(files), 0
    for file in files:
        target = partial / file.name

        def report(done: int, whole: int | None, before: int = before) -> None:
            progress(before + done, total if len(files) > 1 else whole)

        if not target.exists():
            _fetch_file(file, target, source, mirror, report, policy)
        before += target.stat().st_size
    if source.unpack:
        shutil.rmtree(partial / source.load, ignore_errors=True)
        unpack(partial / files[0].name, partial / source.load)
    try:
        if source.member is not None:
            _convert(partial / files[0].name, source, source.member, partial / source.load)
        check_contents(source, partial)
    except WeightsError:
        # Complete but wrong: the next attempt must not continue from these bytes.
        for file in files:
            (partial / file.name).unlink()
        raise
    if source.member is not None:
        (partial / files[0].name).unlink()
    _write_record(partial, source, mirror, files)


def _fetch_file(
    file: RemoteFile,
    target: Path,
    source: WeightsSource,
    mirror: str | None,
    progress: TransferProgress,
    policy: RetryPolicy,
) -> None:
    """Download or copy one file of `source` to `target`, checked."""
    if mirror is not None and not _is_address(mirror):
        _copy_checked(_in_mirror(Path(mirror), file, source), target, file, progress)
    elif mirror is None and not source.base:
        settings = pip_settings()
        with index_client(settings, policy) as client:
            address = locate(source.project, file.name, settings, client)
            path = local_path(address)
            if path is None:
                _download_checked(client, address, target, file, progress, policy)
            else:
                _copy_checked(path, target, file, progress)
    else:
        auth, mirror = (None, None) if mirror is None else _split_auth(mirror)
        with web_client(policy, WeightsError, auth) as client:
            _download_any(client, _addresses(source, file, mirror), target, file, progress, policy)


def _convert(archive: Path, source: WeightsSource, member: RemoteFile, target: Path) -> None:
    """Write the pickled arrays in a tar archive, checked, as the safetensors file `target`."""
    with opened_member(archive, member.path) as file:
        pickled = io.BytesIO(file.read(-1 if member.size is None else member.size))
    if hashlib.sha256(pickled.getbuffer()).hexdigest() != member.sha256:
        raise WeightsError(
            f"{member.path} in it is not the published file: its SHA-256 differs",
            where=archive,
            expected=member.sha256,
        )
    arrays = read_pickled_arrays(pickled, archive / member.name)
    state = load(source.member_state, f"the reader of {source.name}", LOAD_REMEDY)(
        arrays, archive / member.name
    )
    assert source.description is not None, "what is converted are weights"
    write_state(state, target, source.description.format, source.description.stream)


def _with_blobs(source: WeightsSource, partial: Path, policy: RetryPolicy) -> tuple[RemoteFile, ...]:
    """The files with size and Git blob out of the repository's tree at the pinned commit."""
    listing = partial / "tree.json.part"
    listing.unlink(missing_ok=True)
    with web_client(policy, WeightsError) as client:
        download(
            source.tree, listing, client=client, progress=_quiet, policy=policy, max_bytes=_MAX_TREE_BYTES
        )
    try:
        tree = parse_json(listing.read_text(encoding="utf-8"))["tree"]
        entries = {entry["path"]: entry for entry in tree if entry["type"] == "blob"}
        files = tuple(
            replace(file, size=int(entries[file.path]["size"]), git_blob=str(entries[file.path]["sha"]))
            for file in source.files
        )
    except (ValueError, LookupError, TypeError) as error:
        # Not what the exception shows: that may be all that the server has sent.
        found = type(error).__name__
        raise WeightsError("is not the tree of the repository", where=source.tree, found=found) from error
    finally:
        for path in partial.glob("tree.json.part*"):
            path.unlink()
    for file, pinned in zip(files, source.files, strict=True):
        if pinned.git_blob not in (None, file.git_blob):
            raise WeightsError(
                "the repository lists another file than the pinned one",
                where=file.path,
                expected=pinned.git_blob,
                found=file.git_blob,
            )
    return files


def _addresses(source: WeightsSource, file: RemoteFile, mirror: str | None) -> tuple[str, ...]:
    if mirror is None:
        return (source.base + file.path,)
    base = mirror.rstrip("/")
    return f"{base}/{source.folder}/{file.name}", f"{base}/{file.path}"


def _download_any(
    client: httpx2.Client,
    urls: tuple[str, ...],
    target: Path,
    file: RemoteFile,
    progress: TransferProgress,
    policy: RetryPolicy,
) -> None:
    """Download from the first of the addresses at which there is something."""
    for url in urls[:-1]:
        try:
            return _download_checked(client, url, target, file, progress, policy)
        except NotFound:
            continue
    return _download_checked(client, urls[-1], target, file, progress, policy)


def _download_checked(
    client: httpx2.Client,
    url: str,
    target: Path,
    file: RemoteFile,
    progress: TransferProgress,
    policy: RetryPolicy,
) -> None:
    part = target.with_name(f"{target.name}.part")
    pinned = bool(file.git_blob or file.sha256)
    # The beginning may be of an older version of the file: then download once more, from the start.
    for may_be_mixed in (part.exists(), False):
        download(url, part, client=client, size=file.size, pinned=pinned, progress=progress, policy=policy)
        try:
            check_file(part, file, url)
            break
        except WeightsError:
            part.unlink()
            if not may_be_mixed:
                raise
    part.with_name(f"{part.name}.json").unlink(missing_ok=True)
    part.rename(target)


def _in_mirror(mirror: Path, file: RemoteFile, source: WeightsSource) -> Path:
    """Where the local folder `mirror` has `file`; `mirror` itself where it is the only file of `source`."""
    if mirror.is_file() and len(source.files) == 1:
        return mirror
    candidates = [mirror / source.folder / file.name, mirror / file.path, mirror / file.name]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise WeightsError(
            f"the mirror does not have {file.name}",
            where=mirror,
            expected=" or ".join(dict.fromkeys(str(path.relative_to(mirror)) for path in candidates)),
            remedy=None if mirror.is_dir() else "There is no such folder; a URL begins with https://",
        )
    return found


def _copy_checked(found: Path, target: Path, file: RemoteFile, progress: TransferProgress) -> None:
    check_file(found, file, found)
    size, done = found.stat().st_size, 0
    with replacing(target) as copy:
        for chunk in chunks(found):
            copy.write(chunk)
            done += len(chunk)
            progress(done, size)


def _of_sha256(file: RemoteFile) -> str:
    assert file.sha256 is not None, "called where a digest is published"
    digits = len(file.sha256)
    return "sha256" if digits == hashlib.sha256().digest_size * 2 else f"first {digits} digits of sha256"


def _write_record(
    folder: Path, source: WeightsSource, mirror: str | None, files: tuple[RemoteFile, ...]
) -> None:
    by_name = {file.name: file for file in files}
    described = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        # Files from an archive were checked with the archive.
        file = by_name.get(path.name, files[0]) if path.parent == folder else files[0]
        checked = "git blob" if file.git_blob else _of_sha256(file) if file.sha256 else FIRST_USE
        described[path.relative_to(folder).as_posix()] = {
            "size": path.stat().st_size,
            "sha256": digest([path]),
            "checked": checked,
        }
    record = {
        "name": source.name,
        "from": source.origin if mirror is None else _split_auth(mirror)[1],
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "licence": source.licence,
        "files": described,
    }
    with replacing(folder / RECORD) as out:
        out.write(json.dumps(record, indent=2).encode())
