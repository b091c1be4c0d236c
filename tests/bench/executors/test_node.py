"""What a node must have, and which error says that it has not; no cluster is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actionbench.bench.executors.node import SAME_SOFTWARE, Needs, Node, problem
from actionbench.bench.plan.environment import environment
from actionbench.models.weights.record import digest
from actionbench.records.run import Run
from actionbench.records.run_directory import RunWriter

HERE = environment()
NODE = Node("host/1234", "1234", HERE)


@pytest.fixture
def needs(tmp_path: Path) -> Needs:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")
    started = datetime.now(UTC).isoformat()
    with RunWriter(tmp_path / "run", Run(started, {}, {}, {}, "jogging", ())):
        pass
    software = {name: HERE.get(name) for name in SAME_SOFTWARE}
    return Needs(tmp_path / "run", started, software, {weights: digest([weights])})


def said(needs: Needs, node: Node = NODE) -> str:
    return str(problem(needs, node))


def test_a_node_that_is_like_the_driver_has_no_problem(needs: Needs) -> None:
    assert problem(needs, NODE) is None


def test_another_version_is_named(needs: Needs) -> None:
    other = replace(NODE, environment={**HERE, "actionbench": "9.9"})
    assert "node host/1234: the software differs from the driver's" in said(needs, other)
    assert "found actionbench 9.9. Install the same versions" in said(needs, other)


def test_of_packages_only_those_that_differ_are_named(needs: Needs) -> None:
    packages = {**HERE["packages"], "numpy": "0.1"}
    other = replace(NODE, environment={**HERE, "packages": packages})
    assert f"expected numpy {HERE['packages']['numpy']}; found numpy 0.1." in said(needs, other)


def test_a_file_that_is_absent_or_another_one_is_named(needs: Needs) -> None:
    (weights,) = needs.files
    weights.write_bytes(b"others")
    assert f"node host/1234: {weights}: the node has another file at this path" in said(needs)
    weights.unlink()
    assert f"node host/1234: {weights}: the node does not see this file" in said(needs)
    assert "Put it on a file system that all nodes see by the same path." in said(needs)


def test_the_run_directory_must_be_seen(needs: Needs, tmp_path: Path) -> None:
    assert "does not see the run directory" in said(replace(needs, run=tmp_path / "elsewhere"))
    assert "does not see the run directory" in said(replace(needs, started="another run"))
