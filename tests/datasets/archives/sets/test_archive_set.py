"""Sets as data: those that are described here, and files that describe none."""

from __future__ import annotations

from pathlib import Path

import pytest

from actionbench.datasets.archives.sets.archive_set import Layout, read_set, set_names
from actionbench.datasets.archives.sets.folder import safe_name
from actionbench.datasets.archives.sets.index import Entry
from actionbench.datasets.archives.sets.layouts import labels_in, video_key
from actionbench.datasets.archives.sets.request import FetchRequest, bytes_in_words, from_mapping
from actionbench.datasets.archives.sets.selection import select
from actionbench.errors import UsageError

GOOD = """
name: mine
title: Mine
licence: none
base: videos
layout: {kind: folders}
splits: {all: {parts: [{address: a.tar}]}}
"""


def test_the_sets_that_are_described_name_their_sources() -> None:
    assert set(set_names()) >= {"kinetics400", "kinetics700-2020"}
    for name in set_names():
        found = read_set(name)
        assert found.name == name
        assert found.licence
        assert found.sources
        assert set(found.splits) == {"train", "val", "test"}
        for split in found.splits.values():
            assert split.list is not None
            assert found.address(split.list).startswith(f"{found.base}")


def test_a_base_that_is_relative_lies_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    assert read_set(str(path)).address("a.tar") == f"{tmp_path}/videos/a.tar"


def test_a_mirror_takes_the_place_of_the_base_in_published_lists_too() -> None:
    found = read_set("kinetics400")
    address = f"{found.base}val/part_0.tar.gz"
    assert found.address(address) == address
    assert found.address(address, "https://mirror/k400/") == "https://mirror/k400/val/part_0.tar.gz"
    assert found.address("val/part_0.tar.gz", "/data") == "/data/val/part_0.tar.gz"
    assert found.address("https://elsewhere/x.tar", "/data") == "https://elsewhere/x.tar"
    with pytest.raises(UsageError, match="leads out"):
        found.address("../other/x.tar")


@pytest.mark.parametrize(
    "address",
    [
        "https://me:hidden@host/a.tar",
        "HTTPS://hidden@host/a.tar",
        "http://me:hid@den@host",
        "smb://me:hidden@host/a.tar",
        "ftp://me:hidden@host?x=/a",
    ],
)
def test_addresses_are_recorded_so_they_hold_no_password(address: str) -> None:
    found = read_set("kinetics400")
    for words in ((address,), ("a.tar", address)):
        with pytest.raises(UsageError, match=r"holds a password.*netrc") as caught:
            found.address(*words)
        assert "hid" not in str(caught.value)
    for fine in ("s3://bucket/a@b:c.tar", "sftp://me@host/a.tar", "https://host/a.tar?x=me:a@b"):
        assert found.address(fine) == fine


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("licence: none", "", "missing fields: licence"),
        ("licence: none", "licence: none\nlicense: none", "unknown fields: license"),
        ("kind: folders", "kind: flat", "layout.kind"),
        ("kind: folders", "kind: kinetics", "annotations"),
        ("parts: [{address: a.tar}]", "", "names no archive"),
        ("{all: {parts: [{address: a.tar}]}}", "{}", "has no split"),
        ("name: mine", "name: mine\nname: yours", "occurs twice"),
        ("name: mine", "name: [mine", "describes no archive set"),
    ],
)
def test_a_file_that_describes_no_set_is_one_clear_error(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(UsageError, match=message) as caught:
        read_set(str(path))
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("kinetics", "./val/-aB_c_000010_000020.mp4", "-aB_c_000010_000020"),
        ("kinetics", "val/readme.txt", None),
        ("kinetics", "val/._aB_000010_000020.mp4", None),
        ("folders", "UCF-101/Archery/v_Archery_g01_c01.avi", "Archery/v_Archery_g01_c01.avi"),
        ("folders", "video.avi", None),
        ("webdataset", "a/b.c.mp4", "a/b"),
        ("webdataset", "b.mp4", "b"),
        ("webdataset", "b.cls", None),
    ],
)
def test_what_identifies_a_video(kind: str, name: str, key: str | None) -> None:
    assert video_key(Layout(kind), name) == key  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layout", "text", "label"),
    [
        (Layout("webdataset", "txt"), "falling\n", "falling"),
        (Layout("webdataset", "cls", ("a", "b")), "1", "b"),
        (Layout("webdataset", "cls", ("a", "b")), "2", None),
        (Layout("webdataset", "cls", ("a", "b")), "\u0661", None),
        (Layout("webdataset", "json:action"), '{"action": "falling"}', "falling"),
        (Layout("webdataset", "json"), '{"label": "falling"}', "falling"),
        (Layout("webdataset", "json:action"), '{"action": true}', None),
        (Layout("webdataset", "json:action"), "{", None),
        (Layout("webdataset", "txt"), "two\nlines", None),
        (Layout("webdataset", "txt"), "mistaken\u202eled", None),
        (Layout("webdataset", "json"), '{"label": "half \\ud800"}', None),
    ],
)
def test_labels_of_webdataset(layout: Layout, text: str, label: str | None) -> None:
    extension = layout.label.partition(":")[0]
    entries = [Entry("k.mp4", 1, 0), Entry(f"k.{extension}", 1, 512, text), Entry("alone.mp4", 1, 1024)]
    labels, remarks = labels_in(layout, entries)
    assert labels == ({} if label is None else {"k": label})
    assert [remark.partition(":")[0] for remark in remarks] == (
        ["alone.mp4"] if label else [f"k.{extension}", "alone.mp4"]
    )


