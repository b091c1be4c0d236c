"""Composing: each kind of source, classes mapped, what is left out told, what would mislead refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.compose import compose
from actionbench.datasets.composed.example import ComposedSet
from actionbench.datasets.composed.recipe import read_recipe
from actionbench.datasets.composed.splits import official_split
from actionbench.datasets.sources.manifest import write_manifest
from actionbench.errors import ActionBenchError, UsageError

WriteRecipe = Callable[..., Path]
Touch = Callable[..., Path]
Source = dict[str, Any]
Follow = Callable[..., tuple[ComposedSet, tuple[str, ...]]]

FILM = "{}_{}_f_cm_np1_fr_med_{}.avi"


@pytest.fixture
def composed_of(write_recipe: WriteRecipe) -> Follow:
    def follow(sources: Mapping[str, object], **keys: object) -> tuple[ComposedSet, tuple[str, ...]]:
        """The set that a recipe of these sources makes, and its notes."""
        return compose(read_recipe(write_recipe(sources, **keys)), "set")

    return follow


@pytest.fixture
def hmdb51(touch: Touch) -> Source:
    """The official layout: class folders, and lists beside them."""
    clips = [("A", "fall_floor", 0), ("A", "run", 1), ("B", "run", 0), ("B", "walk", 0), ("B", "wave", 3)]
    touch("hmdb51", *(f"{label}/{FILM.format(film, label, number)}" for film, label, number in clips))
    for code, label in enumerate(("fall_floor", "run", "walk")):
        lines = [
            f"{FILM.format(film, name, number)} {1 + (film == 'B') if code else 0} \n"
            for film, name, number in clips
            if name == label
        ]
        folder = touch("lists", f"{label}_test_split1.txt")
        (folder / f"{label}_test_split1.txt").write_text("".join(lines), encoding="utf-8")
    return {
        "kind": "hmdb51",
        "path": "hmdb51",
        "list": "lists",
        "licence": "CC BY 4.0",
        "classes": {"fall_floor": "falling", "run": "running", "walk": "walking"},
        "groups": "film",
    }


def rows(composed: ComposedSet) -> list[tuple[str | None, str, str, str | None]]:
    return [(e.clip.label, e.original_label, e.group, e.official) for e in composed.examples]


def test_hmdb51_with_its_lists(composed_of: Follow, hmdb51: Source) -> None:
    composed, notes = composed_of({"films": hmdb51})
    assert rows(composed) == [
        ("falling", "fall_floor", "films/a", None),
        ("running", "run", "films/a", "train"),
        ("running", "run", "films/b", "test"),
        ("walking", "walk", "films/b", "test"),
    ]
    assert notes == (
        "films: clips that are in none of the split lists: 1, e.g. wave/B_wave_f_cm_np1_fr_med_3.avi",
        "films: clips left out, of class wave: 1",
    )
    assert composed.labels == ("falling", "running", "walking")
    assert composed.licences == {"films": "CC BY 4.0"}
    first = composed.examples[0].clip
    assert first.id == "films/fall_floor/A_fall_floor_f_cm_np1_fr_med_0.avi"
    assert first.path.is_file()
    assert first.source == "composed"


def test_unmapped_classes_are_other_where_that_is_asked_for(composed_of: Follow, hmdb51: Source) -> None:
    composed, notes = composed_of(
        {"films": hmdb51}, labels=["falling", "running", "walking", "other"], other="other"
    )
    assert ("other", "wave", "films/b", None) in rows(composed)
    assert not any("left out" in note for note in notes)


def test_files_of_several_sources_in_one_folder(composed_of: Follow, touch: Touch) -> None:
    """As people keep them: our classes as folders, the source in the file's name."""
    touch(
        "videos",
        "falling/hmdb51_" + FILM.format("Film", "fall_floor", 1),
        "falling/urfd_fall-01-cam0.mp4",
        "falling/urfd_fall-01-cam1.mp4",
        "other/adl/urfd_adl-02-cam0.mp4",
        "walking/arid_#2_1.mp4",
        "walking/arid_#2_2.mp4",
        "groups.csv",
    )
    table = touch("videos") / "groups.csv"
    table.write_text("path,group\nwalking/arid_#2_1.mp4,night\nwalking/arid_#2_2.mp4,day\n", encoding="utf-8")
    base = {"path": "videos", "licence": "own"}
    composed, notes = composed_of(
        {
            "hmdb51": base | {"include": "hmdb51_*", "groups": "film"},
            "urfd": base
            | {
                "include": "urfd_*",
                "exclude": ["*-cam1.*"],
                "classes": {"falling": "falling", "adl": "other"},
                "groups": {"pattern": "(?P<group>(fall|adl)-[0-9]+)"},
            },
            "arid": base | {"include": "*/arid_*", "groups": {"csv": "videos/groups.csv"}},
        },
        labels=["falling", "walking", "other"],
    )
    assert [(label, group) for label, _, group, _ in rows(composed)] == [
        ("falling", "hmdb51/hmdb51_film"),
        ("falling", "urfd/fall-01"),
        ("other", "urfd/adl-02"),
        ("walking", "arid/night"),
        ("walking", "arid/day"),
    ]
    assert notes == ()


