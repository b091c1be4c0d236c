"""What one slot runs in an arm's place, in a fresh process, and what is read from it."""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

from ...atomic import write_file
from ...child_process import how_it_ended, last_lines, run_captured, run_to_end
from ...errors import MeasurementError
from ...parsing import parse_json
from ...records.disturbance import drop_disturbed
from ...records.gate import Values
from ...records.json_lines import lines
from ...records.metrics import CPU, FIRST, LOAD, PEAK_MEMORY, TOTAL
from .protocol import COMMAND, reported
from .targets import Place
from .turns import CommandTurns, TakesTurns, network_turns, takes_turns

UNREAD = ("report", "peak")
"""Settings of `bench run` that are for readers of a report: each takes seconds, and nobody reads a slot's."""

KEPT = ("run.json", "latency.jsonl", "clips.jsonl", "logs")
"""Of a slot's run directory; what is derived from these is removed."""

_HELP_LIMIT_S = 120.0
"""Time limit of a command's help, which may compile the code of a new environment first."""


class Work(Protocol):
    """What a slot runs: the same in both arms."""

    def __call__(self, place: Place, folder: Path) -> Values:
        """Run it once in `place`; `folder`, which is empty, is for what it leaves.

        Raises MeasurementError if it fails, takes too long, or measures nothing.
        """

    def turns(self, place: Place, folder: Path, held: ExitStack) -> TakesTurns | str:
        """What is measured in turns in `place`; where that cannot be done, why not, as a clause.

        `folder`, which is empty, is for what it leaves; `held` gets a process that lives as long as the gate.
        Where it cannot be done, the work was done once, so that the arm is warm. Raises as a call does.
        """


@dataclass(frozen=True, slots=True)
class BenchRun:
    """`bench run` with one latency process for each model, or the same networks in turns.

    `settings`, `in_turns`: of a slot and of a turn, as in its YAML file.
    """

    settings: Mapping[str, Any]
    in_turns: Mapping[str, Any]
    timeout_s: float

    def __call__(self, place: Place, folder: Path) -> Values:
        run_process(bench_run(place, self.settings, folder), place, folder, self.timeout_s)
        run = folder / "run"
        values = read_latency(run)
        for path in run.iterdir():
            if path.name not in KEPT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return values

    def turns(self, place: Place, folder: Path, held: ExitStack) -> TakesTurns | str:
        """See `Work`."""
        if takes_turns(place):
            settings = _written(self.in_turns, folder)
            return held.enter_context(network_turns(place, settings, self.timeout_s))
        self(place, folder)
        return "its version of ActionBench does not take turns"


def bench_run(place: Place, settings: Mapping[str, Any], folder: Path) -> list[str]:
    """The command of a run in `folder`/run; its settings are written beside it."""
    config = _written(settings, folder)
    # -P: the working folder may hold a `datasets` or a `models` of its own.
    command = [place.python, "-P", "-m", "actionbench", "run", "--config", str(config.absolute())]
    return [*command, "--out", str((folder / "run").absolute())]


def _written(settings: Mapping[str, Any], folder: Path) -> Path:
    """The file of a run's settings, written to `folder`. JSON is YAML."""
    config = folder / "config.json"
    return write_file(config, json.dumps(settings, ensure_ascii=False, indent=1), sync=False)


