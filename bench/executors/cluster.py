"""A Ray cluster as the driver sees it: the connection, its nodes, and actors that are given resources."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ...errors import BackendUnavailable, MeasurementError, UsageError
from ...models.spec import LoadOptions

NODES_LIMIT_S = 300.0
"""Seconds without any node that has the resources for a worker, until the run is given up: an autoscaler
takes minutes to start one."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What one worker is given. `cpus`: as many as it has threads. `gpus`: 0 on the CPU."""

    cpus: float
    gpus: float

    def __str__(self) -> str:
        parts = [(self.cpus, "CPU"), *([(self.gpus, "GPU")] if self.gpus else [])]
        return " and ".join(f"{number:g} {unit}{'' if number == 1 else 's'}" for number, unit in parts)

    def options(self) -> dict[str, Any]:
        """For `ray.remote`."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus}


def resources_of(options: LoadOptions, gpus: float) -> Resources:
    """What a worker of a network with these options is given; `gpus`: on a GPU."""
    return Resources(options.threads, 0 if options.device == "cpu" else gpus)


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A living node. `id`: in the cluster. `host`: its name. `resources`: all that it has."""

    id: str
    host: str
    resources: Resources


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A connection to a cluster while the block runs; a program that is connected already stays so.

    - `address`: of the cluster, as `ray.init` takes it; None: the one that RAY_ADDRESS names, else a new one
      of this machine alone. One that runs here may be another user's, whose code would run as ours: only
      "auto" joins it.

    Raises BackendUnavailable without Ray, UsageError if there is no cluster at the address.
    """
    # Read when Ray is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise BackendUnavailable(
            "the package ray is missing", where="--executor ray", remedy='pip install "actionbench[ray]"'
        ) from error
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    named = address or os.environ.get("RAY_ADDRESS")
    # Ray takes SIGTERM, which interrupts a run as Ctrl-C does.
    on_end = signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack:
        if named is None:
            stack.enter_context(_started_here(quiet))
        else:
            try:
                _require_listener(named)
                ray.init(address=named, **quiet)
                stack.callback(ray.shutdown)
            except (OSError, ValueError, RuntimeError) as error:
                raise UsageError(
                    "there is no Ray cluster at this address",
                    where=f"--ray-address {named}" if address else f"RAY_ADDRESS={named}",
                    found=str(error).strip().splitlines()[0],
                    remedy="`ray start --head` starts one and prints its address; `ray status` shows it.",
                ) from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_end)
        yield


@contextmanager
def _started_here(quiet: Mapping[str, Any]) -> Iterator[None]:
    """A cluster of this machine alone while the block runs, which no other user and no other machine reaches.

    - `quiet`: further arguments of `ray.init`.

    Raises BackendUnavailable if this version of Ray would let other machines reach it.
    """
    import ray
    from ray._private import ray_constants

    # Ray lets everybody write to its folder, and its own part of a socket's path takes 70 characters of 107.
    folder = tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    with folder as private, ExitStack() as stack:
        stack.callback(ray.shutdown)
        # Otherwise it listens at all addresses, and takes 127.0.0.1 for the one that other machines reach.
        stack.callback(setattr, ray_constants, "ENABLE_RAY_CLUSTER", ray_constants.ENABLE_RAY_CLUSTER)
        ray_constants.ENABLE_RAY_CLUSTER = False
        ray.init(
            address="local",
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=f"{private}/ray",
            **quiet,
        )
        listens = ray.get_runtime_context().gcs_address
        if not listens.startswith("127.0.0.1:"):
            raise BackendUnavailable(
                "this version of Ray would be reached from other machines",
                where="--executor ray",
                found=listens,
                remedy="Start a cluster in a private network, and name it: --ray-address HOST:PORT",
            )
        yield


def _require_listener(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT: Ray itself would try for minutes.

    Raises ValueError for the address of a Ray Client, which is no part of its cluster.
    """
    if "://" in address:
        raise ValueError("a Ray Client; start `bench run` on a node of the cluster and give HOST:PORT")
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def living_nodes() -> list[ClusterNode]:
    """The nodes that the cluster has now."""
    import ray

    return [
        ClusterNode(
            node["NodeID"],
            node["NodeManagerHostname"],
            Resources(node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)),
        )
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    ]


def no_node(wanted: Resources, waited_s: float) -> MeasurementError:
    """The error of a run that no node could be found for."""
    has = ", ".join(f"{node.host}: {node.resources}" for node in living_nodes())
    return MeasurementError(
        f"no node of the cluster had the resources for a worker within {waited_s:g} s",
        where="--executor ray",
        expected=f"a node with {wanted} that nothing else uses",
        found=has or "no node",
        remedy="--threads sets the CPUs of a worker, --ray-gpus its share of a GPU; `ray status` shows what "
        "is in use. --resume continues the run.",
    )


def cause(error: Exception) -> str:
    """In one line, why Ray lost an actor. `error`: a `RayError`."""
    import ray

    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "Ray's memory monitor killed it because the node was low on memory"
    # What stands before the last line describes the actor.
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def remote(
    what: Callable[..., Any], resources: Resources, arguments: Sequence[Any], node: str | None = None
) -> Any:
    """A new actor of a class, or the coming result of a function; it starts when a node has the resources.

    - `resources`: that it is given as long as it lives.
    - `arguments`: of the constructor or the function.
    - `node`: id of the node that it must be on; None for any.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    options: Mapping[str, Any] = resources.options()
    if node is not None:
        options = {**options, "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}
    return ray.remote(what).options(**options).remote(*arguments)