def test_groups_by_folder_and_by_video(composed_of: Follow, touch: Touch) -> None:
    touch("videos", "falling/a.mp4", "falling/a#1.mp4", "running/c.mp4")
    source = {"path": "videos", "licence": "own"}
    labels = ["falling", "running"]
    by_folder, _ = composed_of({"s": source | {"groups": "folder"}}, labels=labels)
    assert [e.group for e in by_folder.examples] == ["s/falling", "s/falling", "s/running"]
    by_video, _ = composed_of({"s": source | {"groups": "video"}}, labels=labels)
    assert len({e.group for e in by_video.examples}) == 3


SEGMENTS = (
    "path,label,start,end,subject,cam,dataset\n"
    "s1/a,1,0.5,2,1,1,up_fall\ns1/a,0,2,4.25,1,1,up_fall\ns2/b,1,0,1,2,1,up_fall\n"
    "s2/b,9,-3,-1,2,1,up_fall\ns3/none,1,0,1,3,1,up_fall\n"
)


@pytest.fixture
def omnifall(touch: Touch) -> Source:
    touch("videos", "s1/a.mp4", "s2/b.avi")
    (touch("videos").parent / "labels.csv").write_text(SEGMENTS, encoding="utf-8")
    return {
        "kind": "omnifall",
        "path": "videos",
        "list": "labels.csv",
        "licence": "CC BY-NC 4.0",
        "classes": {"fall": "falling", "walk": "walking"},
        "groups": {"column": "subject"},
    }


def test_omnifalls_segments(composed_of: Follow, omnifall: Source) -> None:
    composed, notes = composed_of({"up": omnifall}, labels=["falling", "walking"])
    assert [(e.clip.label, e.clip.start_s, e.clip.end_s, e.group) for e in composed.examples] == [
        ("falling", 0.5, 2.0, "up/1"),
        ("walking", 2.0, 4.25, "up/1"),
        ("falling", 0.0, 1.0, "up/2"),
    ]
    assert composed.examples[2].clip.path.name == "b.avi"
    assert notes[0] == "up: segments of videos that are not there: 1"
    assert "up: lines with an invalid time range: 1, e.g. " in notes[1]
    assert notes[1].endswith("labels.csv:5: -3 s to -1 s")


