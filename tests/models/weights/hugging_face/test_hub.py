"""Networks from the Hugging Face Hub, fetched from a server on the loopback by its own library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from actionbench.bench.cli.app import run_app
from actionbench.errors import UsageError, WeightsError
from actionbench.licences import is_non_commercial, marked
from actionbench.models.weights import fetch, list_weights, verify
from actionbench.models.weights.hugging_face.hub import parse_name, stored_snapshot, stored_snapshots
from actionbench.models.weights.hugging_face.snapshot import snapshot_weights

from .hub_server import COMMIT, Hub, serving_hub

pytest.importorskip("huggingface_hub")

NAME = "hf:someone/network"
TENSORS = save({"a": np.arange(20_000, dtype=np.float32)})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one network; an empty cache and an empty home."""
    from huggingface_hub import constants

    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    with serving_hub() as server:
        server.files = {
            "config.json": b'{"model_type": "videomae"}',
            "preprocessor_config.json": b"{}",
            "model.safetensors": TENSORS,
            "pytorch_model.bin": b"a pickle",
            "modeling_own.py": b"raise SystemExit",
            "README.md": b"---\nlicense: cc-by-nc-4.0\n---\n",
        }
        server.card = {"license": "cc-by-nc-4.0"}
        yield server


def fetched(hub: Hub, name: str = NAME, **more: Any) -> Path:
    return fetch(name, mirror=hub.address, **more)


def test_names() -> None:
    assert parse_name("hf:a/b-c.d_e") == ("a/b-c.d_e", "main")
    assert parse_name("a/b@refs/pr/3") == ("a/b", "refs/pr/3")
    for wrong in ("hf:", "hf:/a", "hf:a/../b", "hf:a/b@", "hf:a/b/c", "hf:a b", "hf:a/b@..", "hf:-a/b"):
        with pytest.raises(UsageError, match="hf:OWNER/NAME"):
            parse_name(wrong)


def test_only_configuration_and_safetensors_are_fetched(hub: Hub) -> None:
    said: list[str] = []
    folder = fetched(hub, announce=said.append)
    assert said == ["cc-by-nc-4.0"]
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
    }
    asked = [path for _, path, _ in hub.requests if "/resolve/" in path]
    assert not [path for path in asked if path.endswith((".bin", ".py", ".md"))]


