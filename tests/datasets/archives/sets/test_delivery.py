"""What is delivered depends on the set and the seed alone; only the archives that are needed are read."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.datasets.archives import writing
from actionbench.datasets.archives.sets import delivery as delivery_module
from actionbench.datasets.archives.sets import parts as parts_module
from actionbench.datasets.archives.sets.archive_set import Layout
from actionbench.datasets.archives.sets.delivery import Delivered, Delivery
from actionbench.datasets.archives.sets.folder import VideoFolder
from actionbench.datasets.archives.sets.ledger import LEDGER, Ledger, Outcome
from actionbench.datasets.archives.sets.parts import Archive, Reading, Visit
from actionbench.datasets.archives.sets.request import FetchRequest
from actionbench.datasets.archives.sets.split import open_split
from actionbench.datasets.archives.sets.summary import record_of, summarise
from actionbench.datasets.archives.stream import ByteStream
from actionbench.datasets.check import ClipStatus
from actionbench.datasets.clip import Clip
from actionbench.errors import ArchiveError, UsageError

from ....archive_sets import annotation_file, kinetics_files, kinetics_yaml, name_of, tar_of, write_files

BROKEN = b"broken"


class Judge:
    """In place of the check that decodes: videos are text here."""

    def __init__(self, **_: object) -> None:
        pass

    def check(self, clip: Clip) -> ClipStatus:
        broken = clip.path.read_bytes().startswith(BROKEN)
        return ClipStatus(clip, "broken", reason="broken") if broken else ClipStatus(clip, "ok")

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module", autouse=True)
def _judge() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery_module, "Checker", Judge)
        yield


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


class Interrupted(Exception):
    pass


class Fragile(VideoFolder):
    """Takes so many videos, then fails."""

    left = 10**9

    def keep(self, video: Delivered) -> None:
        if self.left == 0:
            raise Interrupted
        self.left -= 1
        super().keep(video)


def fetch(request: FetchRequest, folder: Path, most: int = 10**9) -> Mapping[str, str]:
    """Deliver into a folder; key → reason of what cannot be used. Raises Interrupted after `most` videos."""
    split = open_split(request, Reading(), lambda _: None)
    ledger = Ledger(folder / LEDGER)
    videos = Fragile(folder, split.selection, ledger)
    videos.left = most
    with Delivery(split, ledger, videos) as delivery:
        delivery.run(lambda _: None)
    videos.write_manifest(split.selection, delivery.unusable())
    return delivery.unusable()


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("[!.]*/*.mp4")}


def expected(
    labels: Mapping[str, str], contents: Mapping[str, bytes], per_class: int, seed: int
) -> dict[str, bytes]:
    """The rule, written out: the first videos of each class by their hash that are there and whole."""
    found: dict[str, bytes] = {}
    for label in set(labels.values()):
        keys = sorted(
            (key for key in labels if labels[key] == label),
            key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest(),
        )
        good = [key for key in keys if key in contents and not contents[key].startswith(BROKEN)]
        found |= {f"{label}/{key}.mp4": contents[key] for key in good[:per_class]}
    return found


Drawn = tuple[dict[str, str], dict[str, bytes], list[dict[str, bytes]], dict[str, bytes]]
"""Labels, contents that count, archives, corrections."""


@st.composite
def drawn_sets(draw: st.DrawFn) -> Drawn:
    number = draw(st.integers(1, 14))
    labels = {name_of(n): draw(st.sampled_from(["jumping", "falling"])) for n in range(number)}
    there = {key for key in labels if draw(st.integers(0, 4))}
    contents = {key: (b"" if draw(st.integers(0, 4)) else BROKEN) + key.encode() for key in there}
    keys = draw(st.permutations(sorted(contents)))
    parts = [{key: contents[key] for key in keys[n::3]} for n in range(3)]
    # Of copies, the one in the first archive counts.
    copies = {key: draw(st.sampled_from([None, b"copy", BROKEN])) for key in parts[0]}
    parts[2] |= {key: copy for key, copy in copies.items() if copy is not None}
    corrected = {key: b"corrected " + key.encode() for key in keys if not draw(st.integers(0, 5))}
    return labels, contents | corrected, parts, corrected


@settings(max_examples=10)
@given(
    drawn=drawn_sets(),
    per_class=st.integers(1, 4),
    seed=st.integers(0, 3),
    mode=st.sampled_from(["w", "w:gz"]),
    at_once=st.integers(1, 3),
    interruptions=st.lists(st.integers(0, 4), max_size=3),
)
def test_any_order_any_parallelism_any_interruption(
    drawn: Drawn,
    per_class: int,
    seed: int,
    mode: str,
    at_once: int,
    interruptions: list[int],
) -> None:
    labels, contents, parts, corrected = drawn
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setenv("ACTIONBENCH_HOME", str(folder / "home"))
        write_files(folder / "set", kinetics_files(parts, labels, mode, corrected))
        (folder / "drawn.yaml").write_text(kinetics_yaml("set", corrections=True))
        request = FetchRequest(
            archives=str(folder / "drawn.yaml"), per_class=per_class, seed=seed, parts_at_once=at_once
        )
        for most in interruptions:
            with suppress(Interrupted):
                fetch(request, folder / "videos", most)
        wanted = expected(labels, contents, per_class, seed)
        fetch(request, folder / "videos")
        assert files_of(folder / "videos") == wanted


def written(
    tmp_path: Path, parts: Sequence[Mapping[str, bytes]], labels: Mapping[str, str], mode: str
) -> Path:
    write_files(tmp_path / "set", kinetics_files(parts, labels, mode))
    path = tmp_path / "drawn.yaml"
    path.write_text(kinetics_yaml("set"))
    return path


def order(keys: Sequence[str]) -> list[str]:
    return sorted(keys, key=lambda key: hashlib.sha256(f"0:{key}".encode()).digest())


@pytest.mark.parametrize(("gap", "requests"), [(-1, 2), (parts_module.GAP_BYTES, 1)])
def test_with_an_index_only_the_members_that_are_needed_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gap: int, requests: int
) -> None:
    monkeypatch.setattr(parts_module, "GAP_BYTES", gap)
    keys = order([name_of(n) for n in range(6)])
    labels = dict.fromkeys(keys, "falling")
    contents = {key: key.encode() * 3000 for key in keys[1:]}
    chosen = (keys[1:3], keys[3:5], keys[5:])
    path = written(tmp_path, [{key: contents[key] for key in some} for some in chosen], labels, "w")
    fetch(FetchRequest(archives=str(path), per_class=2), tmp_path / "two")
    assert files_of(tmp_path / "two").keys() == {f"falling/{key}.mp4" for key in keys[1:3]}
    opened: list[tuple[str, int]] = []
    original = Reading.open

    def spied(self: Reading, address: str, start: int = 0, **rest: Any) -> ByteStream:
        opened.append((address.rpartition("/")[2], start))
        return original(self, address, start, **rest)

    monkeypatch.setattr(Reading, "open", spied)
    fetch(FetchRequest(archives=str(path), per_class=3), tmp_path / "three")
    # Each archive's size is asked for.
    assert sorted(name for name, _ in opened if name.startswith("part")) == (
        ["part_0.tar"] * (1 + requests) + ["part_1.tar"] * 2 + ["part_2.tar"]
    )
    assert sum(start > 0 for _, start in opened) == requests - 1
    assert len(files_of(tmp_path / "three")) == 3


def test_a_damaged_archive_gives_what_came_before_the_damage(tmp_path: Path) -> None:
    keys = [name_of(n) for n in range(4)]
    labels = dict.fromkeys(keys, "falling")
    path = written(tmp_path, [{key: bytes(5000) for key in keys}], labels, "w")
    archive = tmp_path / "set" / "val" / "part_0.tar"
    archive.write_bytes(archive.read_bytes()[:13000])  # in the content of the third one
    unusable = fetch(FetchRequest(archives=str(path), per_class=4), tmp_path / "videos")
    assert files_of(tmp_path / "videos").keys() == {f"falling/{key}.mp4" for key in keys[:2]}
    assert unusable.keys() == set(keys[2:])
    assert not (tmp_path / "videos" / ".incoming").exists()


def test_an_archive_that_changes_is_not_mixed_with_what_it_was(tmp_path: Path) -> None:
    keys = order([name_of(n) for n in range(2)])
    path = written(tmp_path, [{key: key.encode() for key in keys}], dict.fromkeys(keys, "falling"), "w:gz")
    fetch(FetchRequest(archives=str(path), per_class=1), tmp_path / "videos")
    (tmp_path / "set" / "val" / "part_0.tar").write_bytes(tar_of({f"{keys[1]}.mp4": b"other"}))
    unusable = fetch(FetchRequest(archives=str(path), per_class=2), tmp_path / "others")
    assert files_of(tmp_path / "others") == {f"falling/{keys[1]}.mp4": b"other"}
    assert unusable.keys() == {keys[0]}


def test_an_archive_that_is_missing_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    keys = [name_of(n) for n in range(4)]
    labels = dict.fromkeys(keys, "falling")
    path = written(tmp_path, [dict.fromkeys(keys[:2], b"a"), dict.fromkeys(keys[2:], b"b")], labels, "w")
    (tmp_path / "set" / "val" / "part_1.tar").unlink()
    with pytest.raises(ArchiveError, match=r"part_1\.tar"):
        fetch(FetchRequest(archives=str(path), per_class=4), tmp_path / "videos")


def test_a_full_disk_is_one_error_and_the_next_time_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = dict.fromkeys([name_of(n) for n in range(4)], "falling")
    path = written(tmp_path, [dict.fromkeys(labels, b"x")], labels, "w:gz")
    request, left = FetchRequest(archives=str(path), per_class=4), [2]

    def full(folder: Path, *_: object) -> None:
        if left[0] == 0:
            raise ArchiveError("the disk is full", where=folder)
        left[0] -= 1

    with monkeypatch.context() as patch:
        patch.setattr(writing, "require_space", full)
        with pytest.raises(ArchiveError, match="the disk is full"):
            fetch(request, tmp_path / "videos")
    assert len(files_of(tmp_path / "videos")) == 2
    fetch(request, tmp_path / "videos")
    assert len(files_of(tmp_path / "videos")) == 4


def test_a_full_disk_leaves_no_half_line_before_which_another_thread_writes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that has room for the beginning of a line."""
    path = tmp_path / LEDGER
    ledger = Ledger(path)
    outcomes = [Outcome(f"video{n}", "part", ".mp4", 1, "0" * 64) for n in range(3)]
    ledger.add(outcomes[0])

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(data[:50])

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *_, **__: Full(self, "ab"))
        with pytest.raises(ArchiveError, match=r"the disk is full.*give the command again"):
            ledger.add(outcomes[1])
    assert outcomes[1].key not in ledger
    ledger.add(outcomes[2])
    assert Ledger(path).usable.keys() == {"video0", "video2"}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_folders_and_webdataset_name_their_classes_themselves(tmp_path: Path, mode: str) -> None:
    folders = {
        f"UCF-101/{label}/v_{label}_g0{n}.avi": f"{label}{n}".encode() for label in "AB" for n in range(3)
    }
    shard: dict[str, bytes] = {}
    for n in range(4):
        shard |= {f"sample{n}.mp4": f"video{n}".encode(), f"sample{n}.cls": str(n % 2).encode()}
    shard |= {"sample8.mp4": b"without a class", "sample9.mp4": b"x", "sample9.cls": b"7"}
    write_files(tmp_path, {"ucf.tar": tar_of(folders, mode), "shard.tar": tar_of(shard, mode)})
    for name, layout in {
        "ucf": "{kind: folders}",
        "shard": "{kind: webdataset, classes: [standing, falling]}",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\ntitle: {name}\nlicence: none\nbase: .\nlayout: {layout}\n"
            f"splits:\n  all: {{parts: [{{address: {name}.tar}}]}}\n"
        )
        request = FetchRequest(archives=str(tmp_path / f"{name}.yaml"), split="all", per_class=2)
        fetch(request, tmp_path / name)
    assert {name.partition("/")[0] for name in files_of(tmp_path / "shard")} == {"standing", "falling"}
    assert len(files_of(tmp_path / "shard")) == 4
    kept = (tmp_path / "ucf").rglob("*.avi")
    assert sorted(path.parent.name for path in kept) == ["A", "A", "B", "B"]