def test_omnifalls_walk_is_refused_beside_running(
    composed_of: Follow, omnifall: Source, touch: Touch
) -> None:
    touch("more", "running/r.mp4")
    more = {"path": "more", "licence": "own", "groups": "video"}
    with pytest.raises(UsageError) as caught:
        composed_of({"up": omnifall, "more": more})
    message = "source 'up': its class 'walk' cannot be 'walking' beside the label 'running'"
    assert message in str(caught.value)
    assert "Leave it out: `classes: {walk: drop}`" in str(caught.value)
    # Nor does it help to call it something else.
    omnifall["classes"] = {"fall": "falling"}
    with pytest.raises(UsageError, match="its class 'walk' cannot be 'other'"):
        composed_of({"up": omnifall, "more": more}, labels=["falling", "running", "other"], other="other")
    omnifall["classes"]["walk"] = "drop"
    composed, _ = composed_of({"up": omnifall, "more": more}, labels=["falling", "running"])
    assert Counter(label for label, *_ in rows(composed)) == {"falling": 2, "running": 1}


def test_omnifalls_splits(composed_of: Follow, omnifall: Source, touch: Touch) -> None:
    """`splits/cs/up_fall/train.csv` and its like: the column `path`, with the paths of the segments."""
    folder = touch("videos", "s3/b.mp4", "s4/c.mp4").parent
    (folder / "labels.csv").write_text(
        SEGMENTS + "s3/b,1,0,1,3,1,up_fall\ns4/c,1,0,1,4,1,up_fall\n", encoding="utf-8"
    )
    for name, path in (("train", "s1/a"), ("val", "s2/b"), ("test", "s3/b")):
        (folder / f"{name}.csv").write_text(f"path\n{path}\n", encoding="utf-8")
    lists = {"train": "train.csv", "validation": "val.csv", "test": "test.csv"}
    composed, notes = composed_of({"up": omnifall | {"lists": lists}}, labels=["falling", "walking"])
    assert [(e.group, e.official) for e in composed.examples] == [
        ("up/1", "train"),
        ("up/1", "train"),
        ("up/2", "validation"),
        ("up/3", "test"),
        ("up/4", None),
    ]
    assert "up: clips that are in none of the split lists: 1, e.g. s4/c" in notes
    split = official_split(composed)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [2, 1, 1]
    # A video of the same name in another folder is another video.
    (folder / "test.csv").write_text("path\ns9/c\n", encoding="utf-8")
    composed, notes = composed_of({"up": omnifall | {"lists": lists}}, labels=["falling", "walking"])
    assert composed.examples[-1].official is None
    assert "up: videos of the split lists that are not among its clips: 1, e.g. s9/c" in notes


@pytest.fixture
def ucf101(touch: Touch) -> Source:
    """Files as UCF101 has them, two classes in folders of their own, and lists of both sides."""
    names = [f"v_{label}_g{group:02}_c01.avi" for label in ("Fall", "Run") for group in (1, 8, 9)]
    folder = touch("ucf101", *(f"{'falling' if 'Fall' in name else 'running'}/{name}" for name in names))
    for side, groups, ending in (("test", ("01",), ""), ("train", ("08", "10"), " 1")):
        lines = [f"{cls}/v_{cls}_g{group}_c01.avi{ending}" for cls in ("Fall", "Run") for group in groups]
        (folder.parent / f"{side}list01.txt").write_text("\n".join(lines), encoding="utf-8")
    return {
        "path": "ucf101",
        "lists": {"train": "trainlist01.txt", "test": "testlist01.txt"},
        "licence": "not stated (UCF101, research use)",
        "groups": {"pattern": "v_(?P<group>[A-Za-z]+_g[0-9]+)_c"},
    }


def test_a_folder_with_split_lists(composed_of: Follow, ucf101: Source) -> None:
    composed, notes = composed_of({"ucf": ucf101}, labels=["falling", "running"])
    assert [(e.clip.label, e.group, e.official) for e in composed.examples] == [
        (label, f"ucf/{theirs}_g{group}", side)
        for label, theirs in (("falling", "Fall"), ("running", "Run"))
        for group, side in (("01", "test"), ("08", "train"), ("09", None))
    ]
    assert notes == (
        "ucf: clips that are in none of the split lists: 2, e.g. falling/v_Fall_g09_c01.avi",
        "ucf: videos of the split lists that are not among its clips: 2, e.g. Fall/v_Fall_g10_c01.avi",
    )
    split = official_split(composed)
    assert {example.group[-3:] for example in (*split.train, *split.validation)} == {"g08"}


