"""Manifests: written whole, read back the same, and malformed ones named by line."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.datasets.clip import Clip
from actionbench.datasets.sources.manifest import file_digest, read_manifest, verify, write_manifest
from actionbench.errors import ClipError

VOCABULARY = ("jogging", "hurling (sport)")


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    made = []
    for k, name in enumerate(["jogging/a.mp4", 'hurling (sport)/b, "c".mp4', "x/ü\n2.mp4"]):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([k]) * 100)
        label = path.parent.name if k < 2 else None
        made.append(Clip(name, path, label, *((1.5, 2.25) if k == 1 else (None, None))))
    return made


@pytest.mark.parametrize("name", ["set.csv", "set.jsonl", "sub/folder/set.csv"])
def test_round_trip(tmp_path: Path, clips: list[Clip], name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_manifest(path, clips)
    found = read_manifest(path, VOCABULARY)
    assert found.name == "set"
    assert found.missing == ()
    for clip, original in zip(found, clips, strict=True):
        fields = ("id", "label", "start_s", "end_s")
        assert [getattr(clip, f) for f in fields] == [getattr(original, f) for f in fields]
        assert clip.path.samefile(original.path)
        assert clip.sha256 == hashlib.sha256(original.path.read_bytes()).hexdigest()
        assert clip.source == "manifest"
        verify(clip)
    assert str(tmp_path) not in path.read_text()
    write_manifest(path.with_name(f"again{path.suffix}"), found)
    assert path.with_name(f"again{path.suffix}").read_bytes() == path.read_bytes()


def test_a_set_moves_with_its_folder(tmp_path: Path, clips: list[Clip]) -> None:
    write_manifest(tmp_path / "set.csv", clips)
    before = read_manifest(tmp_path / "set.csv", VOCABULARY)
    moved = tmp_path.with_name(f"{tmp_path.name} moved")
    tmp_path.rename(moved)
    after = read_manifest(moved / "set.csv", VOCABULARY)
    assert len(after) == 3
    assert after.digest() == before.digest()


def test_changed_and_absent_files(tmp_path: Path, clips: list[Clip]) -> None:
    write_manifest(tmp_path / "set.csv", clips)
    clips[0].path.write_bytes(b"other")
    clips[1].path.unlink()
    found = read_manifest(tmp_path / "set.csv", VOCABULARY)
    assert [clip.id for clip in found.missing] == [clips[1].id]
    with pytest.raises(ClipError, match="not the one in the manifest"):
        verify(found.clips[0])
    verify(found.clips[1])
    verify(Clip("x", tmp_path / "nothing known"))
    with pytest.raises(ClipError, match="cannot be read"):
        write_manifest(tmp_path / "new.csv", clips)


def test_a_failed_write_leaves_the_old_manifest(
    tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.csv"
    write_manifest(path, clips[:1])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ClipError, match=r"set\.csv.*cannot be written: No space left.*Free some space"):
        write_manifest(path, clips)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set.csv", "videos"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, clips: list[Clip]) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ClipError, match=r"file/set\.csv: the manifest cannot be written"):
        write_manifest(tmp_path / "file" / "set.csv", clips[:1])


def test_hand_written_files(tmp_path: Path, clips: list[Clip]) -> None:
    path = tmp_path / "hand.csv"
    absolute = clips[1].path
    quoted = str(absolute).replace('"', '""')
    text = f'label,path,comment\r\nJogging,videos/jogging/a.mp4,hello\r\nswimming,"{quoted}",\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = read_manifest(path, VOCABULARY)
    assert [(clip.id, clip.label, clip.sha256) for clip in found] == [
        ("videos/jogging/a.mp4", "jogging", None),
        (str(absolute), "swimming", None),
    ]
    assert found.unknown_labels == ("swimming",)
    assert found.clips[1].path == absolute


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,label\nx,y\n", r"a.csv:1: not a manifest: column 'path' is missing.*found id,label"),
        ("a.csv", "", "column 'path' is missing"),
        ("a.csv", "path,id\na,x\nb,x\n", r"a.csv:3: id used twice.*line 2"),
        ("a.csv", "path\na\na\n", r"a.csv:3: id used twice"),
        ("a.csv", "path,label\n,x\n", r"a.csv:2: no path"),
        ("a.csv", "path,start_s\na,soon\n", r"a.csv:2: start_s is not a time.*soon"),
        ("a.csv", "path,start_s\na,-1\n", r"a.csv:2: start_s is not a time"),
        ("a.csv", "path,end_s\na,inf\n", r"a.csv:2: end_s is not a time"),
        ("a.csv", "path,start_s,end_s\na,2,1\n", r"a.csv:2: the segment is empty"),
        ("a.csv", "path,sha256\na,abc\n", r"a.csv:2: not a sha256"),
        ("a.csv", "path\na,b\n", r"a.csv:2: more fields than columns"),
        ("a.csv", 'path\n"a\n', r"a.csv:\d: not CSV"),
        ("a.csv", "path\n", "lists no clips"),
        ("a.jsonl", '{"path": "a"}\nnonsense\n', r"a.jsonl:2: not JSON"),
        ("a.csv", "path,label,label\na,x,y\n", r"a.csv:1: column 'label' occurs twice"),
        ("a.jsonl", "[" * 100_000 + "\n", r"a.jsonl:1: not JSON; found nested too deeply"),
        ("a.jsonl", "[1]\n", r"a.jsonl:1: not a JSON object"),
        ("a.jsonl", '{"path": 3}\n', r"a.jsonl:1: path is not text"),
        ("a.jsonl", '\n{"path": "a", "start_s": true}\n', r"a.jsonl:2: start_s is not a time"),
        ("a.jsonl", '{"path": "a\\u0000b"}\n', r"a.jsonl:1: no path"),
        ("a.txt", "path\n", "not a manifest's name"),
    ],
)
def test_malformed_manifests_are_named_by_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ClipError, match=message):
        read_manifest(path, VOCABULARY)


def test_absent_and_binary_manifests(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no such manifest"):
        read_manifest(tmp_path / "a.csv", VOCABULARY)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ClipError, match="not a text file"):
        read_manifest(tmp_path / "b.csv", VOCABULARY)


@settings(max_examples=60)
@given(content=st.text(max_size=80), suffix=st.sampled_from([".csv", ".jsonl"]))
def test_any_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_text(f"path,id,label,start_s\n{content}" if suffix == ".csv" else content, encoding="utf-8")
    try:
        found = read_manifest(path, VOCABULARY)
    except ClipError as error:
        assert str(path) in str(error)  # noqa: PT017 - both endings are right
    else:
        assert found.clips or found.missing


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_manifest_can_be_read_by_whom_the_umask_lets(tmp_path: Path, mask: int) -> None:
    (tmp_path / "a.npy").write_bytes(b"a")
    before = os.umask(mask)
    try:
        write_manifest(tmp_path / "list.csv", [Clip("a", tmp_path / "a.npy")])
    finally:
        os.umask(before)
    assert (tmp_path / "list.csv").stat().st_mode & 0o777 == 0o666 & ~mask
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "list.csv"]


def test_digest_of_a_file_and_of_a_pair(tmp_path: Path) -> None:
    (tmp_path / "v_rgb.npy").write_bytes(b"abc")
    assert file_digest(tmp_path / "v_rgb.npy") == hashlib.sha256(b"abc").hexdigest()
    (tmp_path / "v_flow.npy").write_bytes(b"def")
    for name in ("v_rgb.npy", "v_flow.npy"):
        assert file_digest(tmp_path / name) == hashlib.sha256(b"abcdef").hexdigest()
