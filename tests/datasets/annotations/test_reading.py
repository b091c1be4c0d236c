"""Every form of VoTT annotations gives the same tags; damage and ambiguity are one error with its place."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.datasets.annotations.reading import read_annotations
from actionbench.datasets.sources.manifest import file_digest
from actionbench.errors import ActionBenchError, ClipError, UsageError

VIDEO = "a fall (1).mp4"
RATE = 15
TAGS = ("falling", "walking", "end")
SAMPLES = {
    k / RATE: labels for k, labels in enumerate([[], ["falling"], ["falling", "walking"], [], ["end"]], 74)
}
"""Times such as 76/15 = 5.0666…, which VoTT writes with six decimals."""

FORMS = ("v1", "project", "assets", "export", "csv")
RECORDED = {"v1", "project", "export"}
"""Forms that record the sampling rate."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with the video, which need not decode to be found."""
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / VIDEO).write_bytes(b"video")
    return tmp_path


def changed(path: Path, change: Callable[[Any], Any]) -> Path:
    """The JSON file with what `change` does to its content, or returns in place of it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content = change(content) or content
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def fails(path: Path, *words: str, videos: Path | None = None, rate: Fraction | None = None) -> None:
    with pytest.raises(ActionBenchError) as error:
        read_annotations(path, videos, rate)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_tags(vott: Any, form: str, folder: Path) -> None:
    path = vott[form](folder / "tags", VIDEO, SAMPLES, RATE)
    rate = None if form in RECORDED else Fraction(RATE)
    (video,) = read_annotations(path, folder / "videos", rate)
    assert video.path == folder / "videos" / VIDEO
    assert video.name == VIDEO
    assert video.rate == RATE
    expected = [(Fraction(k, RATE), tuple(sorted(labels))) for k, labels in enumerate(SAMPLES.values(), 74)]
    if form == "csv":
        expected = [(time_s, labels) for time_s, labels in expected if labels]
    assert [(tag.time_s, tag.labels) for tag in video.tags] == expected


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(st.integers(0, 20000), st.sets(st.sampled_from(TAGS)), min_size=1, max_size=8),
    st.integers(1, 60),
)
def test_any_samples_come_back_from_every_file(vott: Any, samples: dict[int, set[str]], rate: int) -> None:
    """Whatever six decimals of seconds make of a sample's time."""
    expected = {Fraction(k, rate): tuple(sorted(labels)) for k, labels in samples.items()}
    for form in ("v1", "export", "csv"):
        tagged = {time_s: labels for time_s, labels in expected.items() if labels or form != "csv"}
        if not tagged:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = vott[form](Path(folder), VIDEO, {float(t): list(tagged[t]) for t in tagged}, rate)
            (video,) = read_annotations(path, rate=Fraction(rate))
        assert [(tag.time_s, tag.labels) for tag in video.tags] == sorted(tagged.items())


@pytest.mark.parametrize("form", FORMS)
def test_rates_are_asked_for_or_must_agree(vott: Any, form: str, folder: Path) -> None:
    path = vott[form](folder / "tags", VIDEO, SAMPLES, RATE)
    if form in RECORDED:
        fails(path, "--rate 10", "expected 15", videos=folder / "videos", rate=Fraction(10))
    else:
        fails(path, "the sampling rate is not recorded", "--rate", videos=folder / "videos")


def test_a_folder_is_its_project_or_its_json_files(vott: Any, folder: Path) -> None:
    tags = folder / "videos"
    vott["v1"](tags, VIDEO, SAMPLES, 10)
    vott["v1"](tags, "other.mp4", SAMPLES, 5)
    (tags / "other.mp4").write_bytes(b"another")
    assert [(video.name, float(video.rate)) for video in read_annotations(tags)] == [
        (VIDEO, 10),
        ("other.mp4", 5),
    ]
    project = vott["project"](tags, VIDEO, SAMPLES, RATE)
    (video,) = read_annotations(tags)
    assert video.rate == RATE
    project.with_name("second.vott").write_text("{}")
    fails(tags, "several projects", "Falls.vott, second.vott")
    fails(folder, "holds no annotations")
    fails(folder / "none.json", "file does not exist")


