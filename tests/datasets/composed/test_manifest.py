"""The manifest of a composed set: read back the same, readable as any manifest, malformed ones named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.manifest import description_of, read_composed, write_composed
from actionbench.datasets.sources.manifest import file_digest, read_manifest
from actionbench.errors import ClipError

Touch = Callable[..., Path]


@pytest.fixture
def composed(touch: Touch) -> ComposedSet:
    folder = touch("videos", "a.mp4", "b.mp4", "c.mp4")
    examples = (
        Example(Clip("x/a", folder / "a.mp4", "walking"), "x", "x/film, one", "walk", "test"),
        Example(Clip("x/b", folder / "b.mp4", "falling", 1.5, 2.25), "x", "x/2", "=fall", "train"),
        Example(Clip("ü/c", folder / "c.mp4", None), "ü", "ü/c", "", None),
    )
    return ComposedSet("set", ("walking", "falling"), examples, {"x": "CC BY 4.0", "ü": "own: yes"}, "12ab")


@pytest.fixture
def path(tmp_path: Path, composed: ComposedSet) -> Path:
    write_composed(tmp_path / "set.csv", composed)
    return tmp_path / "set.csv"


@pytest.mark.parametrize("name", ["set.csv", "set.jsonl"])
def test_round_trip(tmp_path: Path, composed: ComposedSet, name: str) -> None:
    write_composed(tmp_path / name, composed)
    found = read_composed(tmp_path / name)
    expected = []
    for example in composed.examples:
        clip = replace(example.clip, source="composed", sha256=file_digest(example.clip.path))
        expected.append(replace(example, clip=clip))
    assert found == replace(composed, examples=tuple(expected))


def test_it_is_a_manifest_as_any_other(path: Path) -> None:
    clips = read_manifest(path, ["walking", "falling"])
    assert [(clip.id, clip.label) for clip in clips] == [
        ("x/a", "walking"),
        ("x/b", "falling"),
        ("ü/c", None),
    ]
    assert clips.unknown_labels == ()


def test_labels_and_licences_stand_beside_it(path: Path) -> None:
    text = description_of(path).read_text(encoding="utf-8")
    assert description_of(path).name == "set.set.yaml"
    assert text.startswith("labels:\n- walking\n- falling\n")
    assert "ü: 'own: yes'" in text
    assert "own: yes" not in path.read_text(encoding="utf-8"), "a licence is written once"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",walking,", ",jumping,", "set.csv:2: label is not one of the set's; expected walking, falling"),
        (",x,", ",z,", "set.csv:2: source is not one of the set's; found z"),
        ("walk,test", "walk,both", "set.csv:2: official is not a side; expected train, validation"),
        ('"x/film, one"', "", "set.csv:2: no source or no group"),
        ("x/b", "x/a", "set.csv:3: id used twice; found x/a, also in line 2"),
        ("videos/a.mp4", "videos/none.mp4", "set.csv: 1 of the 3 clips are not there"),
    ],
)
def test_malformed_manifests_are_named_by_line(path: Path, old: str, new: str, message: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ClipError) as caught:
        read_composed(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "labels: [a", "labels: a", "labels: [walking]\nlicences: [x]", "- 1"])
def test_a_damaged_description_is_named(path: Path, text: str) -> None:
    description_of(path).write_text(text, encoding="utf-8")
    with pytest.raises(ClipError, match=r"set\.set\.yaml: (does not describe|is not YAML)"):
        read_composed(path)


def test_what_is_not_there_is_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"none\.csv: no such manifest"):
        read_composed(tmp_path / "none.csv")
    description_of(path).unlink()
    with pytest.raises(ClipError, match=r"set\.set\.yaml: cannot be read.*bench data compose"):
        read_composed(path)
