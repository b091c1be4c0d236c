"""Lists of segments: whatever their columns are called, with malformed lines named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.datasets.sources.registry import load_clips
from actionbench.datasets.sources.segments import OMNIFALL_CLASSES, read_segments
from actionbench.errors import ClipError, UsageError


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for name in ("s1/a.mp4", "b.avi", "c#1.mp4"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).touch()
    return tmp_path / "videos"


def write(folder: Path, text: str) -> Path:
    path = folder.parent / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("path,label,start,end", {}),
        ("video,class,start_s,end_s", {}),
        ("file,label,begin,end", {"path": "file", "start": "begin"}),
    ],
)
def test_columns_by_their_usual_names_or_as_said(videos: Path, header: str, columns: dict[str, str]) -> None:
    path = write(videos, f"{header},who\ns1/a.mp4,fall,0.5,2,x\nb,walk,0,1,y\nc#1,walk,0,1,\n")
    found = read_segments(path, videos, columns)
    clips = [segment.clip for segment in found.segments]
    assert [clip.id for clip in clips] == ["s1/a.mp4#0.5-2", "b#0-1", "c#1#0-1"]
    assert [clip.path.relative_to(videos).as_posix() for clip in clips] == ["s1/a.mp4", "b.avi", "c#1.mp4"]
    assert (clips[0].label, clips[0].start_s, clips[0].end_s) == ("fall", 0.5, 2.0)
    assert [segment.columns["who"] for segment in found.segments] == ["x", "y", ""]
    assert [segment.place for segment in found.segments] == ["s1/a.mp4", "b", "c#1"]


def test_classes_by_number(videos: Path) -> None:
    path = write(videos, "path,label,start,end\nb,1,0,1\nb,13,1,2\nb,walk,2,3\n")
    found = read_segments(path, videos, classes=OMNIFALL_CLASSES)
    assert [segment.clip.label for segment in found.segments] == ["fall", "squatting", "walk"]


def test_what_cannot_be_used_is_counted(videos: Path) -> None:
    path = write(videos, "path,label,start,end\nb,x,0,1\nb,x,0,1\nnone,x,0,1\nb,x,-1,2\nb,x,2,2\n")
    found = read_segments(path, videos)
    assert len(found.segments) == 1
    assert [clip.id for clip in found.missing] == ["none#0-1"]
    assert found.unusable == (f"{path}:5: -1 s to 2 s", f"{path}:6: 2 s to 2 s")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.csv:1: no column for the path; expected path or video; found an empty file"),
        ("path,label,begin,end\n", "list.csv:1: no column for the start; expected start or start_s"),
        ("path,video,label,start,end\n", "list.csv:1: two columns for the path"),
        ("path,label,start,end,end\n", "column 'end' occurs twice"),
        ("path,label,start,end\nb,x,0\n", "list.csv:2: not a time"),
        ("path,label,start,end\nb,x,0,1,2\n", "list.csv:2: more fields than columns"),
        ("path,label,start,end\nb,,0,1\n", "list.csv:2: no label"),
        ("path,label,start,end\nb,x,nan,1\n", "list.csv:2: not a time; expected seconds; found nan"),
        ("path,label,start,end\n../b,x,0,1\n", "list.csv:2: not a path in the folder of videos"),
        ("path,label,start,end\n/etc/b,x,0,1\n", "list.csv:2: not a path in the folder of videos"),
        ("path,label,start,end\nb,x,0,1\nb,y,0,1\n", "list.csv:3: the same segment has two labels"),
        ('path,label,start,end\n"b,x,0,1\n', "not CSV"),
    ],
)
def test_malformed_lists_are_named_by_line(videos: Path, text: str, message: str) -> None:
    with pytest.raises(ClipError) as caught:
        read_segments(write(videos, text), videos)
    assert message in str(caught.value)


def test_numbers_without_a_class_are_named(videos: Path) -> None:
    for number in ("16", "9" * 5000):
        path = write(videos, f"path,label,start,end\nb,{number},0,1\n")
        with pytest.raises(ClipError, match=rf"list\.csv:2: not a class of this list; .* found {number}"):
            read_segments(path, videos, classes=OMNIFALL_CLASSES)


def test_a_name_that_two_videos_have_is_refused(videos: Path) -> None:
    (videos / "b.mp4").touch()
    with pytest.raises(ClipError, match=r"two videos with one name; found b\.avi and b\.mp4"):
        read_segments(write(videos, "path,label,start,end\nb,x,0,1\n"), videos)


@given(st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("segments")
    (folder / "b.mp4").touch()
    path = folder / "list.csv"
    path.write_bytes(("path,label,start,end\n" + text).encode("utf-8", "surrogatepass"))
    try:
        read_segments(path, folder)
    except ClipError as error:
        assert "list.csv" in str(error)  # noqa: PT017


def test_as_a_source(videos: Path) -> None:
    path = write(videos, "path,label,start,end\nb,Jogging,0,1\nb,dozing,1,2\nnone,x,0,1\n")
    clips = load_clips(f"segments:{path}", vocabulary=["jogging"], videos=videos)
    assert [clip.label for clip in clips] == ["jogging", "dozing"]
    assert clips.unknown_labels == ("dozing",)
    assert len(clips.missing) == 1
    with pytest.raises(UsageError, match="is for a Kinetics CSV or a list of segments only"):
        load_clips("demo", vocabulary=(), videos=videos)
    write(videos, "path,label,start,end\nnone,x,0,1\n")
    with pytest.raises(ClipError, match="none of the videos is there"):
        load_clips(f"segments:{path}", vocabulary=(), videos=videos)
