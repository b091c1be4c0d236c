"""`actionbench.reports.load`: DataFrames with the report's figures, and the document's example."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from actionbench.errors import UsageError
from actionbench.reports import load

DOCUMENT = Path(__file__).parents[3] / "docs" / "analysis.md"


def test_models_have_the_reports_figures(two_models_dir: Path) -> None:
    frames = load(two_models_dir)
    models = frames.models.set_index("model")
    assert models["target_recall"].to_dict() == {"i3d": 0.7, "resnext": 0.5}
    assert frames.tables["stages"]["stage"].nunique() == 7


def test_clips_and_scores(two_models_dir: Path) -> None:
    frames = load(str(two_models_dir))
    assert len(frames.clips) == 40
    right = frames.clips.groupby("model")["right"].mean()
    assert right.to_dict() == {"i3d": 0.85, "resnext": 0.75}
    scores = frames.scores["i3d"]
    assert scores.shape == (20, 6)
    assert set(scores.dtypes) == {np.dtype("float32")}
    row = frames.clips[frames.clips["model"] == "i3d"].iloc[0]
    assert scores.loc[row["clip"]].idxmax() == row["predicted"]


def test_stages_are_the_samples_in_long_form(two_models_dir: Path) -> None:
    frames = load(two_models_dir)
    assert len(frames.samples) == 2 * 3 * 2 * 4
    assert len(frames.stages) == 24 * 6 + 24 * 5
    keys = ["model", "process", "repetition", "clip"]
    sums = frames.stages.groupby(keys, observed=True)["seconds"].sum()
    totals = frames.samples.set_index(keys)["total_s"]
    assert (totals - sums).to_numpy() == pytest.approx(0.001)
    assert frames.stages["stage"].cat.categories[0] == "decode"


def test_columns_and_types_hold_without_a_row(fake: SimpleNamespace, tmp_path: Path) -> None:
    dead = fake.model("dead", {}, state="failed", error="killed", forward_s=[])
    full = load(fake.write(tmp_path, fake.run([fake.model("net", fake.answers(1, 2))], name="full")))
    empty = load(fake.write(tmp_path, fake.run([dead], name="empty")))
    for name in ("clips", "processes", "samples", "stages"):
        pd.testing.assert_series_equal(getattr(full, name).dtypes, getattr(empty, name).dtypes)
        assert len(getattr(empty, name)) == 0
    assert full.clips["right"].dtype == "boolean"
    assert full.samples["total_s"].dtype == "float64"
    assert full.samples["repetition"].dtype == "int64"
    assert full.processes["peak_device_bytes"].dtype == "Int64"
    assert full.processes["peak_device_bytes"].isna().all()
    assert empty.scores["dead"].shape == (0, 6)


def test_unanswered_videos_are_neither_right_nor_wrong(fake: SimpleNamespace, tmp_path: Path) -> None:
    answers = {"a": ("yoga", "yoga"), "b": ("yoga", OSError("torn")), "c": (None, "yoga")}
    clips = load(fake.write(tmp_path, fake.run([fake.model("net", answers)]))).clips.set_index("clip")
    assert bool(clips["right"]["a"]) is True
    assert clips["right"][["b", "c"]].isna().all()
    assert clips["error"]["b"] == "torn"


def test_several_runs_are_joined(fake: SimpleNamespace, tmp_path: Path) -> None:
    runs = [
        fake.write(tmp_path, fake.run([fake.model("net", fake.answers(1, 2))], name=name)) for name in "ab"
    ]
    assert set(load(runs).clips["model"]) == {"net (a)", "net (b)"}
    with pytest.raises(UsageError, match="not a run directory"):
        load(tmp_path)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, actionbench.reports; print({'pandas', 'matplotlib', 'numpy'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"


def test_the_documents_example_runs(two_models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of code in order, in the folder of a run called runs/one."""
    (two_models_dir.rename(two_models_dir.parent / "one"))
    monkeypatch.chdir(two_models_dir.parent.parent)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        for block in blocks:
            exec(compile(block, str(DOCUMENT), "exec"), names)
    assert "jogging" in said.getvalue()
