"""Ray clusters of several nodes on this machine: bound to loopback, without dashboard, gone afterwards."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from actionbench.records.run import ClipRecord
from actionbench.records.run_directory import RunDirectory

from ..conftest import NETWORKS

LOOPBACK = "127.0.0.2"
"""Ray replaces 127.0.0.1 by an address that other machines reach."""

QUIET = {"include_dashboard": False, "no_monitor": True, "include_log_monitor": False}


class LocalCluster:
    """A cluster whose nodes come and go."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, cpus: int = 1) -> Any:
        """A further node."""
        return self._cluster.add_node(num_cpus=cpus, node_ip_address=LOOPBACK, **QUIET)

    def kill(self, node: Any) -> None:
        """What a power cut does to a node: its raylet and all that it started are gone at once."""
        (raylet,) = node.all_processes["raylet"]
        started = psutil.Process(raylet.process.pid)
        for process in [started, *started.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._cluster.worker_nodes.discard(node)


@contextmanager
def local_cluster(cpus: int) -> Iterator[LocalCluster]:
    """A cluster with its first node, which has so many CPUs; skips where Ray is absent."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'actionbench[ray]'")
    if sys.platform != "linux":
        pytest.skip(f"needs the address {LOOPBACK}, which Linux has")
    with (
        pytest.MonkeyPatch.context() as patch,
        # A socket's path has at most 107 characters, of which Ray's own part takes 70.
        tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder,
    ):
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # The address of the cluster is written there, in a folder that Ray does not make.
        patch.setenv("RAY_TMPDIR", folder)
        Path(folder, "ray").mkdir()
        # By default 15, by which workers hardly run where other programs do.
        patch.setenv("RAY_worker_niceness", "0")
        from ray.cluster_utils import Cluster

        cluster = Cluster()
        try:
            cluster.add_node(num_cpus=cpus, node_ip_address=LOOPBACK, temp_dir=folder, **QUIET)
            yield LocalCluster(cluster)
        finally:
            import ray

            ray.shutdown()
            cluster.shutdown()  # type: ignore[no-untyped-call]


def arguments(network: str, data: Path, out: Path, weights: Path, *more: object) -> list[object]:
    """Of a run of one of the networks of `tiny.py`, with predictions only unless `more` says otherwise."""
    options = ["--threads", 1, "--weights", f"*={weights}", "--latency-clips", 0, "--no-report"]
    return ["run", "--models", f"{NETWORKS}:{network}", "--data", data, "--out", out, *options, *more]


def predictions(out: Path) -> dict[str, tuple[ClipRecord, bytes | None]]:
    """Clip → what is recorded of it, but for times and places; and its scores."""
    directory = RunDirectory(out)
    return {
        record.clip: (
            replace(record, stages_s={}, offset=None, node=None),
            None if record.error else directory.scores(record).tobytes(),
        )
        for record in directory.clips()
    }
