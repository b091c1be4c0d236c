"""What is disturbed: commands that go on where they ended, and what must be the same of their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from actionbench.datasets.sources.folder import load_folder
from actionbench.datasets.sources.manifest import write_manifest

from ..bench.conftest import write_video
from . import runs, trainings
from .processes import Command, Forked, Start

NOTHING = "nothing"
"""Stage of a command that has to be given again as it was."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A command that writes into a folder.

    - `start`: starts a process of it.
    - `begin`, `go_on`: from the folder to the words of the command, and of the one that continues it.
    - `stage`: how far it has come, judging by the folder; `NOTHING` before there is anything to continue.
    - `stages`: all of these, in their order.
    - `answers`: what must be the same, by name. Raises AssertionError for a folder that is not as a finished
      command leaves it.
    """

    start: Start
    begin: Callable[[Path], list[str]]
    go_on: Callable[[Path], list[str]]
    stage: Callable[[Path], str]
    stages: tuple[str, ...]
    answers: Callable[[Path], Mapping[str, object]]


def run(folder: Path) -> Subject:
    """A run of twelve clips of one colour each, which are written into `folder`."""
    for number in range(12):
        write_video(folder / "jogging" / f"{number}.mp4", np.array([number, 4, 5]) / 12)
    data = folder / "clips.csv"
    write_manifest(data, load_folder(str(folder), vocabulary=()))

    def answers(out: Path) -> Mapping[str, object]:
        runs.assert_whole(out)
        return runs.answers(out)

    return Subject(
        Command, lambda out: runs.words_of(data, out), runs.go_on, runs.stage, runs.STAGES, answers
    )


def finetune(folder: Path) -> Subject:
    """A training on features, with an operating point; its set and its initial weights are in `folder`."""
    settings = trainings.settings(folder, epochs=12)
    return Subject(
        Forked,
        lambda out: trainings.words_of(settings, out),
        trainings.go_on,
        trainings.stage,
        trainings.STAGES,
        trainings.files,
    )


def experiments(folder: Path) -> Subject:
    """Two trainings and two baselines, and their comparison."""
    table = trainings.table(folder, trainings.settings(folder, epochs=3))

    def words(out: Path) -> list[str]:
        return ["experiments", str(table), "--out", str(out)]

    return Subject(
        Forked, words, words, trainings.stage_of_experiments, trainings.STAGES_OF_EXPERIMENTS, trainings.files
    )


SUBJECTS: Mapping[str, Callable[[Path], Subject]] = {
    "run": run,
    "finetune": finetune,
    "experiments": experiments,
}
