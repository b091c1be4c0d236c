"""Examples as batches: in an order and with windows that depend on seed and epoch alone.

A training that was killed goes on as if it had not been: what epoch 7 sees does not depend on what this
process has drawn before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler, SequentialSampler

from ...datasets.composed.example import Example
from ..ranks.group import ALONE, Ranks
from .windows import seed_of

Item = tuple[torch.Tensor, int, bool]
"""What goes in, the index of its class, and whether it counts (`Shares`)."""


class EpochOrder(Sampler[tuple[int, int]]):
    """(epoch, index) of all examples, in an order that is drawn for each epoch; Lightning names the epoch."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed, self._epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(seed_of("order", self._seed, self._epoch))
        for index in torch.randperm(self._count, generator=generator).tolist():
            yield self._epoch, index


class Shares(BatchSampler):
    """Of each batch the share of one process, as pairs of an example's key and whether it counts.

    All processes have the same number of batches, because they compute each together: where a batch has
    fewer examples than there are processes, those that have none get one that does not count.
    """

    def __init__(self, keys: Sampler[Any], batch: int, ranks: Ranks) -> None:
        super().__init__(keys, batch, drop_last=False)
        self._ranks = ranks

    def __iter__(self) -> Iterator[Any]:
        for batch in super().__iter__():
            yield [(key, True) for key in self._ranks.share(batch)] or [(batch[0], False)]


@dataclass(frozen=True, slots=True)
class Training(Dataset[Item]):
    """Training examples. `window`: from an example and the epoch to what goes in."""

    examples: Sequence[Example]
    labels: tuple[str, ...]
    window: Callable[[Example, int], torch.Tensor]

    def __getitem__(self, key: tuple[tuple[int, int], bool]) -> Item:
        (epoch, index), counts = key
        example = self.examples[index]
        return self.window(example, epoch), target(example, self.labels), counts

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, slots=True)
class Evaluation(Dataset[Item]):
    """Examples with their even windows (V, …). `windows`: from an example to them."""

    examples: Sequence[Example]
    labels: tuple[str, ...]
    windows: Callable[[Example], torch.Tensor]

    def __getitem__(self, key: tuple[int, bool]) -> Item:
        index, counts = key
        example = self.examples[index]
        return self.windows(example), target(example, self.labels), counts

    def __len__(self) -> int:
        return len(self.examples)


def training_batches(training: Training, batch: int, seed: int, ranks: Ranks = ALONE) -> DataLoader[Item]:
    """A process's shares of batches in each epoch's order."""
    return DataLoader(training, batch_sampler=Shares(EpochOrder(len(training), seed), batch, ranks))


def evaluation_batches(evaluation: Evaluation, batch: int, ranks: Ranks = ALONE) -> DataLoader[Item]:
    """A process's shares of batches in the examples' order."""
    return DataLoader(evaluation, batch_sampler=Shares(SequentialSampler(evaluation), batch, ranks))


def target(example: Example, labels: tuple[str, ...]) -> int:
    """Index of an example's class."""
    return labels.index(str(example.clip.label))