def test_what_was_verified_of_an_archive_is_recorded(tmp_path: Path) -> None:
    data = tar_of({"A/x.mp4": b"x"}, "w:gz")
    write_files(tmp_path, {"published.tar.gz": data, "unpublished.tar.gz": data})
    digest = hashlib.sha256(data).hexdigest()
    (tmp_path / "own.yaml").write_text(
        "{name: own, title: Own, licence: none, base: ., layout: {kind: folders}, splits: {all: {parts: ["
        f"{{address: published.tar.gz, size: {len(data)}, sha256: '{digest}'}}, "
        "{address: unpublished.tar.gz}]}}}"
    )
    split = open_split(
        FetchRequest(archives=str(tmp_path / "own.yaml"), split="all"), Reading(), lambda _: None
    )
    archives = record_of(split, summarise(split, {}))["archives"]
    assert [archive["verified"] for archive in archives] == [("size", "sha256"), ()]


def test_videos_of_one_class_only(tmp_path: Path) -> None:
    labels = {name_of(n): ("falling", "jumping")[n % 2] for n in range(4)}
    path = written(tmp_path, [dict.fromkeys(labels, b"x")], labels, "w:gz")
    fetch(FetchRequest(archives=str(path), classes=("Falling",)), tmp_path / "videos")
    assert {name.partition("/")[0] for name in files_of(tmp_path / "videos")} == {"falling"}
    assert annotation_file(labels).count("falling") == len(files_of(tmp_path / "videos"))


