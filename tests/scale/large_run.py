"""Run directories of any size, written by `RunWriter` itself, of predictions that are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from actionbench.datasets.clip import Clip
from actionbench.records.run import ClipRecord, ModelRecord, Run
from actionbench.records.run_directory import RunWriter

STAGES_S = {"decode": 0.31, "resize": 0.22, "flow": 2.94, "upload": 0.011, "forward": 0.87, "download": 1e-4}
_BLOCK = 1000
"""Clips whose scores are drawn at once."""


def large_clips(clips: int, classes: int, folder: Path) -> tuple[Clip, ...]:
    """Clips of files that do not exist, named as those of Kinetics are."""
    names = [f"class number {label:03}" for label in range(classes)]
    return tuple(
        Clip(f"{names[i % classes]}/{i:011}_000010_000020.mp4", folder / f"{i:011}.mp4", names[i % classes])
        for i in range(clips)
    )


def write_large_run(
    path: Path, models: int, clips: int, classes: int, failing: int = 1000, done: float = 1.0
) -> Path:
    """A run of `models` × `clips` predictions as the accuracy pass writes it.

    - `failing`: one of as many clips is recorded with an error.
    - `done`: share of the last model's clips that were reached before the run was interrupted.

    Nothing is synced to the disk: that would take milliseconds for each record.
    """
    keys = [f"network-{number}@torch" for number in range(models)]
    labels = tuple(f"class number {label:03}" for label in range(classes))
    run = Run(
        "2026-01-02T03:04:05Z",
        {"models": keys},
        {"cpu": "Some CPU", "cores": 2, "gpus": [], "packages": {}},
        {"name": "large", "digest": "abc", "clips": clips, "missing": [], "unknown_labels": []},
        labels[3],
        tuple(
            ModelRecord(key, "a network", "torch", "cpu", {"rgb": {"kind": "user", "name": key}}, labels, "1")
            for key in keys
        ),
        "interrupted" if done < 1 else "done",
    )
    drawn = large_clips(clips, classes, path)
    with pytest.MonkeyPatch.context() as patch, RunWriter(path, run) as writer:
        patch.setattr("os.fsync", lambda _file: None)
        for seed, key in enumerate(keys):
            last = int(done * clips) if key == keys[-1] else clips
            answers = zip(drawn[:last], _scores(clips, classes, seed), strict=False)
            for i, (clip, scores) in enumerate(answers):
                if i % failing == failing - 1:
                    writer.append_clip(ClipRecord(key, clip.id, clip.label, True, error="no moov atom"), None)
                    continue
                best = np.argsort(-scores)[:5]
                top5 = tuple((labels[k], float(scores[k])) for k in best)
                record = ClipRecord(
                    *(key, clip.id, clip.label, True, top5, float(scores[3]), None, 1, 250, 10.0, STAGES_S)
                )
                writer.append_clip(record, scores)
    return path


def _scores(clips: int, classes: int, seed: int) -> Iterator[npt.NDArray[np.float32]]:
    """Probabilities of each clip: right in 70 %, otherwise of any class."""
    rng = np.random.default_rng(seed)
    for start in range(0, clips, _BLOCK):
        rows = rng.random((_BLOCK, classes), np.float32) / classes
        right = rng.random(_BLOCK) < 0.7
        taken = np.where(right, np.arange(start, start + _BLOCK), rng.integers(classes, size=_BLOCK))
        rows[np.arange(_BLOCK), taken % classes] += rng.random(_BLOCK, np.float32)
        yield from rows / rows.sum(1, keepdims=True)
