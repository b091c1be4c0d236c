"""The timed scenarios of a run on a cluster: alone on a node, on one node of each kind of machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..datasets.clip import Clip
from ..errors import ActionBenchError
from ..records.fingerprint import machine_id
from ..records.run_directory import RUN, RunDirectory, RunWriter, machine_runs, path_of_machine
from .console.progress import Console, Messages
from .executors import cluster
from .executors.cluster import ClusterNode, Resources
from .executors.node import Needs, Node, needs_of, problem, this_node
from .plan.plan import Plan
from .runner import begun_run, finish, timed_scenarios


@contextmanager
def this_node_alone(console: Console) -> Iterator[None]:
    """Ray schedules nothing else on the driver's node while the block runs.

    Raises MeasurementError if others do not leave it within the time limit.
    """
    import ray

    here = ray.get_runtime_context().get_node_id()
    resources = next((node.resources for node in cluster.living_nodes() if node.id == here), Resources(0, 0))
    if resources == Resources(0, 0):  # nothing is scheduled on it
        yield
        return
    actor = cluster.remote(_Machine, resources, [], here)
    try:
        _wait_for(actor, resources, console)
        yield
    finally:
        ray.kill(actor)


def time_other_machines(
    plan: Plan, clips: Sequence[Clip], failures: Mapping[str, str], run: Path, console: Console
) -> None:
    """Time `clips` on one node of each kind of machine other than the driver's, each into a run of its own.

    - `plan`: of the run. `failures`: models that have no result.
    - `run`: the run directory; those of the machines are `machine_runs`.
    - `console`: shows which machines are timed, and which could not be.

    Raises UsageError for a node that lacks something that the driver has.
    """
    import ray

    alive = replace(plan, models=tuple(model for model in plan.models if model.key not in failures))
    if not alive.models:
        return
    needs = needs_of((model.job("latency", ()) for model in alive.models), run)
    threads = max(model.options.threads for model in alive.models)
    gpu = any(model.options.device != "cpu" for model in alive.models)
    for id_, node in _kinds(threads, gpu).items():
        path = path_of_machine(run, id_)
        if path in machine_runs(run) and RunDirectory(path).run.state == "done":
            continue
        console.say(f"timing machine {id_} (node {node.host}) into {path}")
        actor = cluster.remote(_Machine, node.resources, [], node.id)
        try:
            _wait_for(actor, node.resources, console)
            ray.get(actor.measure.remote(alive, tuple(clips), needs, path, sys.executable))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ActionBenchError):
                raise error.cause from error
            raise
        except ray.exceptions.RayError as error:
            console.say(
                f"machine {id_} was not timed: {cluster.cause(error)}; "
                f"continue with: bench run --resume {run}"
            )
        finally:
            ray.kill(actor)


def _kinds(threads: int, gpu: bool) -> dict[str, ClusterNode]:
    """Identifier of each kind of machine but the driver's → a node of it that can run the networks."""
    import ray

    able = [
        node
        for node in cluster.living_nodes()
        if node.resources.cpus >= threads and (node.resources.gpus >= 1 or not gpu)
    ]
    asked = [cluster.remote(this_node, Resources(0, 0), [], node.id) for node in able]
    here = machine_id(this_node().environment)
    kinds: dict[str, ClusterNode] = {}
    for node, answer in zip(able, asked, strict=True):
        try:
            found: Node = ray.get(answer)
        except ray.exceptions.RayError:  # it was lost meanwhile
            continue
        kinds.setdefault(machine_id(found.environment), node)
    return {id_: node for id_, node in kinds.items() if id_ != here}


class _Machine:
    """An actor that has a whole node."""

    def ready(self) -> None:
        """Answers as soon as it has."""

    def measure(self, plan: Plan, clips: Sequence[Clip], needs: Needs, path: Path, drivers: str) -> None:
        """Carry out the timed scenarios into the run directory `path`, or what is missing there.

        - `drivers`: path of the interpreter that runs the driver, in whose place this node has its own.
        """
        if (wrong := problem(needs, this_node())) is not None:
            raise wrong
        models = (
            replace(model, python=sys.executable) if model.python == drivers else model
            for model in plan.models
        )
        plan = replace(
            plan,
            models=tuple(models),
            config=replace(plan.config, executor="local", ray_address=None, out=str(path), report=False),
        )
        console = Messages()
        with RunWriter(path, None if (path / RUN).is_file() else begun_run(plan)) as writer:
            failures = plan.refusals
            failures |= timed_scenarios(plan, clips, failures, writer, console)
            finish(writer, "incomplete" if failures else "done", failures)


def _wait_for(actor: Any, resources: Resources, console: Console) -> None:
    """Wait until an actor has its node. Raises MeasurementError if that takes too long."""
    import ray

    begin = time.monotonic()
    ready = actor.ready.remote()
    if not ray.wait([ready], timeout=10)[0]:
        console.say(f"waiting until nothing else uses a node with {resources}")
        if not ray.wait([ready], timeout=cluster.NODES_LIMIT_S - 10)[0]:
            raise cluster.no_node(resources, time.monotonic() - begin)
    ray.get(ready)