def test_a_mirror_has_the_files_of_published_addresses(tmp_path: Path) -> None:
    base = "https://published.invalid/set/"
    files = kinetics_files([{name_of(0): b"x"}], {name_of(0): "falling"})
    files["val/list.txt"] = f"{base}val/part_0.tar\n\n".encode()
    write_files(tmp_path / "mirror", files)
    (tmp_path / "drawn.yaml").write_text(kinetics_yaml(base))
    request = FetchRequest(archives=str(tmp_path / "drawn.yaml"), mirror=str(tmp_path / "mirror"))
    fetch(request, tmp_path / "videos")
    assert files_of(tmp_path / "videos") == {f"falling/{name_of(0)}.mp4": b"x"}


def test_a_class_that_leads_out_of_the_folder_does_not(tmp_path: Path) -> None:
    path = written(tmp_path, [{name_of(0): b"x"}], {name_of(0): "../../falling"}, "w:gz")
    fetch(FetchRequest(archives=str(path)), tmp_path / "videos")
    (file,) = files_of(tmp_path / "videos")
    assert ".." not in Path(file).parts
    assert not list(tmp_path.glob("*falling*"))


def test_a_record_made_by_somebody_else_cannot_name_other_files(tmp_path: Path) -> None:
    """The video was usable by the record, and is not now: its file is removed."""
    path = written(tmp_path, [{name_of(0): BROKEN}], {name_of(0): "falling"}, "w:gz")
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    videos = tmp_path / "videos"
    (videos / "falling" / name_of(0)).mkdir(parents=True)
    line = {"key": name_of(0), "part": "x", "suffix": "/../../../mine.txt", "size": 1, "sha256": "0" * 64}
    (videos / LEDGER).write_text(json.dumps(line) + "\n")
    with pytest.raises(
        UsageError, match=r"fetched\.jsonl:1: is damaged: .* not the suffix of a video's name"
    ):
        fetch(FetchRequest(archives=str(path), per_class=1), videos)
    assert mine.exists()


