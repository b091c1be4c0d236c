"""The accuracy pass of one model on a Ray cluster: its clips in shards, to workers on many nodes."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...datasets.clip import Clip, require_file
from ...errors import ClipError, MeasurementError, UsageError
from ..worker.events import ClipFailed, Event, Failed, NodeJoined, Notice, Predicted, Started
from ..worker.supervisor import Worker
from . import cluster
from .cluster import Resources
from .node import SHARE, Node, NodeWorker, Task, Unseen, needs_of
from .predictor import MOST_CRASHING_CLIPS

SHARD = 32
"""Clips that a worker is given at a time, at most. Between two shards the network waits while the first clip
of the next is prepared, which costs a thirty-second of that time a clip."""

AHEAD = 2
"""Shards that a worker has: the one in work, and the next, so that it never waits for the driver. What is in
flight is bounded by AHEAD × SHARD clips a worker."""

MOST_LOSSES = 3
"""Times that a clip is in work on a node that is lost, until it fails: it may be the clip that does it. Also
workers, one after another, that do not start, until the run is given up, or that are lost before they begin a
clip, such as in loading the network, until the model is given up."""


class RayExecutor:
    """The `Executor` of a cluster. The connection is the caller's (`cluster.connected`)."""

    def __init__(self, run: Path, gpus: float) -> None:
        """`run`: the run directory. `gpus`: of each worker that computes on one."""
        self._run, self._gpus = run, gpus

    def __call__(self, worker: Worker, clips: Sequence[Clip]) -> Generator[Event]:
        """See `Executor`.

        Raises UsageError for a node that lacks something that the driver has, MeasurementError if there is no
        node with the resources, or if Ray cannot start workers.
        """
        resources = cluster.resources_of(worker.job.options, self._gpus)
        needs = needs_of([worker.job], self._run)
        python = None if worker.python == sys.executable else worker.python
        task = Task(needs, worker.job, python, worker.log.stem, worker.timeout_s)
        work = _Pass(task, resources, worker, clips)
        try:
            yield from work.events()
        finally:
            work.close()


@dataclass(eq=False, slots=True)
class _Member:
    """A worker on a node. `shards`: those it was given: stream of their events → clips without an answer.
    `begun`: ids of those that are in work."""

    actor: Any
    node: Node
    shards: dict[Any, dict[str, Clip]] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)


