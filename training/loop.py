"""The loop around a training: Lightning's trainer with checkpoints, early stop and logs, in one folder."""

from __future__ import annotations

import csv
import io
import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader

from ..atomic import write_file
from .config import FinetuneConfig
from .inputs.examples import Item
from .network import MACRO_F1, TRAINING_LOSS, VALIDATION_LOSS, TrainedNetwork
from .ranks.group import WAIT, cluster, placement
from .reporting import Progress, Reporter
from .result import CHECKPOINTS

LAST, BEST, ENDED = "last.ckpt", "best.ckpt", "ended"
CSV = "training.csv"
COLUMNS = ("epoch", "learning_rate", TRAINING_LOSS, VALIDATION_LOSS, MACRO_F1, "validation_accuracy")


def fit(
    network: TrainedNetwork,
    training: DataLoader[Item],
    validation: DataLoader[Item] | None,
    config: FinetuneConfig,
    folder: Path,
    reporter: Reporter,
) -> int:
    """Train `network`, or continue from the checkpoint in `folder`; returns the best epoch, from 0 on.

    Afterwards it has the weights of that epoch: the one with the best macro F1 on the validation examples
    (the first of equals), or without any the last one. Written into `folder` alone: checkpoints after each
    epoch, the figures of all epochs as CSV, and TensorBoard's log where the configuration asks for it. All
    processes of a training call this; the first one alone writes.
    """
    last, ended = folder / CHECKPOINTS / LAST, folder / CHECKPOINTS / ENDED
    network.train()
    with reporter.task("training", config.epochs) as progress, _quiet():
        figures = _Figures(folder / CSV, progress)
        # Two, because Lightning's `save_last` writes only where the best one is new. The best comes first,
        # so that the last one, from which a training goes on, knows of it.
        callbacks: list[Any] = [figures]
        if validation is not None:
            callbacks.append(_checkpoint(folder / CHECKPOINTS, BEST, MACRO_F1))
        callbacks.append(_checkpoint(folder / CHECKPOINTS, LAST, None))
        if config.early_stop and validation is not None:
            callbacks.append(EarlyStopping(MACRO_F1, patience=config.early_stop, mode="max"))
        trainer = lightning.Trainer(
            **placement(config),
            **_strategy(config),
            max_epochs=config.epochs,
            callbacks=callbacks,
            logger=_tensorboard(folder) if config.tensorboard else False,
            default_root_dir=folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        if not ended.exists():  # after an early stop it would go on for another epoch
            _fit(trainer, network, training, validation, last)
            if trainer.is_global_zero:
                ended.touch()
        best = folder / CHECKPOINTS / BEST if validation is not None else last
        kept = torch.load(best, map_location="cpu", weights_only=True)
    network.load_state_dict(kept["state_dict"])
    network.eval()
    return int(kept["epoch"])


def _checkpoint(folder: Path, name: str, highest: str | None) -> ModelCheckpoint:
    """Writes the file `name` after each epoch; with `highest` only where that figure is a new highest."""
    return ModelCheckpoint(
        folder,
        filename=name.removesuffix(".ckpt"),
        monitor=highest,
        mode="max",
        save_top_k=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


class _AtomicCheckpoints(TorchCheckpointIO):
    """A checkpoint is the old one or the complete new one.

    Lightning's are written into the folder for temporary files. Where that is on another disk they are then
    copied, and a process that is killed meanwhile, or a full disk, leaves half of one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        assert storage_options is None, "of other file systems"
        data = io.BytesIO()
        torch.save(checkpoint, data)
        write_file(Path(path), data.getvalue())


def _strategy(config: FinetuneConfig) -> dict[str, Any]:
    """Lightning's settings of how checkpoints are written and, with several processes, of these."""
    if config.devices * config.nodes == 1:
        return {"plugins": [_AtomicCheckpoints()]}
    # Buffers are averaged by the network, once an epoch.
    strategy = DDPStrategy(broadcast_buffers=False, timeout=WAIT)
    return {"strategy": strategy, "plugins": [cluster(), _AtomicCheckpoints()]}


def _fit(
    trainer: lightning.Trainer, network: TrainedNetwork, training: Any, validation: Any, last: Path
) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(
            network, training, validation, ckpt_path=last if last.exists() else None, weights_only=True
        )
    except SystemExit as error:  # what Lightning makes of an interrupt, ignoring any further one
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from error


class _Figures(lightning.Callback):
    """The figures of each epoch, as a table on disk; they are part of the checkpoints.

    It also reports the progress of the epoch.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path, self._progress = path, progress
        self._rows: list[dict[str, float]] = []
        self._rate = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, _module: lightning.LightningModule) -> None:
        self._rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        done, batches = trainer.fit_loop.batch_idx + 1, trainer.num_training_batches
        self._progress.note(f"epoch {trainer.current_epoch + 1}: {done}/{batches} steps")

    def on_train_epoch_end(self, trainer: lightning.Trainer, _module: lightning.LightningModule) -> None:
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._rows.append({"epoch": trainer.current_epoch, "learning_rate": self._rate, **figures})
        if not trainer.is_global_zero:
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write_file(self._path, text.getvalue())
        note = f"macro F1 {figures[MACRO_F1]:.3f}" if MACRO_F1 in figures else ""
        self._progress.advance(note)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self._rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rows = list(state_dict["rows"])


def _tensorboard(folder: Path) -> Any:
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(folder, name="tensorboard", version="")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's hints, which name products and settings that are not ours; warnings stay."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for hint in _HINTS:
                warnings.filterwarnings("ignore", message=hint)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


_HINTS = (
    ".*does not have many workers.*",  # with two cores, decoding in others would gain nothing
    ".*is smaller than the logging interval.*",
    ".*Checkpoint directory .* exists and is not empty.*",  # where a training goes on
    ".*validation_step` but have no `val_dataloader`.*",  # small sets have no validation examples
    ".*module\\(s\\) in eval mode at the start of training.*",  # the frozen ones
    ".*sync_dist=True.*when logging on epoch level.*",  # torchmetrics has reduced these figures
    ".*isinstance\\(treespec, LeafSpec\\).*",  # torch, of Lightning's own code
)
"""Of Lightning: what each says is meant to be so."""
