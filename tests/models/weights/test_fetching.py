"""Fetching from a server on the loopback that behaves in every bad way that is known."""

from __future__ import annotations

import base64
import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.downloads.web import web_client
from actionbench.errors import UsageError, WeightsError
from actionbench.models.state import State
from actionbench.models.weights import catalogue, fetch, list_weights, stored_weights, verify, write_state
from actionbench.models.weights.archive import unpack
from actionbench.models.weights.catalogue import CATALOGUE, RemoteFile, WeightsSource
from actionbench.models.weights.descriptions import description
from actionbench.models.weights.download import download
from actionbench.models.weights.store import weights_folder

from .loopback import HASTE, Server

NAME = "piergiaj-rgb-imagenet"
PATH = "models/rgb_imagenet.pt"


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def weights(i3d_state: State, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("weights") / "rgb.pt"
    write_state(i3d_state, path, "piergiaj", "rgb")
    return path.read_bytes()


@pytest.fixture
def source(server: Server, monkeypatch: pytest.MonkeyPatch, weights: bytes) -> Callable[..., WeightsSource]:
    """Moves a source of the catalogue to the server, with its files there, and gives it back."""

    def move(name: str = NAME, tree: bool = True, **changes: Any) -> WeightsSource:
        here: dict[str, Any] = {
            "base": f"{server.address}/",
            "tree": f"{server.address}/tree" if tree else "",
        }
        moved = replace(CATALOGUE[name], **(here | changes))
        monkeypatch.setattr(catalogue, "CATALOGUE", {**CATALOGUE, name: moved})
        return moved

    server.files[PATH] = weights
    list_tree(server)
    return move


def list_tree(server: Server) -> None:
    entries = [
        {"path": path, "type": "blob", "sha": blob(data), "size": len(data)}
        for path, data in server.files.items()
        if path != "tree"
    ]
    server.files["tree"] = json.dumps({"sha": "0", "tree": entries, "truncated": False}).encode()


def get(name: str = NAME, **options: Any) -> Path:
    return fetch(name, policy=HASTE, **options)


def ranges(server: Server) -> list[str]:
    return [wanted for path, wanted in server.requests if path == PATH]


def test_fetched_checked_recorded_and_found(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()
    assert stored_weights(description(NAME)) is None
    seen: list[tuple[int, int | None]] = []
    path = fetch(NAME, policy=HASTE, progress=lambda done, total: seen.append((done, total)))
    assert path == weights_folder() / NAME / "rgb_imagenet.pt"
    assert path.read_bytes() == weights
    assert seen[-1] == (len(weights), len(weights))
    assert stored_weights(description(NAME)) == path
    record = json.loads((path.parent / "fetched.json").read_text())
    assert record["files"]["rgb_imagenet.pt"]["sha256"] == hashlib.sha256(weights).hexdigest()
    assert record["files"]["rgb_imagenet.pt"]["checked"] == "git blob"
    assert sorted(file.name for file in path.parent.iterdir()) == ["fetched.json", "rgb_imagenet.pt"]
    assert sorted(p.name for p in weights_folder().iterdir() if p.suffix != ".lock") == [NAME]
    assert verify(NAME).ok
    row = next(row for row in list_weights() if row.name == NAME)
    assert (row.path, row.size, row.stream, row.licence) == (path, len(weights), "rgb", "Apache-2.0")
    asked = len(server.requests)
    assert get() == path
    assert len(server.requests) == asked


def test_a_cut_connection_is_resumed(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()
    server.cut = [10**9, 1000, 2000]  # the tree comes whole
    assert get().read_bytes() == weights
    assert ranges(server) == ["", "bytes=1000-", "bytes=3000-"]


def test_attempts_count_from_the_last_progress(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()
    server.cut = [10**9] + [len(weights) // 12] * 11
    assert get().read_bytes() == weights
    assert len(ranges(server)) > HASTE.attempts


def test_an_interrupted_fetch_goes_on_later(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(NAME, policy=HASTE, progress=interrupt)
    part = weights_folder() / f"{NAME}.partial" / "rgb_imagenet.pt.part"
    begun = part.stat().st_size
    assert 0 < begun <= len(weights)
    part.write_bytes(weights[:1234])
    assert get().read_bytes() == weights
    assert ranges(server)[-1] == "bytes=1234-"


def test_a_complete_part_is_not_fetched_again(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()
    part = weights_folder() / f"{NAME}.partial" / "rgb_imagenet.pt.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(weights)
    assert get().read_bytes() == weights
    assert ranges(server) == [f"bytes={len(weights)}-"]


def test_a_server_without_ranges_starts_over(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()
    server.ranges = False
    server.cut = [10**9, 1000, 2000]
    assert get().read_bytes() == weights
    assert len(ranges(server)) == 3


def test_another_file_on_the_server_is_not_mixed_in(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source(tree=False)  # so nothing is known of the file
    part = weights_folder() / f"{NAME}.partial" / "rgb_imagenet.pt.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 500)
    part.with_name(f"{part.name}.json").write_text('{"validator": "\\"0\\""}')
    assert get().read_bytes() == weights
    assert ranges(server) == ["bytes=500-"]


@pytest.mark.parametrize("notes", [None, "{", '{"validator": "\\u202e1"}', '{"validator": "1\\r\\nHost: x"}'])
def test_a_part_of_unknown_origin_is_not_continued(
    server: Server, source: Callable[..., WeightsSource], weights: bytes, notes: str | None
) -> None:
    source(tree=False)
    part = weights_folder() / f"{NAME}.partial" / "rgb_imagenet.pt.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 500)
    if notes is not None:
        part.with_name(f"{part.name}.json").write_text(notes)
    assert get().read_bytes() == weights
    assert ranges(server) == [""]


def test_a_wrong_beginning_is_replaced_once(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()
    part = weights_folder() / f"{NAME}.partial" / "rgb_imagenet.pt.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 500)
    assert get().read_bytes() == weights
    assert ranges(server) == ["bytes=500-", ""]


def test_a_file_that_differs_from_the_tree_is_refused(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()
    server.files[PATH] = weights[:-1] + b"!"
    with pytest.raises(WeightsError, match=f"Git blob differs.*{blob(weights)}"):
        get()
    assert stored_weights(description(NAME)) is None
    server.files[PATH] = weights + b"!"
    with pytest.raises(WeightsError, match="size"):
        get()
    server.files[PATH] = weights
    assert get().read_bytes() == weights


def test_a_tree_that_contradicts_the_pins_is_refused(
    server: Server, source: Callable[..., WeightsSource]
) -> None:
    files = (RemoteFile(PATH, git_blob="0" * 40), RemoteFile("tree"))
    source(files=files)
    with pytest.raises(WeightsError, match="not the tree"):
        get()
    server.files["tree"] = b"\xff" * 10_000
    with pytest.raises(WeightsError, match=r"found UnicodeDecodeError$"):  # and not all that was sent
        get()
    source(files=(files[0], RemoteFile("other")))
    server.files["other"] = b"x"
    list_tree(server)
    with pytest.raises(WeightsError, match="another file than the pinned one"):
        get()


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_told_at_once(status: int, server: Server, source: Callable[..., WeightsSource]) -> None:
    source()
    server.status = [200, status]
    with pytest.raises(WeightsError, match=f"HTTP {status}.*--from"):
        get()
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_failure_is_tried_again(
    status: int, server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source()
    server.status = [status, 200, status, status]
    assert get().read_bytes() == weights


def test_a_lasting_failure_ends(server: Server, source: Callable[..., WeightsSource]) -> None:
    source()
    server.status = [500] * 20
    with pytest.raises(WeightsError, match=r"3 attempts.*HTTP 500"):
        get()


@pytest.mark.parametrize(
    "page", [b"<!doctype html><p>Sign in", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"]
)
def test_a_page_instead_of_the_file(
    page: bytes, server: Server, source: Callable[..., WeightsSource]
) -> None:
    source(tree=False)
    server.files[PATH] = page
    with pytest.raises(WeightsError, match=r"web page|git-lfs"):
        get()


def test_weights_of_another_format_are_refused_and_not_kept(
    server: Server, source: Callable[..., WeightsSource], i3d_state: State, tmp_path: Path, weights: bytes
) -> None:
    source(tree=False)
    write_state(i3d_state, tmp_path / "other", "hassony2", "rgb")
    server.files[PATH] = (tmp_path / "other").read_bytes()
    with pytest.raises(WeightsError, match="another format"):
        get()
    server.files[PATH] = weights
    assert get().read_bytes() == weights


def test_a_silent_server_is_left(server: Server, source: Callable[..., WeightsSource]) -> None:
    source()
    server.delay_s = 1.0
    begin = time.monotonic()
    with pytest.raises(WeightsError, match="timed out"):
        fetch(NAME, policy=replace(HASTE, timeout_s=0.05, attempts=2))
    assert time.monotonic() - begin < 5


def test_no_server_at_all(source: Callable[..., WeightsSource]) -> None:
    source(base="http://127.0.0.1:9/", tree=False)
    with pytest.raises(WeightsError, match="3 attempts"):
        get()


def test_a_file_that_is_too_large_is_refused(server: Server, tmp_path: Path) -> None:
    server.files["large"] = bytes(101)
    address, part = f"{server.address}/large", tmp_path / "large.part"
    with (
        web_client(HASTE, WeightsError) as client,
        pytest.raises(WeightsError, match="is too large; expected at most 100 bytes"),
    ):
        download(address, part, client=client, progress=lambda *_: None, policy=HASTE, max_bytes=100)
    assert not part.exists()


def test_a_full_disk_is_told_before_and_during(
    source: Callable[..., WeightsSource], monkeypatch: pytest.MonkeyPatch, weights: bytes
) -> None:
    source()
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
        with pytest.raises(WeightsError, match=r"disk is full.*1000 bytes free"):
            get()

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(WeightsError, match="disk is full"):
        fetch(NAME, policy=HASTE, progress=no_space)
    assert get().read_bytes() == weights


def test_changed_files_are_noticed_and_fetched_again(
    server: Server, source: Callable[..., WeightsSource], weights: bytes
) -> None:
    source(tree=False)
    path = get()
    path.write_bytes(weights[:-1] + b"!")
    assert verify(NAME).problems == ("rgb_imagenet.pt has changed: its SHA-256 differs",)
    # Without a published checksum the digest of the first time counts.
    server.files[PATH] = weights[:-1] + b"?"
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        get()
    server.files[PATH] = weights
    assert get() == path
    assert verify(NAME).ok
    path.unlink()
    assert verify(NAME).problems == ("rgb_imagenet.pt is missing",)
    record = path.parent / "fetched.json"
    whole = json.loads(record.read_text())
    for change in ({"size": "7"}, {"sha256": None}, {"more": 1}):
        files = {name: file | change for name, file in whole["files"].items()}
        record.write_text(json.dumps(whole | {"files": files}))
        with pytest.raises(WeightsError, match=r"damaged.*Remove"):
            verify(NAME)
    for text in ("{", "[]", "{}", '{"files": []}'):
        record.write_text(text)
        with pytest.raises(WeightsError, match=r"damaged.*Remove"):
            verify(NAME)


def test_what_was_not_fetched_cannot_be_verified() -> None:
    with pytest.raises(WeightsError, match="bench weights fetch deepmind-rgb-imagenet"):
        verify("deepmind-rgb-imagenet")
    with pytest.raises(UsageError, match="deepmind-rgb-imagenet"):
        fetch("deepmind-rgb-imagnet")


def test_a_foreign_folder_is_left_alone(source: Callable[..., WeightsSource]) -> None:
    source()
    (weights_folder() / NAME).mkdir(parents=True)
    with pytest.raises(WeightsError, match="exists, but was not made by"):
        get()


def test_two_at_once_fetch_once(server: Server, source: Callable[..., WeightsSource]) -> None:
    source()
    server.delay_s = 0.05
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(get())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 3
    assert len(ranges(server)) == 1


@pytest.mark.parametrize("layout", ["store", "repository", "flat"])
@pytest.mark.parametrize("kind", ["folder", "address"])
def test_a_mirror(
    layout: str,
    kind: str,
    server: Server,
    tmp_path: Path,
    weights: bytes,
    source: Callable[..., WeightsSource],
) -> None:
    source()
    server.files.clear()
    path = {"store": f"{NAME}/rgb_imagenet.pt", "repository": PATH, "flat": "rgb_imagenet.pt"}[layout]
    if kind == "folder":
        (tmp_path / "mirror" / path).parent.mkdir(parents=True)
        (tmp_path / "mirror" / path).write_bytes(weights)
        found = get(mirror=str(tmp_path / "mirror"))
        assert not server.requests
    else:
        server.files[f"weights/{path}"] = weights
        if layout == "flat":
            with pytest.raises(WeightsError, match="HTTP 404"):
                get(mirror=f"{server.address}/weights/")
            return
        found = get(mirror=f"{server.address}/weights/")
    assert found.read_bytes() == weights
    assert json.loads((found.parent / "fetched.json").read_text())["files"]["rgb_imagenet.pt"]["checked"] == (
        "first use"
    )


def test_the_password_of_a_mirror_is_sent_and_shown_nowhere(
    server: Server, weights: bytes, source: Callable[..., WeightsSource]
) -> None:
    source()
    server.files.clear()
    mirror = server.address.replace("://", "://me:secret@")
    with pytest.raises(WeightsError, match="HTTP 404") as caught:
        get(mirror=mirror)
    assert "secret" not in str(caught.value)
    server.files[PATH] = weights
    found = get(mirror=mirror)
    assert set(server.authorizations) == {f"Basic {base64.b64encode(b'me:secret').decode()}"}
    assert "secret" not in (found.parent / "fetched.json").read_text()
    with pytest.raises(UsageError, match="--from: is no address"):
        get("deepmind-samples", mirror="http://[::1")


def test_a_mirror_of_the_hub_with_a_password_is_refused() -> None:
    with pytest.raises(UsageError, match="--from: holds a password") as caught:
        get("hf:owner/name", mirror="https://me:secret@mirror.example")
    assert "secret" not in str(caught.value)


def test_a_password_is_not_passed_on_to_another_host(
    server: Server, weights: bytes, source: Callable[..., WeightsSource]
) -> None:
    source()
    server.files.clear()
    server.files["elsewhere"] = weights
    elsewhere = server.address.replace("127.0.0.1", "localhost")
    server.redirects[PATH] = f"{elsewhere}/elsewhere"
    get(mirror=server.address.replace("://", "://me:secret@"))
    assert server.authorizations[-1] is None


def test_a_mirror_without_the_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"rgb_imagenet\.pt.*models/rgb_imagenet\.pt"):
        get(mirror=str(tmp_path))
    with pytest.raises(WeightsError, match="no such folder"):
        get(mirror=str(tmp_path / "absent"))


def test_weights_by_hand(resnext_state: State, tmp_path: Path) -> None:
    name = "hara-resnext-101-16f"
    with pytest.raises(WeightsError, match=r"browser.*drive\.google\.com.*--from FOLDER"):
        get(name)
    write_state(resnext_state, tmp_path / "downloads" / "resnext-101-kinetics.pth", "hara", "rgb")
    path = get(name, mirror=str(tmp_path / "downloads"))
    # The variant with the other mean is the same file.
    assert stored_weights(description(f"{name}-kinetics-mean")) == path
    assert get(f"{name}-kinetics-mean") == path


def test_a_checkpoint_must_agree_with_its_own_checksums(i3d_state: State, tmp_path: Path) -> None:
    name, mirror = "deepmind-rgb-scratch", tmp_path / "clone"
    prefix = mirror / "data" / "checkpoints" / "rgb_scratch" / "model.ckpt"
    write_state(i3d_state, prefix, "tf1-checkpoint", "rgb")
    data = prefix.with_name("model.ckpt.data-00000-of-00001")
    whole = data.read_bytes()
    data.write_bytes(whole[:-1] + b"!")
    with pytest.raises(WeightsError, match="checksum of the tensor"):
        get(name, mirror=str(mirror))
    data.write_bytes(whole)
    assert get(name, mirror=str(mirror)) == weights_folder() / name / "model.ckpt"
    # The index of these weights is pinned, so another one is refused.
    with pytest.raises(WeightsError, match=r"size differs|Git blob differs"):
        get("deepmind-rgb-imagenet", mirror=str(_imagenet(prefix)))


def _imagenet(prefix: Path) -> Path:
    shutil.copytree(prefix.parent, prefix.parent.parent / "rgb_imagenet")
    return prefix.parents[3]


def test_the_pins_are_those_of_the_real_files(shared_data: Path) -> None:
    folder = shared_data / "annotations" / "i3d_published" / "checkpoints"
    for name in ("rgb_imagenet", "flow_imagenet", "rgb_scratch_kin600"):
        data = (folder / name / "model.ckpt.index").read_bytes()
        index = CATALOGUE[f"deepmind-{name.replace('_', '-')}"].files[0]
        assert (index.size, index.git_blob) == (len(data), blob(data))


def test_the_sample_arrays(tmp_path: Path) -> None:
    for stream in ("rgb", "flow"):
        np.save(tmp_path / f"v_CricketShot_g04_c01_{stream}.npy", np.zeros((1, 2, 2, 2, 3), np.float32))
    folder = get("deepmind-samples", mirror=str(tmp_path))
    assert np.load(folder / "v_CricketShot_g04_c01_flow.npy").shape == (1, 2, 2, 2, 3)


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_a_hub_module_is_unpacked(i3d_state: State, tmp_path: Path) -> None:
    write_state(i3d_state, tmp_path / "variables" / "variables", "tf1-checkpoint", "rgb")
    members = [(tarfile.TarInfo("./saved_model.pb"), b"graph")]
    files = sorted((tmp_path / "variables").iterdir())
    members += [(tarfile.TarInfo(f"./variables/{file.name}"), file.read_bytes()) for file in files]
    tar(tmp_path / "1.tar.gz", *members)
    name = "tfhub-module-i3d-kinetics-600"
    path = get(name, mirror=str(tmp_path))
    assert path == weights_folder() / name / "module"
    assert (path / "saved_model.pb").read_bytes() == b"graph"
    assert verify(name).files == 4
    (path / "saved_model.pb").write_bytes(b"other")
    assert not verify(name).ok
    get(name, mirror=str(tmp_path))
    assert (path / "saved_model.pb").read_bytes() == b"graph"
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        get("tfhub-module-i3d-kinetics-400", mirror=str(tmp_path))


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("innocent")
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../outside"),
        tarfile.TarInfo("a/../../outside"),
        tarfile.TarInfo("/tmp/outside"),
        tarfile.TarInfo("..\\outside"),
        link(tarfile.SYMTYPE, "/etc/passwd"),
        link(tarfile.SYMTYPE, "../.."),
        link(tarfile.LNKTYPE, "../outside"),
        link(tarfile.CHRTYPE, ""),
        link(tarfile.FIFOTYPE, ""),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}",
)
def test_an_archive_cannot_write_elsewhere(member: tarfile.TarInfo, tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar.gz", (tarfile.TarInfo("good"), b"1"), (member, b""))
    with pytest.raises(WeightsError, match=r"leads out of it|contains other entries than files"):
        unpack(archive, tmp_path / "inside" / "module")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tar.gz", "inside"]


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_an_archive_is_not_read_whole_whatever_its_size(kind: bytes, tmp_path: Path) -> None:
    """64 MB of digits, 290 kB compressed, kept Python 3.11.7 searching for longer than we waited."""
    header = tarfile.TarInfo("header")
    header.type, header.size = kind, 1 << 20
    archive = tmp_path / "a.tar.gz"
    with gzip.open(archive, "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT) + b"0" * header.size)
    with pytest.raises(WeightsError, match=r"a\.tar\.gz: cannot be unpacked; found a header of \d+"):
        unpack(archive, tmp_path / "module")
    assert not (tmp_path / "module").exists()


def test_an_archive_bomb_or_a_broken_one_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tar(tmp_path / "a.tar.gz", *((tarfile.TarInfo(f"{n}"), bytes(1000)) for n in range(20)))
    with monkeypatch.context() as patch:
        patch.setattr("actionbench.models.weights.archive._MAX_BYTES", 15_000)
        with pytest.raises(WeightsError, match="too large when unpacked"):
            unpack(archive, tmp_path / "module")
    whole = archive.read_bytes()
    for damaged in (whole[:80], whole[: len(whole) // 2], b"nothing", whole[:40] + b"!" + whole[41:]):
        archive.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"unpacked"):
            unpack(archive, tmp_path / "module")
        assert not (tmp_path / "module").exists()
