"""A network, or its head, as Lightning trains it."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import nn
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from ..errors import MeasurementError
from .config import FinetuneConfig
from .inputs.windows import seed_of

MACRO_F1 = "validation_macro_f1"
VALIDATION_LOSS = "validation_loss"
TRAINING_LOSS = "training_loss"

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""What goes in, (N, …); indices of the classes (N,) int64; which examples count (N,) bool: all or none."""


class TrainedNetwork(lightning.LightningModule):
    """From its input to logits, with loss, metrics and optimiser.

    - `net`: (N, …) to logits (N, classes): a whole network, or its head where features go in.
    - `loss`: logits and targets to a scalar.
    - `still`: modules that stay in evaluation mode.
    - `validated`: whether there are validation examples.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: nn.Module,
        config: FinetuneConfig,
        classes: int,
        still: tuple[nn.Module, ...] = (),
        validated: bool = True,
    ) -> None:
        super().__init__()
        self.net = net
        self.loss = loss
        self._config = config
        self._still = still
        self._validated = validated
        self._validation_loss = MeanMetric()
        self._metrics = MetricCollection(
            {
                MACRO_F1: MulticlassF1Score(classes, average="macro"),
                "validation_accuracy": MulticlassAccuracy(classes, average="micro"),
            }
        )

    def train(self, mode: bool = True) -> TrainedNetwork:
        super().train(mode)
        for module in self._still:
            module.eval()
        return self

    def on_train_epoch_start(self) -> None:
        # What a network draws (dropout) is the same whether it was resumed or not, and differs between clips.
        of_rank = (self.global_rank,) if self.global_rank else ()
        torch.manual_seed(seed_of("epoch", self._config.seed, self.current_epoch, *of_rank))

    def training_step(self, batch: Batch, _index: int) -> torch.Tensor:
        inputs, targets, counted = batch
        loss: torch.Tensor = self.loss(self.net(inputs), targets)
        self._require_number(loss)
        # A process's loss is the mean of its share, by the weights of its classes, and `ddp` takes the plain
        # mean of the processes' gradients: scaled, that is the gradient of the mean of the whole batch.
        weights = getattr(self.loss, "weight", None)
        weight = (counted if weights is None else weights[targets] * counted).sum()
        of_all = torch.stack([weight.float(), counted.sum().float()])
        of_all = self.trainer.strategy.reduce(of_all, reduce_op="sum")
        loss = loss * (weight * self.trainer.world_size / of_all[0])
        self.log(TRAINING_LOSS, loss, on_step=False, on_epoch=True, batch_size=int(of_all[1]), sync_dist=True)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        # Before the validation and the checkpoint: each process's are of its own clips.
        if self.trainer.world_size > 1 and self.trainer.is_last_batch:
            for module in self.net.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm) and module not in self._still:
                    for statistics in (module.running_mean, module.running_var):
                        if statistics is not None:
                            statistics.copy_(self.trainer.strategy.reduce(statistics, reduce_op="mean"))

    def _require_number(self, loss: torch.Tensor) -> None:
        if not torch.isfinite(loss):
            raise MeasurementError(
                "the loss is no number any more",
                where=f"epoch {self.current_epoch}",
                remedy="Train with a lower --learning-rate.",
            )

    def validation_step(self, batch: Batch, _index: int) -> None:
        inputs, targets, counted = batch
        if not counted.any():
            return
        scores = log_probabilities(self.net, inputs)
        loss = nn.functional.nll_loss(scores, targets)
        self._require_number(loss)
        self._validation_loss.update(loss, len(targets))
        self._metrics.update(scores, targets)

    def on_validation_epoch_end(self) -> None:
        self.log(VALIDATION_LOSS, self._validation_loss.compute())
        self.log_dict(self._metrics.compute())
        self._validation_loss.reset()
        self._metrics.reset()

    def configure_optimizers(self) -> Any:
        how = self._config
        optimizer = torch.optim.SGD(
            [each for each in self.net.parameters() if each.requires_grad],
            lr=how.learning_rate,
            momentum=how.momentum,
            weight_decay=how.weight_decay,
        )
        if how.lr_rule == "steps":
            scheduler: Any = torch.optim.lr_scheduler.MultiStepLR(optimizer, list(how.lr_steps), 0.1)
            return {"optimizer": optimizer, "lr_scheduler": scheduler}
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", 0.1, how.lr_patience)
        watched = VALIDATION_LOSS if self._validated else TRAINING_LOSS
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": watched}}


def log_probabilities(net: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """(N, classes) of examples' views (N, V, …): the logarithm of the views' mean probabilities."""
    count, views = inputs.shape[:2]
    logits = net(inputs.flatten(0, 1)).unflatten(0, (count, views))
    # Not the logarithm of a mean, which may be that of zero.
    scores: torch.Tensor = logits.double().log_softmax(-1).logsumexp(1).float() - math.log(views)
    return scores