class _Pass:
    """One pass: which clips wait, which worker has which, and what is done when one is lost."""

    def __init__(self, task: Task, resources: Resources, worker: Worker, clips: Sequence[Clip]) -> None:
        import ray

        self._task, self._resources, self._worker = ray.put(task), resources, worker
        self._waiting = deque(clips)
        self._suspects: deque[Clip] = deque()  # each is given to a worker alone
        self._losses: Counter[str] = Counter()
        self._crashes = 0
        self._idle_losses = 0  # of workers without a clip in work, since a clip was answered last
        self._members: list[_Member] = []
        self._asked: tuple[Any, Any] | None = None  # an actor that has no node yet, and its hello
        self._failed_starts = 0
        self._alone_since = time.monotonic()  # without any worker
        self._notices: set[str] = set()

    def events(self) -> Iterator[Event]:
        """See `RayExecutor`."""
        while self._waiting or self._suspects or any(member.shards for member in self._members):
            self._ask()
            for member in self._members:
                self._give(member)
            for event in self._next():
                yield event
                if isinstance(event, Failed):
                    return

    def close(self) -> None:
        """End all workers."""
        import ray

        actors = [member.actor for member in self._members]
        for actor in [*actors, *(() if self._asked is None else self._asked[:1])]:
            ray.kill(actor)

    def _ask(self) -> None:
        """See that one more worker than there are is asked for: it starts when a node has room for it."""
        if self._asked is None and (self._waiting or self._suspects):
            actor = cluster.remote(NodeWorker, self._resources, [self._task])
            self._asked = actor, actor.hello.remote()
        if self._members:
            self._alone_since = time.monotonic()
        elif (waited := time.monotonic() - self._alone_since) > cluster.NODES_LIMIT_S:
            raise cluster.no_node(self._resources, waited)

    def _give(self, member: _Member) -> None:
        """Give a worker its next shards; a suspect is one of its own, and the first that the worker has."""
        while (self._waiting or self._suspects) and len(member.shards) < AHEAD:
            if self._suspects:
                if member.shards:
                    return
                shard = [self._suspects.popleft()]
            else:
                # Smaller ones at the end, so that all workers end together.
                size = min(SHARD, max(1, len(self._waiting) // (2 * AHEAD * len(self._members))))
                shard = [self._waiting.popleft() for _ in range(size)]
            stream = member.actor.predict.options(num_returns="streaming").remote(shard)
            member.shards[stream] = {clip.id: clip for clip in shard}

    def _next(self) -> Iterator[Event]:
        """What comes next from any worker; nothing if that takes longer than a second."""
        import ray

        streams = {stream: member for member in self._members for stream in member.shards}
        hello = [] if self._asked is None else [self._asked[1]]
        ready, _ = ray.wait([*hello, *streams], num_returns=1, timeout=1.0)
        for each in ready:
            if each in streams:
                yield from self._from(streams[each], each)
            else:
                yield from self._joined()

    def _joined(self) -> Iterator[Event]:
        """The worker that was asked for has a node."""
        import ray

        assert self._asked is not None
        (actor, hello), self._asked = self._asked, None
        try:
            node: Node = ray.get(hello)
        except ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts == MOST_LOSSES:
                raise MeasurementError(
                    "workers cannot be started on the cluster",
                    where="--executor ray",
                    found=cluster.cause(error),
                    remedy="Every node needs ActionBench with its extra [ray], in the same versions.",
                ) from error
            return
        self._failed_starts = 0
        self._members.append(_Member(actor, node))
        if node.problem is not None:
            raise node.problem
        yield NodeJoined(node.name, dict(node.environment))

    def _from(self, member: _Member, stream: Any) -> Iterator[Event]:
        """The next event of a shard."""
        import ray

        shard = member.shards[stream]
        try:
            event: Event | Unseen = ray.get(next(stream))
        except StopIteration:
            del member.shards[stream]
            # Without an answer and without an error: the end of the stream was all that arrived.
            self._waiting.extendleft(shard.values())
            return
        except ray.exceptions.RayTaskError:
            raise  # a defect of ours, not a loss
        except ray.exceptions.RayError as error:
            yield from self._lost(member, error)
            return
        match event:
            case Unseen(path, why):
                _require_unseen(path, why, member.node)
            case Notice(text):
                if text not in self._notices:
                    self._notices.add(text)
                    self._worker.notify(text)
            case Started(clip):
                member.begun.add(clip)
            case Predicted(clip=str(clip)) | ClipFailed(clip=str(clip)):
                self._crashes = self._idle_losses = 0
                member.begun.discard(clip)
                del shard[clip]
                yield event
            case Failed():
                yield event

    def _lost(self, member: _Member, error: Exception) -> Iterator[Event]:
        """A worker was lost, or its whole node: its clips go to others, those in work one at a time."""
        import ray

        self._members.remove(member)
        ray.kill(member.actor)
        unanswered = [clip for shard in member.shards.values() for clip in shard.values()]
        begun = [clip for clip in unanswered if clip.id in member.begun]
        self._waiting.extendleft(clip for clip in reversed(unanswered) if clip.id not in member.begun)
        node_lives = any(node.id == member.node.id for node in cluster.living_nodes())
        if node_lives and not begun:
            self._idle_losses += 1
            if self._idle_losses == MOST_LOSSES:
                yield Failed(
                    f"{MOST_LOSSES} workers in a row were lost before they began a clip, "
                    f"the last one on {member.node.name}: {cluster.cause(error)}"
                )
                return
        for clip in begun:
            self._losses[clip.id] += 1
            # Lost with its node: more likely the node's doing.
            most = MOST_LOSSES if len(begun) > 1 or not node_lives else 2
            if self._losses[clip.id] < most:
                self._suspects.append(clip)
                continue
            self._crashes += 1
            times = f"{self._losses[clip.id]} times: {cluster.cause(error)}"
            why = f"its worker on {member.node.name} was lost, {times}"
            if self._crashes == MOST_CRASHING_CLIPS:
                yield Failed(f"{self._crashes} clips in a row, the last one: {why}")
                return
            yield ClipFailed(clip.id, why)


def _require_unseen(path: Path, why: str, node: Node) -> None:
    """Raise UsageError if the driver sees a file that a node does not; else the clip itself is at fault."""
    try:
        require_file(path)
    except ClipError:
        return
    where = f"node {node.name}: {path}"
    raise UsageError(f"the node does not see this file ({why})", where=where, remedy=SHARE)