def test_visited_samples_of_a_project_need_no_file_and_unvisited_ones_say_nothing(
    vott: Any, folder: Path
) -> None:
    project = vott["project"](folder / "tags", VIDEO, SAMPLES, RATE)

    def make_unvisited(content: Any) -> None:
        content["assets"][first]["state"] = 0

    visited = [key for key, asset in json.loads(project.read_text())["assets"].items() if asset["type"] == 3]
    first, *_, fourth, _ = visited
    for name in (first, fourth):
        (project.parent / f"{name}-asset.json").unlink()
    changed(project, make_unvisited)
    (video,) = read_annotations(project, folder / "videos")
    assert len(video.tags) == len(SAMPLES) - 1
    assert video.tags[2].labels == ()


def test_files_that_the_project_does_not_list_are_of_other_projects(vott: Any, folder: Path) -> None:
    project = vott["project"](folder / "tags", VIDEO, SAMPLES, RATE)
    (project.parent / f"{'0' * 32}-asset.json").write_text("not even JSON")
    (video,) = read_annotations(project, folder / "videos")
    assert len(video.tags) == len(SAMPLES)


class TestFindingVideos:
    def test_none_there_is_no_error_yet(self, vott: Any, tmp_path: Path) -> None:
        path = vott["export"](tmp_path, VIDEO, SAMPLES, RATE)
        (video,) = read_annotations(path)
        assert video.path is None
        assert video.name == f"/home/anton/tagging/{VIDEO}"

    @pytest.mark.parametrize(
        "recorded",
        [
            "file:C:/Users/Anton/day%201/fall%20%231.mp4",
            "file:///C:/Users/Anton/day%201/fall%20%231.mp4",
            r"C:\Users\Anton\day 1\fall #1.mp4",
            "/home/anton/day 1/fall #1.mp4",
            "https://store.blob.core.windows.net/c/day%201/fall%20%231.mp4?sv=2019&sig=a%2Fb",
            "day 1/fall #1.mp4",
        ],
    )
    def test_paths_of_other_machines_and_urls(self, vott: Any, tmp_path: Path, recorded: str) -> None:
        for name in ("day 1", "day 2"):
            (tmp_path / "videos" / name).mkdir(parents=True)
            (tmp_path / "videos" / name / "fall #1.mp4").write_bytes(name.encode())

        def move(content: Any) -> None:
            for entry in content["assets"].values():
                entry["asset"]["parent"] |= {"path": recorded, "name": "fall%20%231.mp4"}

        path = changed(vott["export"](tmp_path, VIDEO, SAMPLES, RATE), move)
        (video,) = read_annotations(path, tmp_path / "videos")
        assert video.path == tmp_path / "videos" / "day 1" / "fall #1.mp4"

    def test_of_several_equally_good_ones_none_is_taken(self, vott: Any, tmp_path: Path) -> None:
        for name in ("b", "a"):
            (tmp_path / "videos" / name).mkdir(parents=True)
            (tmp_path / "videos" / name / VIDEO).write_bytes(b"")
        path = vott["csv"](tmp_path, VIDEO, SAMPLES, RATE)
        fails(
            path,
            "several videos have this name",
            f"a/{VIDEO}, b/{VIDEO}",
            videos=tmp_path / "videos",
            rate=Fraction(15),
        )

    def test_a_name_that_can_be_read_in_two_ways_must_mean_one_file(self, vott: Any, tmp_path: Path) -> None:
        path = vott["v1"](tmp_path, "a%20b.mp4", SAMPLES, RATE)
        (tmp_path / "a%20b.mp4").write_bytes(b"")
        (video,) = read_annotations(path)
        assert video.path == tmp_path / "a%20b.mp4"
        (tmp_path / "a b.mp4").write_bytes(b"")
        fails(path, "several videos have this name", "a b.mp4, a%20b.mp4")

    @pytest.mark.parametrize(
        "recorded", ["../secret.mp4", "file:../secret.mp4", "a/%2e%2e/secret.mp4", r"..\secret.mp4"]
    )
    def test_no_path_leads_out_of_the_folder(self, vott: Any, tmp_path: Path, recorded: str) -> None:
        (tmp_path / "secret.mp4").write_bytes(b"")
        (tmp_path / "videos").mkdir()

        def lead_out(content: Any) -> None:
            for entry in content["assets"].values():
                entry["asset"]["parent"] |= {"path": recorded, "name": "secret.mp4"}

        path = changed(vott["export"](tmp_path, VIDEO, SAMPLES, RATE), lead_out)
        fails(path, "assets, ", "leads out of its folder", videos=tmp_path / "videos")

    @pytest.mark.parametrize("recorded", ["http://[/v.mp4", "v%FF.mp4", "", ".", "a/", "a\0.mp4"])
    def test_what_is_no_path(self, vott: Any, tmp_path: Path, recorded: str) -> None:
        def spoil(content: Any) -> None:
            for entry in content["assets"].values():
                entry["asset"]["parent"]["path"] = recorded

        fails(changed(vott["export"](tmp_path, VIDEO, SAMPLES, RATE), spoil), "assets, ", "found '")

    def test_a_digest_finds_the_file_by_any_name_and_refuses_another(self, vott: Any, folder: Path) -> None:
        videos = folder / "videos"
        (videos / "renamed.mp4").write_bytes(b"the one")

        def name_digest(content: Any) -> None:
            for entry in content["assets"].values():
                entry["asset"]["parent"]["sha256"] = digest

        digest = file_digest(videos / "renamed.mp4")
        path = changed(vott["export"](folder, VIDEO, SAMPLES, RATE), name_digest)
        (video,) = read_annotations(path, videos)
        assert video.path == videos / "renamed.mp4"
        (videos / "renamed.mp4").unlink()
        fails(path, "not the one that was tagged", digest, VIDEO, videos=videos)
        (videos / VIDEO).unlink()
        (video,) = read_annotations(path, videos)
        assert video.path is None
        digest = "abc"
        fails(changed(path, name_digest), "not a sha256", "assets, ", videos=videos)

    def test_two_recorded_videos_are_not_one_file(self, vott: Any, folder: Path) -> None:
        def move_one(content: Any) -> None:
            entry = list(content["assets"].values())[1]
            entry["asset"]["parent"]["path"] = f"file:D:/{VIDEO}"

        path = changed(vott["export"](folder, VIDEO, SAMPLES, RATE), move_one)
        fails(path, "are the same file", f"D:/{VIDEO}", videos=folder / "videos")

    def test_the_folder_must_be_one(self, vott: Any, folder: Path) -> None:
        path = vott["v1"](folder, VIDEO, SAMPLES, RATE)
        fails(path, "does not exist", videos=folder / "none")
        fails(path, "is not a folder", videos=folder / "videos" / VIDEO)