@pytest.mark.parametrize("content", [b"x", BROKEN])
def test_links_in_the_folder_lead_nowhere(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, [{name_of(0): content}], {name_of(0): "falling"}, "w:gz")
    videos, elsewhere = tmp_path / "videos", tmp_path / "elsewhere"
    videos.mkdir()
    elsewhere.mkdir()
    (elsewhere / f"{name_of(0)}.mp4").write_bytes(b"mine")
    (videos / "falling").symlink_to(elsewhere)
    (videos / ".incoming").symlink_to(elsewhere)
    before = {"key": name_of(0), "part": "x", "suffix": ".mp4", "size": 4, "sha256": "0" * 64}
    (videos / LEDGER).write_text(json.dumps(before) + "\n")
    with pytest.raises(ArchiveError, match="leads out of its folder by a link"):
        fetch(FetchRequest(archives=str(path), per_class=1), videos)
    assert [(each.name, each.read_bytes()) for each in elsewhere.iterdir()] == [
        (f"{name_of(0)}.mp4", b"mine")
    ]


def test_a_signature_in_an_address_is_not_recorded() -> None:
    archive = Archive("https://host/a.tar?sig=hidden/x", Layout("folders"), None, None, Reading())
    other = Archive("https://host/a.tar?sig=other", Layout("folders"), None, None, Reading())
    assert archive.public.startswith("https://host/a.tar?…#")
    assert archive.public != other.public
    assert archive.name == archive.public.rpartition("/")[2]