def test_the_command_fetches_in_a_process_of_its_own(hub: Hub, tmp_path: Path) -> None:
    """The library loads its modules when they are used: nothing here may rely on an earlier import."""
    own = {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
    answer = subprocess.run(
        [sys.executable, "-m", "actionbench", "weights", "fetch", NAME, "--from", hub.address],
        env=os.environ | own | {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert stored_snapshot(NAME) is not None


def test_the_commit_the_licence_and_the_digests_are_recorded(hub: Hub) -> None:
    folder = fetched(hub)
    snapshot = stored_snapshot(NAME)
    assert snapshot is not None
    assert (snapshot.commit, snapshot.revision, snapshot.licence) == (COMMIT, "main", "cc-by-nc-4.0")
    assert snapshot.folder == str(folder)
    assert (snapshot.endpoint, snapshot.published) == (hub.address, False)
    assert replace(snapshot, endpoint="https://huggingface.co").published
    assert {name: file.checked for name, file in snapshot.files.items()} == {
        "config.json": "git blob",
        "model.safetensors": "sha256",
        "preprocessor_config.json": "git blob",
    }
    assert stored_snapshot(f"{NAME}@{COMMIT}") == snapshot
    assert stored_snapshot(f"{NAME}@v2") is None
    (row,) = [row for row in list_weights() if row.name == NAME]
    assert (row.licence, row.path, row.size) == ("cc-by-nc-4.0", folder, 26 + 2 + len(TENSORS))
    assert COMMIT in row.source
    assert verify(NAME).ok


def test_a_second_fetch_downloads_nothing_large(hub: Hub) -> None:
    fetched(hub)
    hub.requests.clear()
    fetched(hub)
    assert not [request for request in hub.requests if request[0] == "GET" and "/resolve/" in request[1]]


def test_a_branch_is_pinned_to_its_commit(hub: Hub) -> None:
    hub.revisions["refs/pr/3"] = COMMIT
    fetched(hub, f"{NAME}@refs/pr/3")
    snapshot = stored_snapshot(f"{NAME}@refs/pr/3")
    assert snapshot is not None
    assert snapshot.name == f"{NAME}@refs/pr/3"
    assert snapshot.commit == COMMIT
    assert stored_snapshot(NAME) is None
    assert [each.name for each in stored_snapshots()] == [snapshot.name]


def test_a_cut_connection_is_continued(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(
        constants, "DOWNLOAD_CHUNK_SIZE", 10_000
    )  # the library keeps whole pieces of this size
    hub.cut = [30_000]
    folder = fetched(hub)
    assert (folder / "model.safetensors").read_bytes() == TENSORS
    large = [each for each in hub.requests if each[0] == "GET" and each[1].endswith(".safetensors")]
    assert [wanted for _, _, wanted in large] == ["", "bytes=30000-"]


def test_other_bytes_than_announced_are_refused_and_removed(hub: Hub) -> None:
    hub.announced["model.safetensors"] = TENSORS[:-1] + b"x"
    with pytest.raises(WeightsError, match="not the file that the server announced"):
        fetched(hub)
    assert stored_snapshot(NAME) is None
    del hub.announced["model.safetensors"]
    assert (fetched(hub) / "model.safetensors").read_bytes() == TENSORS


def test_pickles_alone_are_refused_before_anything_is_downloaded(hub: Hub) -> None:
    del hub.files["model.safetensors"]
    with pytest.raises(WeightsError, match=r"pickles.*pytorch_model\.bin.*refs/pr"):
        fetched(hub)
    assert not [path for _, path, _ in hub.requests if "/resolve/" in path]


@pytest.mark.parametrize("name", ["hf:someone/else", "hf:someone/network@nothing"])
def test_what_there_is_not_is_one_error(hub: Hub, name: str) -> None:
    with pytest.raises(WeightsError, match="cannot be fetched from the Hugging Face Hub"):
        fetched(hub, name)


@pytest.mark.usefixtures("hub")
def test_no_server_is_one_error() -> None:
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetch(NAME, mirror="http://127.0.0.1:9")


def test_offline_the_cache_of_hugging_face_is_used(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that another program has downloaded are recorded without a request."""
    from huggingface_hub import constants, snapshot_download

    snapshot_download("someone/network", endpoint=hub.address)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    said: list[str] = []
    folder = fetched(hub, announce=said.append)
    assert hub.requests == []
    assert said == ["not stated"]
    assert (folder / "model.safetensors").read_bytes() == TENSORS
    snapshot = stored_snapshot(NAME)
    assert snapshot is not None
    assert snapshot.files["model.safetensors"].checked == "sha256"
    assert (snapshot.endpoint, snapshot.licence) == ("not stated", "not stated")
    assert "huggingface.co" not in snapshot.source
    with pytest.raises(WeightsError, match="cannot be fetched"):
        fetched(hub, "hf:someone/else")


def test_offline_an_earlier_record_of_the_commit_is_kept(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    fetched(hub)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    said: list[str] = []
    fetched(hub, announce=said.append)
    snapshot = stored_snapshot(NAME)
    assert snapshot is not None
    assert (snapshot.endpoint, snapshot.licence) == (hub.address, "cc-by-nc-4.0")
    assert said == ["cc-by-nc-4.0"]


def test_offline_a_cache_without_weights_is_one_error(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants, snapshot_download

    snapshot_download("someone/network", endpoint=hub.address, allow_patterns=["config.json"])
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"cannot be fetched|no safetensors"):
        fetched(hub)
    assert stored_snapshot(NAME) is None


def test_a_file_that_has_changed_is_found(hub: Hub) -> None:
    folder = fetched(hub)
    (folder / "config.json").resolve().write_bytes(b"{}")
    assert verify(NAME).problems == ("config.json has 2 bytes instead of 26",)
    with pytest.raises(WeightsError, match="has changed since it was fetched"):
        snapshot_weights(Any, folder)  # type: ignore[arg-type]  # the description is not looked at


def test_a_damaged_record_is_one_error(hub: Hub, tmp_path: Path) -> None:
    fetched(hub)
    (record,) = (tmp_path / "home" / "weights" / "hugging-face").glob("*/*.json")
    record.write_text(json.dumps({"repository": "x"}))
    with pytest.raises(WeightsError, match="Remove it"):
        stored_snapshots()


def test_the_command_shows_the_licence_first(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    # What HF_ENDPOINT does when the library is imported.
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    template = f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    hub.card = {"license": "other", "license_name": "own-\x1b[2Jlicence"}
    assert run_app(["weights", "fetch", NAME]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{NAME}: licence own-")
    assert "\x1b" not in first
    assert second.startswith(f"{NAME}: stored in ")
    hub.card = {"license": "cc-by-nc-4.0"}
    assert run_app(["weights", "fetch", NAME]) == 0
    assert run_app(["weights", "list"]) == 0
    listed = capsys.readouterr().out
    assert "licence cc-by-nc-4.0 (non-commercial)" in listed
    assert NAME in listed
    assert run_app(["weights", "verify", NAME]) == 0
    assert "3 files as they were fetched" in capsys.readouterr().out
    assert run_app(["weights", "fetch", NAME, "--from", "folder"]) == 2
    assert "hf:folder" in capsys.readouterr().err


def test_non_commercial_licences() -> None:
    for name in ("cc-by-nc-4.0", "CC BY-NC-SA 4.0", "for non-commercial research"):
        assert is_non_commercial(name)
    for name in ("mit", "apache-2.0", "cc-by-4.0", "synced"):
        assert not is_non_commercial(name)
    assert marked("non-commercial") == "non-commercial"