def first_asset(content: Any) -> Any:
    return next(iter(content["assets"].values()))


V1_DAMAGE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no rate": (lambda c: c.pop("framerate"), "framerate"),
    "rate 0": (lambda c: c.update(framerate="0"), "framerate: is 0"),
    "rate of words": (lambda c: c.update(framerate="fast"), "framerate: is not a number"),
    "rate infinite": (lambda c: c.update(framerate="1e999"), "framerate: is not a number"),
    "frames of a list": (lambda c: c.update(frames=[]), "frames: has the wrong type"),
    "sample 0": (
        lambda c: c["frames"].update({"0": c["frames"].popitem()[1]}),
        "frames, 0: is not the number",
    ),
    "sample of words": (
        lambda c: c["frames"].update(x=[{"tags": ["falling"]}]),
        "frames, x: is not the number",
    ),
    "sample twice": (
        lambda c: c["frames"].update({"076": [{"tags": ["falling"]}]}),
        "076: the sample occurs twice",
    ),
    "region of text": (
        lambda c: c["frames"].update({"9": ["falling"]}),
        "frames, 9, region 1: has the wrong type",
    ),
    "no tags": (lambda c: c["frames"].update({"9": [{}]}), "frames, 9, region 1: has no `tags`"),
    "nameless tag": (lambda c: c["frames"].update({"9": [{"tags": [" "]}]}), "a tag has no name"),
    "tag of a number": (lambda c: c["frames"].update({"9": [{"tags": [3]}]}), "has the wrong type"),
    "visited of words": (lambda c: c["visitedFrames"].append("one"), "visitedFrames: is not the number"),
    "no visited frames": (lambda c: c.pop("visitedFrames"), "has no `visitedFrames`"),
}


@pytest.mark.parametrize("damage", V1_DAMAGE)
def test_damaged_v1(vott: Any, folder: Path, damage: str) -> None:
    change, words = V1_DAMAGE[damage]
    path = vott["v1"](folder, VIDEO, SAMPLES, RATE)
    assert "076" not in path.read_text()
    changed(path, lambda content: change(content) and None)
    fails(path, str(path), words)


