"""What runs on a node of a cluster: the check that it has what the driver has, and clips predicted there."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...datasets.clip import Clip, require_file
from ...errors import ActionBenchError, ClipError, UsageError
from ...models.weights.record import digest
from ...models.weights.store import weights_files
from ...records.run_directory import RunDirectory, log_path
from ..plan.environment import environment
from ..worker.events import ClipFailed, Event, Failed, Notice, Predicted, Started
from ..worker.job import Job
from ..worker.supervisor import Worker
from .predictor import Predictor

SAME_SOFTWARE = ("actionbench", "git_commit", "python", "packages")
"""Parts of the environment in which a node must be like the driver: predictions depend on them."""

SHARE = "Put it on a file system that all nodes see by the same path."


@dataclass(frozen=True, slots=True)
class Needs:
    """What the driver has and a node must have too.

    - `run`: path of the run directory. `started`: of the run in it, by which a node knows it.
    - `software`: SAME_SOFTWARE → the driver's.
    - `files`: weights and other files that the networks are made of → digest.
    """

    run: Path
    started: str
    software: Mapping[str, Any]
    files: Mapping[Path, str]


def needs_of(jobs: Iterable[Job], run: Path) -> Needs:
    """What nodes need for these jobs; `run`: the run directory."""
    paths: list[Path] = []
    for job in jobs:
        paths += [weights.path for weights in job.weights.values() if weights.path is not None]
        if job.people is not None and job.people.file is not None:
            paths.append(job.people.file)
        source, ends, _ = job.request.partition(".py:")
        if ends:  # a network in a file of the user's
            paths.append(Path(f"{source}.py"))
    here = environment()
    return Needs(
        run.resolve(),
        RunDirectory(run).run.started,
        {name: here.get(name) for name in SAME_SOFTWARE},
        {path: digest(weights_files(path)) for path in dict.fromkeys(paths)},
    )


@dataclass(frozen=True, slots=True)
class Task:
    """What the workers of one model do on every node.

    - `needs`: of the node.
    - `job`: without clips. `python`: path of the interpreter that runs it; None: the node's own.
    - `log`: beginning of the name of the file for what its processes print; each worker has its own.
    - `timeout_s`: see `Worker`.
    """

    needs: Needs
    job: Job
    python: str | None
    log: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Node:
    """A node as it describes itself.

    - `name`: its host and the first digits of its id in the cluster. `id`: in the cluster.
    - `environment`: its hardware and software.
    - `problem`: None, or why it cannot take part.
    """

    name: str
    id: str
    environment: Mapping[str, Any]
    problem: UsageError | None = None


@dataclass(frozen=True, slots=True)
class Unseen:
    """A clip's file that a node does not see. `path`: the file. `why`: what the node found instead."""

    path: Path
    why: str


def this_node() -> Node:
    """The node that this process of Ray runs on."""
    import ray

    id_ = ray.get_runtime_context().get_node_id()
    return Node(f"{socket.gethostname()}/{id_[:8]}", id_, environment())


class NodeWorker:
    """An actor: a network that is loaded on a node, in a worker process that its `Predictor` watches."""

    def __init__(self, task: Task) -> None:
        self._needs, self._node = task.needs, this_node()
        self._notices: list[str] = []
        log = log_path(task.needs.run, f"{task.log}-{self._node.name}-{os.getpid()}")
        job = task.job
        if job.options.device != "cpu":
            # Ray shows this process the GPUs that it is given, and no others.
            job = replace(job, options=replace(job.options, device="cuda:0"))
        python = task.python or sys.executable
        self._predict = Predictor(Worker(job, python, log, task.timeout_s, self._notices.append))

    def hello(self) -> Node:
        """The node, with what is wrong with it."""
        return replace(self._node, problem=problem(self._needs, self._node))

    def predict(self, clips: Sequence[Clip]) -> Iterator[Event | Unseen]:
        """The events of predicting `clips` that the driver needs; it is a stream of Ray's."""
        for clip in clips:
            try:
                require_file(clip.path)
            except ClipError as error:
                yield Unseen(clip.path, error.what)
        for event in self._predict(clips):
            while self._notices:
                yield Notice(self._notices.pop(0))
            match event:
                case Predicted():
                    yield replace(event, node=self._node.name)
                case Started() | ClipFailed():
                    yield event
                case Failed(error=why):
                    yield Failed(f"on {self._node.name}: {why}")


def problem(needs: Needs, node: Node) -> UsageError | None:
    """Why the node, which this process runs on, cannot do what the driver would; None if it can."""
    where = f"node {node.name}"
    for name, expected in needs.software.items():
        found = node.environment.get(name)
        if found != expected:
            return UsageError(
                "the software differs from the driver's, so predictions could differ",
                where=where,
                expected=_difference(name, expected, found),
                found=_difference(name, found, expected),
                remedy="Install the same versions on all nodes, such as by one container image.",
            )
    for path, expected in needs.files.items():
        try:
            found = digest(weights_files(path))
        except (OSError, ActionBenchError):
            return UsageError("the node does not see this file", where=f"{where}: {path}", remedy=SHARE)
        if found != expected:
            return UsageError(
                "the node has another file at this path",
                where=f"{where}: {path}",
                expected=f"sha256 {expected}",
                found=found,
                remedy=SHARE,
            )
    try:
        started = RunDirectory(needs.run).run.started
    except (OSError, ActionBenchError):
        started = None
    if started != needs.started:
        return UsageError(
            "the node does not see the run directory",
            where=f"{where}: {needs.run}",
            remedy=f"{SHARE} --out names another directory.",
        )
    return None


def _difference(name: str, one: Any, other: Any) -> str:
    """The part of `one` that is not in `other`, in words: of packages only those that differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return ", ".join(f"{key} {one[key]}" for key in one if one[key] != other.get(key))
    return f"{name} {one}"
