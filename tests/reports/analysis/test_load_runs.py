"""Reading run directories and joining runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from actionbench.errors import UsageError
from actionbench.reports.analysis.load_runs import RunData, merge, read_run


def test_what_was_written_is_read(two_models: RunData, two_models_dir: Path, fake: SimpleNamespace) -> None:
    data = read_run(two_models_dir)
    assert data.run == two_models.run
    written = list(fake.records(data.run, data.clips))
    assert written == list(fake.records(two_models.run, two_models.clips))
    assert len(written) == 40
    assert (data.processes, data.latencies) == (two_models.processes, two_models.latencies)
    scores = fake.scores(data)
    for key, vector in fake.scores(two_models).items():
        np.testing.assert_array_equal(scores[key], vector)


def test_scores_that_were_cut_off_are_refused(two_models_dir: Path) -> None:
    file = two_models_dir / "scores.bin"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(UsageError, match=r"scores\.bin.*cut off.*expected 6 values; found 5"):
        read_run(two_models_dir)


def test_no_run_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run directory"):
        read_run(tmp_path)


def test_one_run_keeps_its_keys(two_models: RunData) -> None:
    joined = merge([two_models])
    assert [m.name for m in joined.models] == ["i3d", "resnext"]
    assert joined.notes == ()


def test_the_same_model_in_two_runs_is_told_apart(two_models: RunData) -> None:
    other = replace(two_models, name="run-2")
    names = [m.name for m in merge([two_models, other]).models]
    assert names == ["i3d (run-1)", "resnext (run-1)", "i3d (run-2)", "resnext (run-2)"]


def test_runs_of_one_name_are_told_apart(two_models: RunData) -> None:
    names = [m.name for m in merge([two_models, two_models]).models]
    assert len(set(names)) == 4


def test_one_run_named_twice_is_refused(two_models_dir: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(two_models_dir)
    for other in (two_models_dir, link):
        with pytest.raises(UsageError, match=f"{two_models_dir}: is named more than once"):
            merge([read_run(two_models_dir), read_run(other)])


def test_other_videos_machines_and_targets_are_said(fake: SimpleNamespace, two_models: RunData) -> None:
    other = fake.run(
        [fake.model("net", fake.answers(1, 2))],
        name="run-2",
        data={"name": "other", "digest": "xyz", "clips": 12},
        target="yoga",
        environment={"cpu": "Another CPU"},
    )
    joined = merge([two_models, other])
    assert [m.name for m in joined.models] == ["i3d", "resnext", "net"]
    assert joined.target == "jogging"
    videos, target, machine = joined.notes
    assert "different lists of videos" in videos
    assert "run-2: other, 12 videos" in videos
    assert "jogging is used, not yoga" in target
    assert "different machines" in machine


def test_a_chosen_target_overrides_and_needs_no_note(two_models: RunData) -> None:
    joined = merge([two_models], target="zumba")
    assert (joined.target, joined.notes) == ("zumba", ())


def test_nothing_to_join() -> None:
    with pytest.raises(UsageError, match="no run"):
        merge([])


def test_samples_count_of_processes_that_came_to_their_end(two_models: RunData) -> None:
    """Process 1 of i3d failed; process 2 was killed (kill -9, Ctrl-C) and has no record at all."""
    processes = tuple(
        replace(p, error="killed") if p.process == 1 else p
        for p in two_models.processes
        if (p.model, p.process) != ("i3d", 2)
    )
    i3d, _ = merge([replace(two_models, processes=processes)]).models
    assert {sample.process for sample in two_models.latencies} == {0, 1, 2}
    assert {sample.process for sample in i3d.latencies} == {0}


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        (("published", "published"), "published"),
        (("published", "user"), "user"),
        (("user", "demo"), "demo"),
        (("random", "published"), "random"),
    ],
)
def test_the_weakest_weights_count(fake: SimpleNamespace, kinds: tuple[str, str], kind: str) -> None:
    run = fake.run([fake.model("net", fake.answers(1, 2))])
    weights = {stream: {"kind": k} for stream, k in zip(("rgb", "flow"), kinds, strict=True)}
    model = replace(run.run.models[0], weights=weights)
    (measured,) = merge([replace(run, run=replace(run.run, models=(model,)))]).models
    assert measured.weights_kind == kind
