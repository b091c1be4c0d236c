"""The folder of a fine-tuning: its settings, its split, and its result."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ..atomic import is_abandoned, remove_abandoned, replacing
from ..datasets.composed.splits import Split
from ..errors import UsageError
from ..models.detectors.graph import description_path
from ..models.detectors.registry import ChosenDetector
from ..models.finetuning.finetuned import (
    BASELINE,
    PEOPLE,
    WEIGHTS,
    Finetuned,
    is_finetuned,
    write_description,
)
from ..models.finetuning.trainable import saved_state
from ..models.weights.formats.safetensors_files import write_safetensors
from ..models.weights.record import digest
from ..parsing import parse_json, to_yaml
from ..records.lock import LOCK_FILES, FolderLock, is_unreleased
from ..settings import from_mapping, read_config, to_plain
from .config import FinetuneConfig

CONFIG, SPLIT = "config.yaml", "split.json"


CHECKPOINTS = "checkpoints"
"""Folder, in that of a training, of what it goes on from; removed when it has ended."""


def is_finished(folder: Path) -> bool:
    """Whether the folder's training, or its baseline, has ended: the description is written last."""
    return is_finetuned(folder) or (folder / BASELINE).is_file()


def resume_command(folder: Path) -> str:
    """The command that goes on with the training in `folder`."""
    return f"bench finetune --resume {folder}"


def locked(folder: Path) -> FolderLock:
    """The lock of a training's folder, which is made where it is missing.

    Raises UsageError if another process trains in it.
    """
    return FolderLock(folder, "is being trained", remedy="Wait until it ends, or end it.")


def begin(folder: Path, config: FinetuneConfig) -> None:
    """Make the folder, and write the settings.

    Raises UsageError if the folder holds anything but what a process leaves that is killed in here, or if
    another process begins a training in it.
    """
    _require_empty(folder)
    with locked(folder):
        _require_empty(folder)  # another process may have begun before the lock was taken
        remove_abandoned(folder)
        _write(folder / CONFIG, to_yaml(to_plain(config)))


def _require_empty(folder: Path) -> None:
    there = folder.iterdir() if folder.exists() else ()
    if any(path.name not in LOCK_FILES and not is_abandoned(path) for path in there):
        raise UsageError(
            "exists and is not empty",
            where=f"--out {folder}",
            remedy=f"Name another folder, or go on: `{resume_command(folder)}`.",
        )


def tidy(folder: Path) -> None:
    """Remove what a training that has ended does not need any more, in a folder that is locked."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    remove_abandoned(folder)


def tidy_ended(folder: Path) -> None:
    """Do it for a training that had ended when its process was killed or interrupted.

    Nothing is written where nothing was left: the result may be one that is only read. Raises UsageError if a
    process is still at it.
    """
    if is_unreleased(folder) or (folder / CHECKPOINTS).exists():
        with locked(folder):
            tidy(folder)


def read_settings(folder: Path) -> FinetuneConfig:
    """The settings of the training in `folder`. Raises UsageError."""
    if not (folder / CONFIG).is_file():
        raise UsageError(
            "holds no fine-tuning", where=folder, expected=f"a {CONFIG}", remedy="`bench finetune` makes one."
        )
    path = folder / CONFIG
    return from_mapping(FinetuneConfig, read_config(path, str(path)), str(path))


def settle_split(folder: Path, split: Split) -> None:
    """Write which examples are on which side of the split; if that is written already, require the same.

    Raises UsageError if the data changed since the training began.
    """
    sides = {
        side: [[each.clip.id, each.clip.sha256] for each in getattr(split, side)]
        for side in ("train", "validation", "test")
    }
    path = folder / SPLIT
    if path.is_file():
        try:
            same = {side: parse_json(path.read_bytes())[side] for side in sides} == sides
        except (ValueError, LookupError, TypeError) as error:
            raise UsageError(f"is damaged: {error}", where=path) from error
        if not same:
            raise UsageError(
                "the data is not what it was when this training began",
                where=path,
                remedy="Start it anew, with another --out.",
            )
        return
    plain = {"name": split.name, "notes": list(split.notes), **sides}
    _write(path, json.dumps(plain, ensure_ascii=False, indent=1) + "\n")


def write_network(
    folder: Path, net: nn.Module, described: Mapping[str, Any], people: ChosenDetector | None = None
) -> None:
    """Write the network, the detector that it was trained with, and, last, its description.

    - `described`: fields of `Finetuned` but the digest.
    - `people`: the detector; its file is copied, so that the folder depends on no other.

    Raises OSError if the files cannot be written.
    """
    if people is not None and people.file is not None:
        _copy(people.file, folder / PEOPLE)
        if (description := description_path(people.file)).is_file():
            _copy(description, description_path(folder / PEOPLE))
    write_safetensors(saved_state(net), folder / WEIGHTS)
    network = Finetuned(**described, sha256=digest([folder / WEIGHTS]))
    write_description(folder, network)


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())


def _copy(file: Path, copy: Path) -> None:
    with file.open("rb") as source, replacing(copy) as target:
        shutil.copyfileobj(source, target)
