"""Our own annotations: valid, found by content, and as the document says."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from actionbench.datasets.annotations.cutting import find_cuts
from actionbench.datasets.annotations.intervals import TaggedInterval, start_end_tags
from actionbench.datasets.annotations.reading import read_annotations
from actionbench.datasets.sources.manifest import verify

ROOT = Path(__file__).resolve().parents[3]
TAGGED = ROOT / "datasets" / "annotations" / "tagged" / "falls.vott-export.json"
DOCUMENT = (ROOT / "docs" / "annotations.md").read_text(encoding="utf-8")


def intervals(videos: Path) -> dict[str, tuple[TaggedInterval, ...]]:
    """Name of each video → what was tagged, none of it refused."""
    found = {}
    for video in read_annotations(TAGGED, videos):
        inference = start_end_tags(video.tags, "end")
        assert not inference.refusals
        found[Path(video.name).stem] = inference.intervals
    return found


def test_the_documents_tables_are_the_annotations(tmp_path: Path) -> None:
    totals: dict[str, list[float]] = defaultdict(list)
    rows = []
    found = intervals(tmp_path)
    for name, actions in found.items():
        spans = [f"{each.label} {float(each.start_s):.1f}–{float(each.end_s):.1f}" for each in actions]
        rows.append(f"| `{name}` | {', '.join(spans)} |")
        for each in actions:
            totals[each.label].append(float(each.end_s - each.start_s))
    sums = [f"| {label} | {len(all_s)} | {sum(all_s):.1f} |" for label, all_s in sorted(totals.items())]
    assert "\n".join(rows) in DOCUMENT
    assert "\n".join(sums) in DOCUMENT
    assert f"tags of {len(found)} videos" in DOCUMENT


def test_each_video_is_named_by_its_content_and_by_no_path_of_ours() -> None:
    assets = json.loads(TAGGED.read_text(encoding="utf-8"))["assets"].values()
    parents = {entry["asset"]["parent"]["name"]: entry["asset"]["parent"] for entry in assets}
    assert len({parent["sha256"] for parent in parents.values()}) == len(parents)
    assert all(parent["path"] == f"file:{name}" for name, parent in parents.items())


def test_a_renamed_video_is_found(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(shared_data / "videos" / "falling" / "urfd_fall-13-cam0.mp4", tmp_path / "any name.mp4")
    found = [video for video in read_annotations(TAGGED, tmp_path) if video.path is not None]
    (video,) = found
    assert video.name == "any name.mp4"
    cuts, refused = find_cuts(video, start_end_tags(video.tags, "end"))
    assert [(cut.clip.label, cut.frames) for cut in cuts] == [("walking", 28), ("falling", 34)]
    assert [each.label for each in refused] == ["standing", "lying"]


@pytest.mark.slow
def test_all_of_them_are_cut(shared_data: Path) -> None:
    labels = []
    refused = 0
    for video in read_annotations(TAGGED, shared_data / "videos"):
        cuts, dropped = find_cuts(video, start_end_tags(video.tags, "end"))
        labels += [cut.clip.label for cut in cuts]
        refused += len(dropped)
        assert all("at least 16 needed" in each.reason for each in dropped)
        verify(cuts[0].clip)
    others = len(labels) - labels.count("falling") - labels.count("walking")
    assert (
        f"gives {len(labels)} clips of at least 16 frames ({labels.count('falling')} of falling, "
        f"{labels.count('walking')} of walking, {others} of others) and refuses {refused} intervals"
    ) in DOCUMENT