def test_v1_says_by_its_name_of_which_video_it_is(vott: Any, folder: Path) -> None:
    path = vott["v1"](folder, VIDEO, SAMPLES, RATE)
    fails(path.rename(folder / "tags.json"), "does not say of which video")


EXPORT_DAMAGE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no settings": (lambda c: c.pop("videoSettings"), "has no `videoSettings`"),
    "no rate": (lambda c: c.update(videoSettings={}), "frameExtractionRate"),
    "negative rate": (lambda c: c.update(videoSettings={"frameExtractionRate": -15}), "frameExtractionRate"),
    "true as rate": (lambda c: c.update(videoSettings={"frameExtractionRate": True}), "frameExtractionRate"),
    "no tags": (lambda c: c.pop("tags"), "has no `tags`"),
    "unknown tag": (lambda c: c["tags"].clear(), "the tag is none of the project's"),
    "no assets": (lambda c: c["assets"].clear(), "holds no visited frame of a video"),
    "assets of a list": (lambda c: c.update(assets=[1]), "assets: has the wrong type"),
    "asset of text": (lambda c: c["assets"].update(x="y"), "assets, x: has the wrong type"),
    "no regions": (lambda c: first_asset(c).pop("regions"), "has no `regions`"),
    "another's id": (lambda c: first_asset(c)["asset"].update(id="0"), "has the id of another asset"),
    "no type": (lambda c: first_asset(c)["asset"].pop("type"), "has no `type`"),
    "tagged, not visited": (
        lambda c: [e["asset"].update(state=0) for e in c["assets"].values()],
        "expected 2 (tagged)",
    ),
    "state 7": (lambda c: first_asset(c)["asset"].update(state=7), "the state does not fit the tags"),
    "no parent": (lambda c: first_asset(c)["asset"].pop("parent"), "has no `parent`"),
    "no path": (lambda c: first_asset(c)["asset"]["parent"].pop("path"), "has no `path`"),
    "path of a folder": (
        lambda c: first_asset(c)["asset"]["parent"].update(path="file:/a/"),
        "names no file",
    ),
    "names of two videos": (
        lambda c: first_asset(c)["asset"]["parent"].update(name="x.mp4"),
        "name and path of the video",
    ),
    "two times": (lambda c: first_asset(c)["asset"].update(timestamp=1.0), "name and timestamp disagree"),
    "time of words": (
        lambda c: first_asset(c)["asset"].update(timestamp="soon"),
        "timestamp: is not a number",
    ),
    "negative time": (lambda c: first_asset(c)["asset"].update(timestamp=-1), "timestamp: is not a number"),
    "no time": (
        lambda c: (first_asset(c)["asset"].pop("timestamp"), first_asset(c)["asset"].update(name="v.mp4")),
        "has no time",
    ),
    "time in the name of words": (
        lambda c: first_asset(c)["asset"].update(name="v.mp4#t=x"),
        "is not a number",
    ),
    "sample twice": (
        lambda c: c["assets"].update(
            again={**first_asset(c), "asset": {**first_asset(c)["asset"], "id": "again"}}
        ),
        "a sample occurs twice",
    ),
    "video tagged": (
        lambda c: list(c["assets"].values())[1]["asset"].update(type=2),
        "tags what is no frame of a video",
    ),
}


@pytest.mark.parametrize("damage", EXPORT_DAMAGE)
def test_damaged_export(vott: Any, folder: Path, damage: str) -> None:
    change, words = EXPORT_DAMAGE[damage]
    path = changed(vott["export"](folder, VIDEO, SAMPLES, RATE), lambda content: change(content) and None)
    fails(path, str(path), words, videos=folder / "videos")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["v1", "export"]), JSON)
def test_whatever_stands_in_a_file_ends_in_tags_or_in_one_error(
    vott: Any, data: st.DataObject, form: str, value: Any
) -> None:
    """Any value of a file replaced by any other."""
    with tempfile.TemporaryDirectory() as folder:
        path = vott[form](Path(folder), VIDEO, SAMPLES, RATE)
        content = json.loads(path.read_text(encoding="utf-8"))
        node = content
        while True:
            key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
            if not node[key] or not isinstance(node[key], dict | list) or data.draw(st.booleans()):
                break
            node = node[key]
        node[key] = value
        path.write_text(json.dumps(content), encoding="utf-8")
        with contextlib.suppress(ActionBenchError):
            read_annotations(path)