def without_unread(place: Place, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run that leaves out what nobody reads, as far as the arm's ActionBench, which may be
    an older one, has options for it in its help."""
    command = [place.python, "-P", "-m", "actionbench", "run", "--help"]
    try:
        answer = run_captured(command, cwd=place.root, env=place.environment(), timeout_s=_HELP_LIMIT_S)
    except TimeoutError:
        raise MeasurementError(
            f"`bench run --help` took longer than {_HELP_LIMIT_S:g} s", where=place.record.spec
        ) from None
    return {**settings, **{name: False for name in UNREAD if f"--no-{name}" in answer.text}}


@dataclass(frozen=True, slots=True)
class Command:
    """Any command: its wall time, or what it says of itself.

    If its last line of output is a JSON object with "total_s" or "stages_s", those are its times: seconds,
    all of it and by stage; "cpu_s" and "peak_rss_bytes" are taken too.
    """

    words: tuple[str, ...]
    timeout_s: float

    def __call__(self, place: Place, folder: Path) -> Values:
        wall_s, output = run_process(list(self.words), place, folder, self.timeout_s)
        return {COMMAND: _last_line(output) or {TOTAL: wall_s}}

    def turns(self, place: Place, folder: Path, held: ExitStack) -> TakesTurns | str:  # noqa: ARG002
        """See `Work`."""
        turns = CommandTurns(self.words, place, self.timeout_s)
        return turns if turns.may_start(folder) else "its command does not take turns"


def run_process(command: list[str], place: Place, folder: Path, timeout_s: float | None) -> tuple[float, str]:
    """Run `command` to its end: (seconds, its standard output). Its output is kept in `folder`.

    Raises MeasurementError if it does not start, fails or takes too long, OSError if the disk does not take
    its output; what it started is ended too.
    """
    output, errors = folder / "stdout.txt", folder / "stderr.txt"
    # Unbuffered: what a full disk refuses would be refused again where it is closed.
    with output.open("wb", buffering=0) as out, errors.open("wb") as err:
        try:
            status, wall_s = run_to_end(
                command,
                cwd=place.root,
                env=place.environment(),
                stdout=out,
                stderr=err,
                timeout_s=timeout_s,
            )
        except TimeoutError:
            raise MeasurementError(
                f"a slot took longer than {timeout_s:g} s", where=place.record.spec, remedy="See --timeout."
            ) from None
        except OSError as error:
            raise MeasurementError(
                f"cannot be run: {error.strerror}", where=f"{place.record.spec}: {command[0]}"
            ) from error
        _require_whole(output, out)
    if status != 0:
        raise MeasurementError(
            f"a slot failed ({how_it_ended(status)}); all its output is in {folder}; its last lines:\n"
            f"{last_lines(errors.read_bytes())}",
            where=place.record.spec,
        )
    return wall_s, output.read_text(encoding="utf-8", errors="replace")


def _require_whole(path: Path, file: FileIO) -> None:
    """Raise OSError for the output of a process that a full disk may have cut: nothing can be added to it.

    Whoever wrote it may not have noticed; a slot whose last line is cut would count by its wall time.
    """
    try:
        end = file.seek(0, os.SEEK_END)
        file.write(b"\n")
        file.truncate(end)
    except OSError as error:
        error.filename = str(path)
        raise


def _last_line(output: str) -> dict[str, float] | None:
    """The times in a command's last line; None if there are none."""
    try:
        return reported(parse_json(output.strip().rpartition("\n")[2]))
    except ValueError:
        return None


def read_latency(run: Path) -> Values:
    """Medians over the samples of each model's process in a run directory.

    Reads the few fields it needs from `latency.jsonl`, whichever version of ActionBench has written it.
    Raises MeasurementError if a process failed or nothing was timed.
    """
    samples: dict[str, list[dict[str, Any]]] = defaultdict(list)
    once: dict[str, dict[str, float]] = defaultdict(dict)
    for raw in lines(run / "latency.jsonl"):
        if raw["kind"] == "sample":
            samples[raw["model"]].append(raw)
        elif raw["kind"] == "process":
            if raw.get("error") is not None:
                raise MeasurementError(f"a process gave no measurement: {raw['error']}", where=raw["model"])
            for metric, field in ((LOAD, "load_s"), (FIRST, "first_s"), (PEAK_MEMORY, "peak_rss_bytes")):
                if raw.get(field) is not None:
                    once[raw["model"]][metric] = float(raw[field])
    if not samples:
        raise MeasurementError("the slot measured nothing", where=run)
    return {model: _medians(group) | once[model] for model, group in samples.items()}


def _medians(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Metric → median over one process's samples, as the reports choose them."""
    counted = drop_disturbed(
        samples,
        clip=lambda sample: (sample.get("process"), sample.get("clip")),
        disturbed=lambda sample: bool(sample.get("disturbed", False)),
    )
    series: dict[str, list[float]] = defaultdict(list)
    for sample in counted:
        times = {**sample["stages_s"], TOTAL: sample["total_s"]}
        if "cpu_s" in sample:
            times[CPU] = sample["cpu_s"]
        for name, seconds in times.items():
            series[name].append(float(seconds))
    return {name: statistics.median(values) for name, values in series.items()}


def read_right(run: Path) -> dict[str, dict[str, bool]]:
    """Model → clip → whether it was predicted right, of the clips with a label that the model knows."""
    right: dict[str, dict[str, bool]] = defaultdict(dict)
    for raw in lines(run / "clips.jsonl"):
        if raw.get("error") is None and raw["scored"] and raw["top5"]:
            right[raw["model"]][raw["clip"]] = raw["top5"][0][0] == raw["label"]
    return dict(right)
