"""What a report says of models that were compared with a float32 reference."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.records.run import Drift, ModelRecord
from actionbench.reports.analysis.agreement import agreement, verdict_text
from actionbench.reports.analysis.load_runs import RunData, merge, read_run
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.formats.export import json_text
from actionbench.reports.formats.markdown import report
from actionbench.reports.sentences import verdict
from actionbench.reports.tables.all_tables import all_tables, models
from actionbench.reports.tables.comparison import comparison

from ..conftest import FakeModel, answers, columns_of, make_run, records_of, scores_of, write_run

DRIFT = {
    "reference": "net",
    "max_abs": 0.17,
    "relative_l2": 0.025,
    "top1": 1.0,
    "target_score": 0.002,
    "tolerance": 1e-3,
    "yardstick": 0.016,
    "limit": 0.048,
    "verdict": "drifts",
}
ACCUSATION = "net@b:bf16 DOES NOT MATCH net"


def a_run(drift: dict[str, Any], off: float, precision: str = "bf16", shared: int = 9) -> RunData:
    """A float32 model and another, whose logits are off by a share `off` of the reference's, in turns.

    `shared`: clips, of twelve, that the other one answered too.
    """
    net, other = (FakeModel(key, answers(1, 2)) for key in ("net", "net@b:bf16"))
    run = make_run([net, other])
    sign = np.array([1, -1, 1, -1, 1, -1], np.float32)
    scores = {}
    before = scores_of(run)
    for number, ((model, clip), vector) in enumerate(before.items()):
        logits = np.log(vector)
        norm = np.linalg.norm(logits - logits.mean())
        if model == "net@b:bf16":
            if number - len(before) // 2 >= shared:
                continue
            logits = logits + off * norm / np.sqrt(6) * sign
        scores[model, clip] = np.exp(logits) / np.exp(logits).sum()
    records = tuple(
        m if m.key == "net" else replace(m, precision=precision, drift=Drift(**drift)) for m in run.run.models
    )
    clips = (c for c in records_of(run.run, run.clips) if (c.model, c.clip) in scores)
    columns, rows = columns_of(run.run, clips, scores)
    return replace(run, run=replace(run.run, models=records), scores=rows, clips=columns)


def found(run: RunData, target: str = "jogging") -> Any:
    all_models = merge([run]).models
    assert agreement(all_models[0], all_models, target) is None
    return agreement(all_models[1], all_models, target)


def test_clips_give_figures_with_their_number() -> None:
    run = a_run(DRIFT, 0.02)
    clips = found(run).on_clips
    assert (clips.clips, clips.same_top1) == (9, 9)
    assert clips.relative_l2 == pytest.approx(0.02, rel=1e-3)
    scores = scores_of(run)
    both = [clip for model, clip in scores if model == "net@b:bf16"]
    apart = [np.abs(scores["net", c] - scores["net@b:bf16", c]) for c in both]
    assert clips.p_largest == pytest.approx(max(a.max() for a in apart), rel=1e-4)
    assert clips.p_median == pytest.approx(np.median([a.max() for a in apart]), rel=1e-4)
    assert clips.p_target == pytest.approx(max(a[1] for a in apart), rel=1e-4)
    assert found(run, "flying").on_clips.p_target is None


@pytest.mark.parametrize(
    ("precision", "drawn", "off", "expected"),
    [
        ("bf16", "drifts", 0.02, "drifts"),
        ("bf16", "drifts", 0.3, "other"),
        ("bf16", "other", 0.02, "drifts"),  # the clips decide
        ("bf16", "same", 0.0, "same"),
        ("fp32", "same", 0.0, "same"),
        ("fp32", "same", 0.02, "other"),
        ("fp32", "other", 0.0, "other"),
        ("int8", "drifts", 0.3, "drifts"),
    ],
)
def test_three_verdicts(precision: str, drawn: str, off: float, expected: str) -> None:
    bound = DRIFT["limit"] if precision == "bf16" else None
    run = a_run(DRIFT | {"verdict": drawn, "limit": bound}, off, precision)
    assert found(run).verdict == expected
    words = verdict_text(found(run), "jogging")
    starts = {
        "same": "matches net to rounding",
        "drifts": "drifts from net",
        "other": "DOES NOT MATCH net",
    }
    assert words.startswith(starts[expected])
    assert "on 9 clips the same top-1 in 9" in words
    assert ("the clips, which decide" in words) == (drawn == "other" != expected)
    accused = [sentence for sentence in verdict(summarise(merge([run]))) if ACCUSATION in sentence]
    assert len(accused) == (expected == "other")


def test_what_random_weights_show_is_another_network_whatever_the_clips_say() -> None:
    """A wrong epsilon is smaller than what bfloat16 does to trained weights."""
    run = a_run(DRIFT | {"verdict": "drifts", "random_weights": "other"}, 0.02, "bf16")
    assert found(run).verdict == "other"
    assert "with random weights on synthetic input it is off by more than the limit" in verdict_text(
        found(run), "jogging"
    )
    run = a_run(DRIFT | {"verdict": "drifts", "random_weights": "drifts"}, 0.02, "bf16")
    assert found(run).verdict == "drifts"


def test_without_clips_of_both_drawn_input_decides_and_says_so() -> None:
    run = a_run(DRIFT | {"verdict": "other"}, 0.0, shared=0)
    assert found(run).verdict == "other"
    assert "no clip was predicted by both" in verdict_text(found(run), "jogging")
    alone = replace(run, run=replace(run.run, models=run.run.models[1:]))
    (model,) = merge([alone]).models
    lone = agreement(model, [model], "jogging")
    assert lone is not None
    assert "no clips: the reference is not in the run" in verdict_text(lone, "jogging")


def test_tables_and_results_have_the_figures(tmp_path: Path) -> None:
    summary = summarise(merge([read_run(write_run(tmp_path, a_run(DRIFT, 0.02)))]))
    record = comparison(summary).records[1]
    assert (record["drift_verdict"], record["drift_videos"], record["drift_videos_same_top1"]) == (
        "drifts",
        9,
        9,
    )
    text = report(summary, all_tables(summary))
    assert "2.5e-02" in text
    assert "(9)" in text
    (note,) = [note for note in models(summary).notes if note.startswith("net@b:bf16")]
    assert "on 9 clips the same top-1 in 9" in note
    model = json.loads(json_text(summary))["models"][1]
    assert model["drift_verdict"] == "drifts"
    assert model["drift_on_videos"]["clips"] == 9
    assert model["drift_on_videos"]["p_largest"] == record["drift_videos_p_largest"]


@pytest.mark.parametrize(("precision", "expected"), [("bf16", "drifts"), ("fp32", "other")])
def test_an_older_run_opens_and_accuses_float32_alone(tmp_path: Path, precision: str, expected: str) -> None:
    """Its half precisions were judged by a rule that accused right ones."""
    old = {name: DRIFT[name] for name in ("reference", "max_abs", "relative_l2", "top1", "target_score")}
    run = a_run(old | {"rounding": 0.0023, "agrees": False}, 0.02, precision)
    changed = [m if m.drift is None else replace(m, agreement="DISAGREES with net") for m in run.run.models]
    path = write_run(tmp_path, replace(run, run=replace(run.run, models=tuple(changed))))
    of_old = found(read_run(path))
    assert of_old.verdict == expected
    assert of_old.on_clips.verdict is None
    assert "no limit known" in verdict_text(of_old, "jogging")
    summary = summarise(merge([read_run(path)]))
    assert "DISAGREES" not in report(summary, all_tables(summary))


def test_what_was_not_compared_says_why() -> None:
    run = a_run(DRIFT, 0.0)
    reason = "was not compared with net: it crashed"
    records = tuple(
        m if m.drift is None else replace(m, drift=None, agreement=reason) for m in run.run.models
    )
    assert isinstance(records[0], ModelRecord)
    summary = summarise(merge([replace(run, run=replace(run.run, models=records))]))
    assert f"net@b:bf16: {reason}." in models(summary).notes


def test_the_report_says_how_a_network_in_int8_was_made() -> None:
    run = a_run(DRIFT, 0.0, "int8")
    how = "NNCF 3, ranges from 8 clips of\nvideos"
    processes = [
        replace(p, details=p.details | ({} if p.model == "net" else {"quantised": how}))
        for p in run.processes
    ]
    notes = models(summarise(merge([replace(run, processes=tuple(processes))]))).notes
    assert "net@b:bf16: quantised by NNCF 3, ranges from 8 clips of videos." in notes
    assert sum("quantised" in note for note in notes) == 1
