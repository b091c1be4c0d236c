"""A run on a Ray cluster of two nodes on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from actionbench.bench.executors import cluster as clusters
from actionbench.records.run_directory import RunDirectory

from ..conftest import Bench
from .local_cluster import LocalCluster, arguments, local_cluster, predictions

Videos = Callable[[list[int], int], Path]

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(cpus=1) as cluster:
        cluster.add(cpus=1)
        yield cluster


def test_it_predicts_what_one_machine_does(
    cluster: LocalCluster, bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    """Bit for bit, and a clip that kills the network costs that clip there too (class 1)."""
    data = coloured_videos([10, 20, 30, 40], 10)
    (broken,) = coloured_videos([1], 1).glob("*/*")
    broken.rename(data / "baby waking up" / broken.name)
    here, there = tmp_path / "here", tmp_path / "there"
    assert bench(*arguments("fragile", data, here, weights_file)).returncode == 0
    options = ["--executor", "ray", "--ray-address", cluster.address]
    ran = bench(*arguments("fragile", data, there, weights_file, *options))
    assert ran.returncode == 0, ran.stderr
    assert predictions(there) == predictions(here)
    assert [record.error for record in RunDirectory(there).clips() if record.error] == ["crashed (SIGABRT)"]
    nodes = {record.node for record in RunDirectory(there).clips() if record.error is None}
    assert nodes <= set(RunDirectory(there).run.environment["nodes"])
    assert None not in nodes


def test_a_cluster_without_room_for_a_worker(
    cluster: LocalCluster,
    bench: Bench,
    coloured_videos: Videos,
    weights_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clusters, "NODES_LIMIT_S", 1.5)
    options = ["--executor", "ray", "--ray-address", cluster.address, "--threads", 2]
    ran = bench(*arguments("tiny", coloured_videos([10], 2), tmp_path / "run", weights_file, *options))
    assert ran.returncode == 2
    assert "expected a node with 2 CPUs that nothing else uses; found" in ran.stderr
    assert ran.stderr.count(": 1 CPU") == 2
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_there_is_no_cluster_at_the_address(
    address: str, bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'actionbench[ray]'")
    options = ["--executor", "ray", "--ray-address", address]
    ran = bench(*arguments("tiny", coloured_videos([10], 1), tmp_path / "run", weights_file, *options))
    assert ran.returncode == 2
    assert f"--ray-address {address}: there is no Ray cluster at this address; found" in ran.stderr


def test_without_the_option_ray_is_not_imported() -> None:
    code = "import sys, actionbench.bench.runner, actionbench.bench.cli.app; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_cluster_of_its_own_is_reached_by_nobody_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor is that of another user joined, who has put its address where Ray looks."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'actionbench[ray]'")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    before = set(Path("/tmp").glob("ray-*"))
    own = psutil.Process()
    others = own.children(recursive=True)  # of the cluster of the other tests
    with clusters.connected(None):
        (folder,) = set(Path("/tmp").glob("ray-*")) - before
        assert folder.stat().st_mode & 0o77 == 0
        listening = [
            connection.laddr.ip
            for process in {own, *own.children(recursive=True)}.difference(others)
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert not folder.exists()