def test_names_are_safe_and_stay_different() -> None:
    assert safe_name("passing American football (in game)") == "passing American football (in game)"
    hostile = ["../x", "..", ".", "", "a/b", "a:b", "a\nb", "a" * 400, "漢" * 140, "CON\0"]
    names = [safe_name(text) for text in hostile]
    assert len(set(names)) == len(names)
    assert all("/" not in name and name not in ("", ".", "..") for name in names)
    assert all(len(f"{name}.webm".encode()) <= 255 for name in names)


@pytest.mark.parametrize(
    ("text", "number"), [("10MB", 10**7), ("1.5GB", 15 * 10**8), ("20kB", 20000), ("7", 7), (7, 7)]
)
def test_sizes(text: object, number: int) -> None:
    request = from_mapping({"archives": "x", "spool": text}, "here")
    assert request.spool == number
    assert from_mapping({"archives": "x", "spool": bytes_in_words(number)}, "here").spool == number


@pytest.mark.parametrize("text", ["10 miles", "-1", "", "1e9", True, [1]])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(UsageError, match="number of bytes"):
        from_mapping({"archives": "x", "spool": text}, "here")


def test_a_split_without_published_classes_has_no_number_per_class() -> None:
    assert select([("a", None), ("b", None)], None, 0).wanted(()).keys() == {"a", "b"}
    with pytest.raises(UsageError, match="--per-class: needs the classes"):
        select([("a", None)], 1, 0)
    with pytest.raises(UsageError, match="unknown class 'walking'"):
        select([("a", "jogging")], 1, 0, ("walking",))


def test_a_request_survives_its_record() -> None:
    from actionbench.settings import to_plain

    request = FetchRequest(archives="x", per_class=3, classes=("a",), limit_rate=5)
    assert from_mapping(to_plain(request), "run.json") == request


def test_a_folder_with_the_name_of_a_set_does_not_stand_in_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("kinetics400", "own.yaml", "mirror"):
        (tmp_path / name).mkdir()
    request = FetchRequest(archives="kinetics400", mirror="mirror").resolved()
    assert (request.archives, request.mirror) == ("kinetics400", str(tmp_path / "mirror"))
    assert FetchRequest(archives="own.yaml").resolved().archives == str(tmp_path / "own.yaml")