def test_lists_of_another_source_are_refused(composed_of: Follow, ucf101: Source) -> None:
    """Or else the split official would train on all clips, as on those of a source without lists."""
    ucf101["include"] = "*_g09_*"
    with pytest.raises(UsageError) as caught:
        composed_of({"ucf": ucf101}, labels=["falling", "running"])
    assert "source 'ucf': none of its clips is on a side of its split lists" in str(caught.value)


def test_a_class_that_is_said_to_show_another_is_refused(composed_of: Follow, touch: Touch) -> None:
    touch("videos", "walk/a.mp4", "running/b.mp4", "falling/c.mp4")
    source = {"path": "videos", "licence": "own", "groups": "video", "also_shows": {"walk": ["running"]}}
    source["classes"] = {"walk": "walking", "running": "running", "falling": "falling"}
    with pytest.raises(UsageError, match="its class 'walk' cannot be 'walking' beside the label 'running'"):
        composed_of({"s": source})


def test_manifests_keep_stretches_and_their_columns(composed_of: Follow, touch: Touch) -> None:
    folder = touch("videos", "a.mp4")
    path = folder.parent / "cut.csv"
    clips = [Clip(f"a#{n}", folder / "a.mp4", "fall" if n else "walk", n, n + 1) for n in range(3)]
    write_manifest(path, clips)
    lines = path.read_text(encoding="utf-8").splitlines()
    extended = [
        f"{line},{extra}" for line, extra in zip(lines, ["who,official", "x,test", "y,", "x,"], strict=True)
    ]
    path.write_text("\n".join([*extended, "videos/none.mp4,n,fall,,,,z,"]), encoding="utf-8")
    source = {"kind": "manifest", "path": "cut.csv", "licence": "own", "groups": {"column": "who"}}
    source["classes"] = {"fall": "falling", "walk": "walking"}
    composed, notes = composed_of({"s": source}, labels=["falling", "walking"])
    assert rows(composed) == [
        ("walking", "walk", "s/x", "test"),
        ("falling", "fall", "s/y", None),
        ("falling", "fall", "s/x", None),
    ]
    assert [e.clip.start_s for e in composed.examples] == [0.0, 1.0, 2.0]
    assert composed.examples[0].clip.sha256 is not None
    assert notes == ("s: clips of the manifest that are not there: 1",)


def test_kinetics_lists(composed_of: Follow, touch: Touch) -> None:
    folder = touch("videos", "jogging/abc_000001_000011.mp4", "val/def_000002_000012.mp4")
    (folder.parent / "k.csv").write_text(
        "label,youtube_id,time_start,time_end,split\njogging,abc,1,11,train\n"
        "faceplanting,def,2,12,validate\njogging,ghi,1,11,train\n",
        encoding="utf-8",
    )
    source = {
        "kind": "kinetics",
        "path": "videos",
        "list": "k.csv",
        "licence": "videos: YouTube",
        "classes": {"jogging": "running", "faceplanting": "falling"},
        "groups": {"pattern": r"(?P<group>[^/]{3})_\d{6}_\d{6}"},
    }
    composed, notes = composed_of({"k": source}, labels=["running", "falling"])
    assert rows(composed) == [
        ("running", "jogging", "k/abc", "train"),
        ("falling", "faceplanting", "k/def", "test"),
    ]
    assert notes == ("k: annotated videos that are not there: 1",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": {"fal": "falling"}}, "`classes` names 'fal', which is no class of the source"),
        ({"also_shows": {"fal": "running"}}, "`also_shows` names 'fal'"),
        (
            {"groups": "film"},
            "`groups` gives no group to 2 of 2 clips; expected film; found e.g. falling/a.mp4",
        ),
        ({"groups": {"pattern": "(?P<group>a)"}}, "`groups` gives no group to 1 of 2 clips"),
        ({"groups": {"pattern": "a("}}, "`groups` is no regular expression"),
        ({"groups": {"pattern": "(a)"}}, "expected a named group"),
        ({"groups": {"column": "who"}}, "no clip has the column 'who' to group by"),
        ({"groups": {"csv": "none.csv"}}, "none.csv: no such list of groups"),
        (
            {"groups": {"csv": "wrong.csv"}},
            "wrong.csv:1: not a list of groups: column 'path' is missing; expected columns path,group",
        ),
        ({"groups": {"csv": "twice.csv"}}, "twice.csv:3: two groups for one file; found x and y"),
        ({"include": "*.mkv"}, "source 's': no clip is selected"),
        ({"classes": {"falling": "drop", "running": "drop"}}, "none of its classes is one of the labels"),
        ({"path": "none"}, "no such folder"),
        ({"kind": "foldr"}, "unknown source of clips 'foldr'"),
        ({"kind": "hmdb51"}, "no video with a name of HMDB51"),
    ],
)
def test_what_cannot_be_followed_is_named(
    composed_of: Follow, touch: Touch, change: Source, message: str
) -> None:
    folder = touch("videos", "falling/a.mp4", "running/b.mp4").parent
    (folder / "wrong.csv").write_text("file,group\n", encoding="utf-8")
    (folder / "twice.csv").write_text(
        "path,group\nvideos/falling/a.mp4,x\nvideos/../videos/falling/a.mp4,y\n", encoding="utf-8"
    )
    source = {"path": "videos", "licence": "own", "groups": "video"}
    with pytest.raises(ActionBenchError) as caught:
        composed_of({"s": source | change}, labels=["falling", "running"])
    assert message in str(caught.value)


