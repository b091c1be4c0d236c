"""Two networks of a user's own, each with a neighbour of the same name, in one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.records.run_directory import RunDirectory

from ..conftest import NETWORKS

NETWORK = """
from dataclasses import replace
from colours import tiny

def load(model, weights, options):
    from colours import load
    import hue
    network = load(model, weights, options)
    network.colours = network.colours + hue.SHIFT
    return network

def net():
    return replace(tiny(), name="{name}", backends={{"numpy": load}})
"""


@pytest.mark.usefixtures("forked_workers")
def test_each_worker_imports_its_own(
    coloured_videos: Callable[[list[int], int], Path], weights_file: Path, tmp_path: Path
) -> None:
    for name, shift in (("right", 0.0), ("wrong", 1 / 8)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "colours.py").write_text(NETWORKS.read_text())
        (folder / "hue.py").write_text(f"SHIFT = {shift}")
        (folder / "net.py").write_text(NETWORK.format(name=name))
    models = ",".join(f"{tmp_path / name / 'net.py'}:net" for name in ("right", "wrong"))
    options = [
        "--weights",
        f"*={weights_file}",
        "--latency-clips",
        "0",
        "--no-report",
        "--out",
        str(tmp_path / "run"),
    ]
    assert run_app(["run", "--models", models, "--data", str(coloured_videos([9, 18], 1)), *options]) == 0
    records = RunDirectory(tmp_path / "run").clips()
    assert {record.model for record in records} == {"right", "wrong"}
    for record in records:
        assert (record.top5[0][0] == record.label) is (record.model == "right")
