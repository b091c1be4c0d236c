"""Folders, and finding out what a path is."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from actionbench import registry
from actionbench.datasets.clip import Clip, ClipSet
from actionbench.datasets.sources.registry import load_clips
from actionbench.errors import ClipError, UsageError

VOCABULARY = ("abseiling", "jogging", "playing cricket", "hurling (sport)")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return root


def labels(clips: ClipSet) -> dict[str, str | None]:
    return {clip.id: clip.label for clip in clips}


def test_class_folders(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "set",
        *(
            "Playing_Cricket/b.mp4",
            "Playing_Cricket/a.MKV",
            "jogging/x.avi",
            "sitting still/y.mov",
            "top.webm",
        ),
        *("jogging/.hidden.mp4", "jogging/notes.txt", ".git/jogging/z.mp4", "labels.csv"),
    )
    clips = load_clips(str(root), vocabulary=VOCABULARY)
    assert labels(clips) == {
        "Playing_Cricket/a.MKV": "playing cricket",
        "Playing_Cricket/b.mp4": "playing cricket",
        "jogging/x.avi": "jogging",
        "sitting still/y.mov": "sitting still",
        "top.webm": None,
    }
    assert [clip.id for clip in clips] == sorted(clip.id for clip in clips)
    assert clips.name == "set"
    assert clips.unknown_labels == ("sitting still",)
    assert clips.ignored == 3
    assert all(clip.path == root / clip.id and clip.source == "folder" for clip in clips)
    assert load_clips(f"folder:{root}", vocabulary=VOCABULARY) == clips


def test_splits_and_deeper_folders(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        *("train/jogging/a.mp4", "val/jogging/a.mp4", "test/b.mp4", "test/waving/c.mp4"),
        *("jogging/camera 2/d.mp4", "other/camera 3/e.mp4"),
    )
    clips = load_clips(str(root), vocabulary=VOCABULARY)
    assert labels(clips) == {
        "jogging/camera 2/d.mp4": "jogging",
        "other/camera 3/e.mp4": "camera 3",
        "test/b.mp4": None,
        "test/waving/c.mp4": "waving",
        "train/jogging/a.mp4": "jogging",
        "val/jogging/a.mp4": "jogging",
    }


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, "jogging/a.mp4", "elsewhere/b.mp4")
    (tmp_path / "jogging" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "abseiling").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "jogging" / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    clips = load_clips(str(tmp_path), vocabulary=VOCABULARY)
    assert labels(clips) == {
        "abseiling/b.mp4": "abseiling",  # a folder with two names is entered once
        "jogging/a.mp4": "jogging",
        "jogging/gone.mp4": "jogging",  # the check of clips finds it missing
    }


def test_names_that_are_not_utf8_can_be_printed(tmp_path: Path) -> None:
    touch(tmp_path, "jogging/a\udcff.mp4")
    (clip,) = load_clips(str(tmp_path), vocabulary=VOCABULARY)
    assert clip.id == "jogging/a\\xff.mp4"
    assert clip.path.is_file()
    assert len(load_clips(str(tmp_path), vocabulary=VOCABULARY).digest()) == 64


def test_one_file_is_one_clip_without_a_label(tmp_path: Path) -> None:
    path = touch(tmp_path, "jogging/a.mp4") / "jogging/a.mp4"
    assert load_clips(str(path), vocabulary=VOCABULARY).clips == (Clip("a.mp4", path),)
    array = path.with_name("a.npz")
    np.savez(array, frames=np.zeros((3, 4, 4, 3), np.uint8))
    assert load_clips(str(array), vocabulary=VOCABULARY).clips == (Clip("a.npz", array, source="arrays"),)


def test_a_pair_of_arrays_is_one_clip(tmp_path: Path) -> None:
    touch(tmp_path, "jogging/v_rgb.npy", "jogging/v_flow.npy", "jogging/w_flow.npy", "jogging/a.mp4")
    clips = load_clips(f"arrays:{tmp_path}", vocabulary=VOCABULARY)
    assert labels(clips) == {"jogging/v_rgb.npy": "jogging", "jogging/w_flow.npy": "jogging"}
    assert {clip.source for clip in clips} == {"arrays"}


def test_what_a_path_is_for(tmp_path: Path) -> None:
    root = touch(tmp_path, "jogging/abc_000001_000011.mp4")
    kinetics = root / "val.csv"
    kinetics.write_text("label,youtube_id,time_start,time_end,split\njogging,abc,1,11,val\n")
    csv = root / "list.csv"
    csv.write_text("path,label\njogging/abc_000001_000011.mp4,jogging\n")
    jsonl = root / "list.jsonl"
    jsonl.write_text('{"path": "jogging/abc_000001_000011.mp4"}\n')
    found = {
        name: [clip.source for clip in load_clips(str(root / name), vocabulary=VOCABULARY)]
        for name in ("val.csv", "list.csv", "list.jsonl")
    }
    assert found == {"val.csv": ["kinetics"], "list.csv": ["manifest"], "list.jsonl": ["manifest"]}
    for data in (f"kinetics:{kinetics}", f"manifest:{csv}"):
        assert len(load_clips(data, vocabulary=VOCABULARY)) == 1


def test_what_is_not_there_gets_near_names(tmp_path: Path) -> None:
    touch(tmp_path, "kinetics_val/jogging/a.mp4")
    with pytest.raises(ClipError, match="Did you mean: kinetics_val"):
        load_clips(str(tmp_path / "kinetic_val"), vocabulary=VOCABULARY)
    with pytest.raises(UsageError, match="Did you mean: manifest"):
        load_clips("manifst:a.csv", vocabulary=VOCABULARY)
    with pytest.raises(ClipError, match="Did you mean: demo"):
        load_clips("dmo", vocabulary=VOCABULARY)
    for data in ("folder:/no/such", "kinetics:/no/such.csv", "manifest:/no/such.csv", "arrays:/no/such"):
        with pytest.raises(ClipError, match="no such"):
            load_clips(data, vocabulary=VOCABULARY)


def test_a_folder_without_videos_says_what_was_expected(tmp_path: Path) -> None:
    touch(tmp_path, "jogging/a.txt")
    with pytest.raises(ClipError, match=r"no videos .* class/video .* 1 other"):
        load_clips(str(tmp_path), vocabulary=VOCABULARY)


def test_a_path_may_hold_a_colon(tmp_path: Path) -> None:
    root = touch(tmp_path / "a:b", "jogging/x.mp4")
    assert len(load_clips(str(root), vocabulary=VOCABULARY)) == 1


def one_clip(argument: str, *, vocabulary: Sequence[str], videos: Path | None) -> ClipSet:
    return ClipSet(f"{argument} {len(vocabulary)} {videos}", (Clip("x", Path("x")),))


def test_other_packages_add_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_videos", SimpleNamespace(one_clip=one_clip))
    point = EntryPoint("mine", "my_videos:one_clip", "actionbench.sources")
    monkeypatch.setattr(registry, "added", lambda group: (point,) if group == point.group else ())
    clips = load_clips("mine:here", vocabulary=VOCABULARY, videos=Path("v"))
    assert clips.name == "here 4 v"


@pytest.mark.parametrize(("data", "part"), [("demo", "test"), ("demo:", "test"), ("demo:train", "train")])
def test_parts_of_the_drawn_set(monkeypatch: pytest.MonkeyPatch, data: str, part: str) -> None:
    monkeypatch.setattr("actionbench.datasets.synthetic.clips.load_demo", lambda part: ClipSet(part, ()))
    assert load_clips(data, vocabulary=VOCABULARY).name == part


def test_real_videos(shared_data: Path) -> None:
    vocabulary = (shared_data / "annotations/kinetics/label_map.txt").read_text().splitlines()
    clips = load_clips(str(shared_data / "videos/kinetics_like"), vocabulary=vocabulary)
    assert len(clips) == 13
    assert clips.unknown_labels == ("waving_hand",)
    assert {clip.label for clip in clips} > {"walking the dog", "juggling soccer ball", "using segway"}