def test_a_label_without_a_clip_is_named(composed_of: Follow, touch: Touch) -> None:
    touch("videos", "falling/a.mp4", "running/b.mp4", "c.mp4")
    source = {"path": "videos", "licence": "own", "groups": "video"}
    with pytest.raises(UsageError, match="no clip has the label 'walking'"):
        composed_of({"s": source})
    _, notes = composed_of({"s": source}, labels=["falling", "running"])
    assert notes == ("s: clips left out, without a class: 1",)


def test_the_real_folders(shared_data: Path, write_recipe: WriteRecipe) -> None:
    """Four classes of three sources that lie mixed in the same folders, as people keep them."""
    base = {"path": str(shared_data / "videos")}
    recipe = write_recipe(
        {
            "hmdb51": base
            | {
                "kind": "hmdb51",
                "list": str(shared_data / "annotations" / "hmdb51"),
                "include": "hmdb51_*",
                "licence": "CC BY 4.0",
                "classes": {"fall_floor": "falling", "run": "running", "walk": "walking"},
                "groups": "film",
            },
            "arid": base
            | {"include": "arid_*", "licence": "?", "groups": {"csv": str(shared_data / "MANIFEST.csv")}},
            "urfd": base
            | {
                "include": "urfd_*",
                "licence": "CC BY-NC-SA 4.0",
                "classes": {"falling": "falling", "adl": "other"},
                "groups": {"pattern": "(?P<group>(fall|adl)-[0-9]+)"},
            },
        },
        labels=["falling", "running", "walking", "other"],
        other="other",
    )
    composed, _ = compose(read_recipe(recipe), "four")
    assert Counter((e.source, e.clip.label) for e in composed.examples) == {
        ("hmdb51", "falling"): 68,
        ("hmdb51", "running"): 70,
        ("hmdb51", "walking"): 70,
        ("hmdb51", "other"): 65,
        ("arid", "running"): 10,
        ("arid", "walking"): 10,
        ("urfd", "falling"): 36,
        ("urfd", "other"): 25,
    }
    falls = Counter(e.group for e in composed.examples if e.clip.label == "falling" and e.source == "hmdb51")
    assert [clips for _, clips in falls.most_common(2)] == [27, 17]
    assert Counter(e.official for e in composed.examples if e.original_label == "fall_floor") == {
        "train": 53,
        None: 15,
    }
    assert len({e.group for e in composed.examples if e.source == "urfd"}) == 43