def asset_files(project: Path) -> list[Path]:
    return sorted(project.parent.glob("*-asset.json"))


def test_damaged_projects(vott: Any, folder: Path) -> None:
    project = vott["project"](folder / "tags", VIDEO, SAMPLES, RATE)
    tagged = next(file for file in asset_files(project) if '"falling"' in file.read_text())
    whole = tagged.read_bytes()
    tagged.write_bytes(whole[: len(whole) // 2])
    fails(project, str(tagged), "not JSON")
    tagged.write_bytes(b"\xff\xfe")
    fails(project, str(tagged), "not a text file")
    tagged.write_text("[]")
    fails(project, str(tagged), "not a JSON object")
    tagged.unlink()
    fails(project, "the project's asset has no file", tagged.name)
    tagged.write_bytes(whole)
    changed(tagged, lambda content: content["asset"].update(state=1))
    fails(project, str(tagged), "disagree about its state", "save it")
    tagged.write_bytes(whole)
    changed(project, lambda content: content["assets"].update({"../x": {"state": 2, "type": 3}}))
    fails(project, "assets, ../x", "is not the id of an asset")


CSV_DAMAGE = {
    "": "not a CSV export",
    "picture,name\n": "not a CSV export",
    "image,label,label\n": "column 'label' occurs twice",
    "image,label\nv.mp4#t=1,falling,3\n": ":2: more fields than columns",
    "image,label\nv.mp4#t=1\n": ":2: a tag has no name",
    "image,label\nv.mp4#t=1,\n": ":2: a tag has no name",
    "image,label\nv.mp4#t=,falling\n": ":2: is not a number",
    "image,label\nv.mp4#t=1e999,falling\n": ":2: is not a number",
    "image,label\nv.mp4#t=1e-999999999,falling\n": ":2: is not a number",
    "image,label\n../v.mp4#t=1,falling\n": ":2: the path leads out",
    "image,label\nx/#t=1,falling\n": ":2: names no file",
    "image,label\nv.mp4#t=1,falling\nv.jpg,falling\n": ":3: tags what is no frame of a video",
    "image,label\n": "holds no visited frame",
    'image,label\nv.mp4#t=1,"falling\n': "not CSV",
    "image,label\nv.mp4#t=1,falling\nv.mp4#t=1.0000001,falling\n": "a sample occurs twice",
}


@pytest.mark.parametrize("text", CSV_DAMAGE)
def test_damaged_csv(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tags.csv"
    path.write_text(text)
    fails(path, str(path), CSV_DAMAGE[text], rate=Fraction(15))


def test_other_json_is_none_of_vott(tmp_path: Path) -> None:
    path = tmp_path / "package.json"
    path.write_text('{"name": "x"}')
    fails(path, "is not of VoTT", "found name")


class TestRealFiles:
    def test_exports_of_images_cannot_be_cut(self, shared_data: Path) -> None:
        for name in ("vott2_image_export.json", "vott2_image_export.csv"):
            path = shared_data / "annotations" / "vott" / name
            fails(path, "tags what is no frame of a video", "still images", rate=Fraction(15))

    def test_an_asset_of_a_video(self, shared_data: Path, tmp_path: Path) -> None:
        excerpt = (
            shared_data / "annotations" / "vott" / "vott2_video_asset_issue1026_excerpt.txt"
        ).read_text()
        asset, _, _ = excerpt.partition('"boundingBox"')
        path = tmp_path / "4fc0089db2ceb83fd1ab24a0bf042a31-asset.json"
        path.write_text(asset.rstrip().rstrip(",") + "}]}")
        (tmp_path / "myvideo.mp4").write_bytes(b"")
        (video,) = read_annotations(path, rate=Fraction(25))
        assert video.path == tmp_path / "myvideo.mp4"
        assert [(tag.time_s, tag.labels) for tag in video.tags] == [(Fraction(178, 25), ("Luke",))]


def test_rates_that_are_none_are_errors_of_usage(vott: Any, folder: Path) -> None:
    with pytest.raises(UsageError):
        read_annotations(vott["csv"](folder, VIDEO, SAMPLES, RATE), folder / "videos")
    with pytest.raises(ClipError):
        read_annotations(folder / "none.csv", folder / "videos")
