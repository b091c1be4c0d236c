"""What is lost in mid-run costs no prediction: the run ends with those of an undisturbed one."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from actionbench.bench import machines
from actionbench.bench.executors.cluster import cause
from actionbench.records.run import ClipRecord
from actionbench.records.run_directory import CLIPS, RunDirectory, machine_runs

from ..conftest import COMMAND, Bench
from .local_cluster import LocalCluster, arguments, local_cluster, predictions

Videos = Callable[[list[int], int], Path]
Prediction = tuple[ClipRecord, bytes | None]

pytestmark = pytest.mark.slow

WORKER = "actionbench.bench.worker.process"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Its first node, where the driver is, has no CPU to give; the tests add the nodes that do."""
    with local_cluster(cpus=0) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def data(coloured_videos: Videos) -> Path:
    return coloured_videos([10, 20, 30, 40], 20)


@pytest.fixture(scope="module")
def undisturbed(
    data: Path, weights_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Prediction]:
    """The predictions of one machine."""
    out = tmp_path_factory.mktemp("here") / "run"
    command = [*COMMAND, *map(str, arguments("slow", data, out, weights_file))]
    subprocess.run(command, check=True, capture_output=True)
    return predictions(out)


@pytest.fixture
def nodes(cluster: LocalCluster) -> Iterator[list[object]]:
    """Two nodes of one CPU each, which are removed after the test."""
    added = [cluster.add(cpus=1), cluster.add(cpus=1)]
    yield added
    for node in added:
        cluster.kill(node)


@pytest.fixture
def run(
    cluster: LocalCluster, data: Path, weights_file: Path, tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A run on the cluster, as a process, into `tmp_path / "run"`."""
    options = ["--executor", "ray", "--ray-address", cluster.address]
    command = [*COMMAND, *map(str, arguments("slow", data, tmp_path / "run", weights_file, *options))]
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen(command, stdout=said, stderr=said) as process,
    ):
        yield process
        process.kill()


def wait_for(what: Callable[[], object], seconds: float = 400) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def recorded(out: Path) -> int:
    return (out / CLIPS).read_bytes().count(b"\n") if (out / CLIPS).exists() else 0


def nodes_of(out: Path) -> set[str | None]:
    return {record.node for record in RunDirectory(out).clips()}


def processes(of: str) -> list[psutil.Process]:
    """Processes of the cluster, which this process has started, whose command line has `of`."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if of in " ".join(process.cmdline()):
                found.append(process)
    return found


def kill(of: str) -> None:
    processes(of)[0].send_signal(signal.SIGKILL)


@pytest.mark.usefixtures("nodes")
def test_a_worker_process_is_killed_and_then_an_actor(
    run: subprocess.Popen[bytes], undisturbed: dict[str, Prediction], tmp_path: Path
) -> None:
    """As the kernel kills one where memory runs out, or Ray's monitor an actor."""
    out = tmp_path / "run"
    wait_for(lambda: recorded(out) > 5)
    kill(WORKER)
    wait_for(lambda: recorded(out) > 20)
    kill("ray::NodeWorker")
    assert run.wait(300) == 0, (tmp_path / "said").read_text()
    assert predictions(out) == undisturbed


@pytest.mark.usefixtures("nodes")
def test_a_clip_that_costs_an_actor_twice_is_the_only_one_to_fail(
    cluster: LocalCluster, bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    data, out = coloured_videos([1, 10, 20], 8), tmp_path / "run"
    for spared in sorted(data.glob("*/1_*"))[1:]:
        spared.unlink()
    options = ["--executor", "ray", "--ray-address", cluster.address]
    ran = bench(*arguments("lethal", data, out, weights_file, *options))
    assert ran.returncode == 0, ran.stderr
    records = RunDirectory(out).clips()
    assert len(records) == 17
    (failed,) = [record for record in records if record.error is not None]
    assert failed.clip.endswith("1_0.mp4")
    assert "was lost, 2 times: " in str(failed.error)


@pytest.mark.usefixtures("nodes")
def test_a_network_that_costs_every_actor_that_loads_it_is_given_up(
    cluster: LocalCluster, bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    """As one that needs more memory than a node has."""
    options = ["--executor", "ray", "--ray-address", cluster.address]
    data, out = coloured_videos([10], 2), tmp_path / "run"
    ran = bench(*arguments("lethal_to_load", data, out, weights_file, *options))
    assert ran.returncode == 2
    assert "3 workers in a row were lost before they began a clip" in ran.stderr
    assert not RunDirectory(out).clips()


def test_memory_that_runs_out_is_told_in_a_line() -> None:
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'actionbench[ray]'")
    error = ray.exceptions.OutOfMemoryError("Task was killed\nRefer to the documentation")
    assert cause(error) == "Ray's memory monitor killed it because the node was low on memory"


def test_a_whole_node_is_lost(
    cluster: LocalCluster,
    nodes: list[object],
    run: subprocess.Popen[bytes],
    undisturbed: dict[str, Prediction],
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    wait_for(lambda: len(nodes_of(out)) == 2 if recorded(out) else False)
    cluster.kill(nodes.pop())
    assert run.wait(300) == 0, (tmp_path / "said").read_text()
    assert predictions(out) == undisturbed


def test_a_node_that_comes_late_is_used(
    cluster: LocalCluster,
    run: subprocess.Popen[bytes],
    undisturbed: dict[str, Prediction],
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    wait_for((out / "run.json").exists)
    first = cluster.add(cpus=1)
    wait_for(lambda: recorded(out) > 2)
    second = cluster.add(cpus=1)
    assert run.wait(300) == 0, (tmp_path / "said").read_text()
    assert predictions(out) == undisturbed
    assert len(nodes_of(out)) == 2
    cluster.kill(first)
    cluster.kill(second)


@pytest.mark.usefixtures("nodes")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_driver_is_ended_and_resumed(
    run: subprocess.Popen[bytes], undisturbed: dict[str, Prediction], tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    wait_for(lambda: recorded(out) > 10)
    run.send_signal(number)
    run.wait()
    if number == signal.SIGTERM:
        assert "interrupted; continue with: bench run --resume" in (tmp_path / "said").read_text()
    before = recorded(out)
    assert before < len(undisturbed)
    wait_for(lambda: not processes(WORKER))
    resumed = subprocess.run([*COMMAND, "run", "--resume", str(out)], capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert predictions(out) == undisturbed
    assert recorded(out) == len(undisturbed)  # none was predicted twice


@pytest.mark.usefixtures("nodes")
def test_every_other_kind_of_machine_is_timed_into_a_run_of_its_own(
    cluster: LocalCluster,
    bench: Bench,
    coloured_videos: Videos,
    weights_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All nodes are this machine: the driver is told that they are of another kind."""
    kinds = iter(["driver"])
    monkeypatch.setattr(machines, "machine_id", lambda _: next(kinds, "other"))
    out = tmp_path / "run"
    options = ["--executor", "ray", "--ray-address", cluster.address, "--processes", 2]
    options += ["--latency-clips", 1, "--latency-seconds", 0, "--no-peak"]
    ran = bench(*arguments("tiny", coloured_videos([10, 20], 2), out, weights_file, *options))
    assert ran.returncode == 0, ran.stderr
    (other,) = machine_runs(out)
    assert other == out / "machines" / "other"
    for path in (out, other):
        assert len(RunDirectory(path).processes()) == 2
        assert RunDirectory(path).run.state == "done"
    assert not RunDirectory(other).clips()
    assert {r.clip for r in RunDirectory(other).latencies()} == {
        r.clip for r in RunDirectory(out).latencies()
    }
    assert "tiny (other)" in ran.stdout
