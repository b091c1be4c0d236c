"""`bench evaluate` from a set to a report, on videos of one colour each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.manifest import read_composed, write_composed
from actionbench.models.labels import labels

from ...conftest import NETWORKS, Bench

TINY = f"{NETWORKS}:tiny"
NAMES = labels("kinetics-400")
# Of the first classes of Kinetics two fall, one runs; what the network takes for any other class walks.
CLASSES = {"falling": [10, 11], "running": [20]}


@pytest.fixture(scope="module")
def composed(coloured_videos: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen films of falling, running and walking; three of walking look like running."""
    examples = []
    for label, indices in {**CLASSES, "walking": [30, 20]}.items():
        for index in indices:
            folder = coloured_videos([index], 3)
            for number, video in enumerate(sorted(folder.rglob("*.mp4"))):
                clip = Clip(f"{label}/{index}/{number}", video, label)
                examples.append(Example(clip, "films", f"films/{label}{index}{number}", str(index), None))
    path = tmp_path_factory.mktemp("set") / "set.csv"
    write_composed(
        path, ComposedSet("set", ("falling", "running", "walking"), tuple(examples), {"films": "ours"})
    )
    return path


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mapping") / "mapping.yaml"
    lists = "\n".join(f"{label}: {json.dumps([NAMES[i] for i in found])}" for label, found in CLASSES.items())
    path.write_text(f'{lists}\nwalking: "*"\n')
    return path


def test_a_network_of_other_classes_is_evaluated_and_gone_on_with(
    bench: Bench, composed: Path, mapping: Path, weights_file: Path, tmp_path: Path
) -> None:
    words = ["evaluate", TINY, "--data", composed, "--target", "falling", "--mapping", mapping]
    words += ["--out", tmp_path, "--weights", f"*={weights_file}", "--shares", "0.5"]
    answer = bench(*map(str, words))
    assert answer.returncode == 0, answer.stderr
    document = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    rows = {row["class"]: row for row in document["evaluation_classes"]}
    # Three clips of walking have the colour of running.
    assert (rows["falling"]["precision"], rows["falling"]["recall"]) == (1, 1)
    assert (rows["running"]["precision"], rows["running"]["recall"]) == (0.5, 1)
    assert (rows["walking"]["precision"], rows["walking"]["recall"]) == (1, 0.5)
    assert document["evaluation"][0]["accuracy"] == pytest.approx(12 / 15)
    assert document["evaluation"][0]["groups"] == 15
    # A video of one colour is known by its first half.
    times = {row["class"]: row["share_seen"] for row in document["recognition_time"]}
    assert times["falling"] == 0.5
    text = (tmp_path / "evaluation.md").read_text(encoding="utf-8")
    assert "Licence of films: ours" in text

    predicted = (tmp_path / "runs" / "1" / "clips.jsonl").read_bytes()
    again = bench(*map(str, words))
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "runs" / "1" / "clips.jsonl").read_bytes() == predicted


def test_examples_that_cannot_be_answered_are_left_out_and_counted(
    bench: Bench, composed: Path, mapping: Path, weights_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    whole = read_composed(composed)
    first, *others = whole.examples
    first = replace(first, clip=replace(first.clip, path=broken, sha256=None))
    write_composed(tmp_path / "set.csv", replace(whole, examples=(first, *others)))
    words = ["evaluate", TINY, "--data", tmp_path / "set.csv", "--target", "falling", "--mapping", mapping]
    answer = bench(*map(str, words), "--out", str(tmp_path / "out"), "--weights", f"*={weights_file}")
    assert answer.returncode == 0, answer.stderr
    text = (tmp_path / "out" / "evaluation.md").read_text(encoding="utf-8")
    assert "1 of 15 examples are left out" in text


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--target", "flying"], "no label 'flying'"),
        (["--mapping", "nowhere.yaml"], "cannot be read"),
        (["--shares", "half"], "--shares"),
        (["--shares", "1.5"], "--shares"),
    ],
)
def test_mistakes_are_named_before_anything_is_predicted(
    bench: Bench,
    composed: Path,
    mapping: Path,
    weights_file: Path,
    tmp_path: Path,
    options: list[str],
    named: str,
) -> None:
    given = {"--target": "falling", "--mapping": str(mapping), "--weights": f"*={weights_file}"}
    given |= {options[0]: options[1]}
    out = tmp_path / "out"
    words = [word for pair in given.items() for word in pair]
    answer = bench("evaluate", TINY, "--data", str(composed), "--out", str(out), *words)
    assert answer.returncode == 2
    assert named in answer.stderr
    assert not out.exists()


def test_a_network_without_the_labels_needs_a_mapping(
    bench: Bench, composed: Path, weights_file: Path, tmp_path: Path
) -> None:
    words = ["evaluate", TINY, "--data", str(composed), "--target", "falling", "--out", str(tmp_path / "out")]
    answer = bench(*words, "--weights", f"*={weights_file}")
    assert answer.returncode == 2
    assert "has no class 'falling'" in answer.stderr
    assert "--mapping" in answer.stderr
