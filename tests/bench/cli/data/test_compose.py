"""`bench data compose`, as a user types it, on the drawn set and on the real folders."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from actionbench.datasets.composed.manifest import read_composed
from actionbench.datasets.sources.manifest import read_manifest
from actionbench.datasets.synthetic.clips import load_demo

pytestmark = pytest.mark.usefixtures("no_pictures")

Bench = Callable[..., subprocess.CompletedProcess[str]]
CLASSES = ("jogging", "cartwheeling")


@pytest.fixture(scope="session")
def drawn_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both parts of the drawn set's clips of two classes, as `part/class/name`."""
    folder = tmp_path_factory.mktemp("drawn")
    for part in ("train", "test"):
        for clip in load_demo(part):
            if clip.label in CLASSES:
                place = folder / part / clip.label / clip.path.name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(clip.path, place)
    return folder


@pytest.fixture
def recipe(tmp_path: Path, drawn_folder: Path) -> Path:
    path = tmp_path / "set.yaml"
    source: dict[str, object] = {"licence": "CC0", "groups": "video"}
    sources: dict[str, dict[str, object]] = {
        part: source | {"path": str(drawn_folder / part)} for part in ("train", "test")
    }
    sources["train"]["classes"] = {"jogging": "running", "cartwheeling": "other"}
    sources["test"]["classes"] = {"jogging": "running"}
    content = {"labels": ["running", "other"], "other": "other", "sources": sources}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_a_set_is_composed_described_and_read_as_any_other(
    bench: Bench, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "set.csv"
    answer = bench("data", "compose", recipe, out, "--folds", 2)
    assert answer.returncode == 0, answer.stderr
    composed = read_composed(out)
    assert composed.labels == ("running", "other")
    assert {example.original_label for example in composed.examples} == set(CLASSES)
    assert all(example.clip.sha256 for example in composed.examples)
    assert len(read_manifest(out, composed.labels)) == len(composed.examples)
    assert f"{out}: {len(composed.examples)} clips" in answer.stdout
    assert "Checked: the same bytes" in answer.stdout
    assert "not judged: brightness alone: recognises " in answer.stdout
    assert ", but cannot be judged: an interval needs 10 groups of each class" in answer.stdout
    assert "composition: " in answer.stdout.splitlines()[-1]
    folder = tmp_path / "out" / "set-composition"
    text = (folder / "composition.md").read_text(encoding="utf-8")
    assert text.startswith("# Composition of set\n")
    assert (folder / "plots" / "distribution.png").is_file()
    with (folder / "tables" / "distribution.csv").open(encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    assert int(last["fold 1 of 2: test"]) + int(last["fold 2 of 2: test"]) == len(composed.examples)


@pytest.mark.usefixtures("decoding_here")
def test_copies_and_broken_files_are_reported(
    bench: Bench, recipe: Path, drawn_folder: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "videos"
    shutil.copytree(drawn_folder, whole)
    first = sorted((whole / "train" / "jogging").iterdir())[0]
    shutil.copy(first, whole / "test" / "jogging" / "copy.mp4")
    (whole / "test" / "jogging" / "broken.mp4").write_bytes(b"no video")
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace(str(drawn_folder), str(whole)), encoding="utf-8"
    )
    answer = bench("data", "compose", recipe, tmp_path / "out.csv", "--folds", 2)
    assert answer.returncode == 0, answer.stderr
    assert (
        "warning: duplicates: 1 pair of clips, 1 of them in two groups, are the same bytes" in answer.stdout
    )
    assert "note: left out, does not decode: " in answer.stdout
    names = {example.clip.path.name for example in read_composed(tmp_path / "out.csv").examples}
    assert "copy.mp4" in names
    assert "broken.mp4" not in names


@pytest.mark.usefixtures("decoding_here")
def test_a_label_whose_clips_do_not_decode_is_named_and_nothing_written(
    bench: Bench, recipe: Path, drawn_folder: Path, tmp_path: Path
) -> None:
    """Else a network would be made for a class that it never sees."""
    whole = tmp_path / "videos"
    shutil.copytree(drawn_folder, whole)
    for path in whole.glob("*/cartwheeling/*"):
        path.write_bytes(b"no video")
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace(str(drawn_folder), str(whole)), encoding="utf-8"
    )
    answer = bench("data", "compose", recipe, tmp_path / "out.csv", "--folds", 2)
    assert answer.returncode == 2
    assert "no clip has the label 'other'; found left out, does not decode: " in answer.stderr
    assert not (tmp_path / "out.csv").exists()


def test_splits_and_shares_are_shown(bench: Bench, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    answer = bench(
        *("data", "compose", recipe, out, "--no-decode", "--split", "thesis"),
        *("--max-share", "running=25%", "--group-cap", 1),
    )
    assert answer.returncode == 0, answer.stderr
    assert "note: thesis: running: " in answer.stdout
    assert "training clips kept" in answer.stdout
    assert "Not checked: the same pictures (the clips were not decoded), groups across" in answer.stdout
    assert "brightness alone (the clips were not decoded)." in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "tesis"], "unknown split 'tesis'. Did you mean: thesis"),
        (["--split", "official"], "no source's list has test clips"),
        (["--folds", "99"], "cannot be divided into so many folds"),
        (["--max-share", "running"], "--max-share: is not NAME=VALUE"),
        (["--max-share", "runing=0.1"], "is not a share of a class that is trained on"),
        (["--max-share", "running=much"], "--max-share: is not a share"),
        (["--group-cap", "2"], "--group-cap: is for classes with --max-share"),
    ],
)
def test_mistakes_cost_no_decoding_and_write_nothing(
    bench: Bench, recipe: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    answer = bench("data", "compose", recipe, tmp_path / "out.csv", *arguments)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert "decoding" not in answer.stderr
    assert not (tmp_path / "out.csv").exists()


def test_another_ending_and_a_recipe_that_is_none_are_refused(
    bench: Bench, recipe: Path, tmp_path: Path
) -> None:
    assert "expected .csv" in bench("data", "compose", recipe, tmp_path / "out.txt").stderr
    answer = bench("data", "compose", tmp_path / "none.yaml", tmp_path / "out.csv")
    assert answer.returncode == 2
    assert "none.yaml: the recipe cannot be read" in answer.stderr


@pytest.mark.slow
def test_the_documents_recipe_on_the_real_folders(bench: Bench, shared_data: Path, tmp_path: Path) -> None:
    """What docs/composing-a-dataset.md shows, with its paths put where the data is; flaws known by hand."""
    document = (Path(__file__).parents[4] / "docs" / "composing-a-dataset.md").read_text(encoding="utf-8")
    text = document.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "four.yaml").write_text(text, encoding="utf-8")
    for name in ("videos", "annotations", "MANIFEST.csv"):
        (tmp_path / name).symlink_to(shared_data / name)
    answer = bench("data", "compose", tmp_path / "four.yaml", tmp_path / "four.csv")
    assert answer.returncode == 0, answer.stderr
    assert "clips of falling (" in answer.stdout  # two films hold most of them
    assert "warning: length predicts the class" in answer.stdout
    assert "warning: brightness predicts the class" in answer.stdout
    assert "does not decode" not in answer.stdout
    assert "duplicates" not in answer.stdout
    assert "same pictures:" not in answer.stdout
