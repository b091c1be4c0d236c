"""The processes of one training: which of them this one is, and what they do together.

They are started by torchrun, by SLURM's srun, or on one machine by `launch`, in the same manner as torchrun.
Their collective operations are those of Lightning's strategy `ddp`: gloo on CPUs, NCCL on GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from ...errors import UsageError
from ...models.inputs import gpu_index
from ..config import FinetuneConfig

if TYPE_CHECKING:
    from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment

Item = TypeVar("Item")

WAIT = timedelta(days=1)
"""How long a process waits for another, such as for one that looks for persons. One that has died is noticed
at once: its connections break."""

_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
_SRUN = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_NUM_TASKS")
"""Only processes that srun has started have the last one, not those of a batch script."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of a training.

    - `rank`: number of this one, from 0 on. `local`: its number on its machine. `count`: of all.
    """

    rank: int = 0
    local: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that reports, and writes what is written once."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items that are this process's: each is one process's, and shares differ by one item at most."""
        return items[self.rank :: self.count]

    def gathered(self, own: Sequence[Item]) -> list[Item]:
        """What all processes have made of their shares, in the order of the items that were shared."""
        if self.count == 1:
            return list(own)
        shares: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(shares, list(own))
        return [share[k] for k in range(len(shares[0])) for share in shares if k < len(share)]

    def wait(self) -> None:
        """Return when all processes have called this."""
        if self.count > 1:
            torch.distributed.barrier()

    def device(self, name: str) -> torch.device:
        """Where this process computes. `name`: "cpu", or "cuda:N", the first GPU of each machine."""
        first = gpu_index(name)
        return torch.device("cpu") if first is None else torch.device("cuda", first + self.local)


ALONE = Ranks()


def started(config: FinetuneConfig, environment: Mapping[str, str] = os.environ) -> Ranks | None:
    """This process's place in the training; None where `launch` has to start the processes.

    Raises UsageError if a launcher has started another number than `config` asks for, or if processes of
    several machines are asked for and were not started.
    """
    asked = config.devices * config.nodes
    ranks = _from_outside(environment)
    where = f"--devices {config.devices} --nodes {config.nodes}"
    if ranks.count == asked:
        return ranks
    if ranks.count > 1:
        raise UsageError(
            "is another number of processes than were started",
            where=where,
            expected=f"devices × nodes = {ranks.count}",
            found=asked,
        )
    if config.nodes > 1:
        raise UsageError(
            "the processes of several machines are started from outside",
            where=where,
            remedy="Start the command by torchrun or srun on each machine: docs/fine-tuning.md.",
        )
    return None


def shows_results() -> bool:
    """Whether this process is the one that shows the results: the first, where several were started."""
    return _from_outside(os.environ).first


def _from_outside(environment: Mapping[str, str]) -> Ranks:
    """What torchrun or srun says of this process."""
    for names in (_TORCHRUN, _SRUN):
        if all(name in environment for name in names):
            return Ranks(*(int(environment[name]) for name in names))
    return ALONE


def cluster() -> ClusterEnvironment:
    """How Lightning finds the other processes: by the variables of torchrun, or else those of SLURM.

    Raises UsageError for variables of SLURM that do not fit.
    """
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    if all(name in os.environ for name in _TORCHRUN):
        return TorchElasticEnvironment()
    try:
        return SLURMEnvironment(auto_requeue=False)  # `--resume` is ours
    except RuntimeError as error:
        raise UsageError(
            f"says something else than Lightning expects: {error}",
            where="srun",
            remedy="Start the processes by `srun --nodes … --ntasks-per-node …`: docs/fine-tuning.md.",
        ) from error


def placement(config: FinetuneConfig) -> dict[str, Any]:
    """Lightning's settings of where is computed: accelerator, devices and machines."""
    gpu = gpu_index(config.device)
    if gpu is None:
        return {"accelerator": "cpu", "devices": config.devices, "num_nodes": config.nodes}
    devices = list(range(gpu, gpu + config.devices))
    return {"accelerator": "gpu", "devices": devices, "num_nodes": config.nodes}


@contextmanager
def joined(ranks: Ranks, config: FinetuneConfig) -> Iterator[None]:
    """Connected with the other processes inside; nothing where there are none."""
    if ranks.count == 1:
        yield
        return
    from lightning.fabric import Fabric
    from lightning.fabric.strategies.ddp import DDPStrategy

    # Lightning's trainer then uses the connections that are there.
    Fabric(**placement(config), strategy=DDPStrategy(timeout=WAIT), plugins=[cluster()]).launch()
    yield
    # Not after an error: the others may not be there any more.
    torch.distributed.destroy_process_group()