def test_labels_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_module, "_MOST_LABELS_BYTES", 100)
    write_files(tmp_path, {"a.tar": tar_of({f"{n}.cls": b"x" * 40 for n in range(5)}, "w")})
    archive = Archive(str(tmp_path / "a.tar"), Layout("webdataset"), None, None, Reading())
    archive.survey()
    archive.read_all(lambda _: True)
    assert archive.index is not None
    assert "has too many labels" in str(archive.index.damage)
    assert len(archive.index.entries) == 2


def _late(monkeypatch: pytest.MonkeyPatch, late: str, first: str) -> None:
    """Let the archive `late` be read when `first` has been."""
    read_all, done = Archive.read_all, threading.Event()

    def waits(self: Archive, visit: Visit) -> None:
        if self.name == late:
            assert done.wait(10)
        read_all(self, visit)
        if self.name == first:
            done.set()

    monkeypatch.setattr(Archive, "read_all", waits)


@pytest.mark.parametrize("copy", [b"copy", BROKEN])
def test_the_first_of_several_copies_counts_also_where_another_one_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: bytes
) -> None:
    key = name_of(0)
    parts = [{name_of(1): b"other", key: b"first"}, {}, {key: copy}]
    write_files(tmp_path / "set", kinetics_files(parts, {key: "jumping", name_of(1): "falling"}, "w", {}))
    (tmp_path / "drawn.yaml").write_text(kinetics_yaml("set"))
    _late(monkeypatch, "part_0.tar", "part_2.tar")
    request = FetchRequest(
        archives=str(tmp_path / "drawn.yaml"), per_class=1, classes=("jumping",), parts_at_once=3
    )
    fetch(request, tmp_path / "videos")
    assert files_of(tmp_path / "videos") == {f"jumping/{key}.mp4": b"first"}


def test_a_copy_of_the_same_size_is_not_taken_for_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch that is killed between the note of a video and its move to its place."""
    key = name_of(0)
    parts = [{key: b"first"}, {key: b"other"}]
    write_files(tmp_path / "set", kinetics_files(parts, {key: "jumping"}, "w"))
    (tmp_path / "drawn.yaml").write_text(kinetics_yaml("set"))
    request = FetchRequest(archives=str(tmp_path / "drawn.yaml"), per_class=1, parts_at_once=2)
    with monkeypatch.context() as patch:
        _late(patch, "part_0.tar", "part_1.tar")
        with pytest.raises(Interrupted):
            fetch(request, tmp_path / "videos", most=1)
    fetch(request, tmp_path / "videos")
    assert files_of(tmp_path / "videos") == {f"jumping/{key}.mp4": b"first"}
