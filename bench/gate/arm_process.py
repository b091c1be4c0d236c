"""The process of an arm whose networks take turns: `-m … .arm_process SETTINGS.json`.

It plans a run by these settings once for the whole gate, and answers requests, a line each, by JSON objects,
a line each:

- at its start: {"models": [NAME, …]};
- "start NAME": a fresh worker; {"ready": {"load_s": …, "first_s": …}} when it is loaded and warm;
- "turn": the worker times a clip; {"stages_s": {…}, "total_s": …, "cpu_s": …, "peak_rss_bytes": …};
- "end": the worker is ended, if it is not yet; no answer.

{"error": …} is the answer where there is no other.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ...errors import ActionBenchError, BackendUnavailable
from ...settings import read_config
from ..console.progress import Console
from ..plan.config import from_mapping
from ..plan.selection import expanded
from ..runner import planned
from ..timed_clips import timed_clips
from ..worker.events import FirstForward, Measured, Ready, Waiting
from ..worker.supervisor import Outcome, Worker
from ..worker.turns import TurnSettings

LOG = "workers.log"
"""Beside the settings: what the workers write to standard error."""


class _Answers:
    """The pipe to the gate; what libraries print to standard output goes to standard error instead."""

    def __init__(self) -> None:
        self._pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def __call__(self, answer: Mapping[str, Any]) -> None:
        self._pipe.write(json.dumps(answer, allow_nan=False) + "\n")
        self._pipe.flush()


def main() -> None:
    answer = _Answers()
    try:
        workers = _workers(Path(sys.argv[1]))
    except ActionBenchError as error:
        answer({"error": str(error)})
        return
    answer({"models": list(workers)})
    requests = (line.strip() for line in sys.stdin)
    for request in requests:
        verb, _, name = request.partition(" ")
        if verb == "start":
            _serve(workers[name], requests, answer)


def _workers(settings: Path) -> dict[str, Worker]:
    """Model → the worker that times it in turns. Raises as planning does, and for a model that is refused."""
    console = Console()
    config = from_mapping(read_config(settings), str(settings))
    plan = planned(expanded(config.resolved(), console.say), console)
    for model, refusal in plan.refusals.items():
        raise BackendUnavailable(refusal, where=model)
    clips, turn = timed_clips(plan), TurnSettings(config.latency_seconds)
    return {
        model.key: Worker(
            model.job("turns", clips, settings=turn),
            model.python,
            settings.parent / LOG,
            config.clip_timeout,
            console.say,
        )
        for model in plan.models
    }


def _serve(worker: Worker, requests: Iterator[str], answer: _Answers) -> None:
    """Run a fresh worker until a request is not for a turn."""
    outcome = Outcome()
    once: dict[str, float] = {}
    samples: list[Mapping[str, Any]] | None = None  # until it is warm: none counts
    with closing(worker.events(outcome)) as events:
        for event in events:
            match event:
                case Ready():
                    once["load_s"] = event.load_s
                case FirstForward():
                    once["first_s"] = event.first_s
                case Measured() if samples is not None:
                    samples.append(event.values)
                case Waiting():
                    answer({"ready": once} if samples is None else _turn(samples, event))
                    samples = []
                    if next(requests, "end") != "turn":
                        return
    answer({"error": f"{worker.job.request}: {outcome.failed}"})


def _turn(samples: Sequence[Mapping[str, Any]], now: Waiting) -> dict[str, Any]:
    """Means over the samples of a turn: its whole time counts."""
    stages: dict[str, list[float]] = {}
    for sample in samples:
        for stage, seconds in sample["stages_s"].items():
            stages.setdefault(stage, []).append(seconds)
    peak_device = now.details.get("peak_device_bytes")
    return {
        "stages_s": {stage: statistics.fmean(seconds) for stage, seconds in stages.items()},
        "total_s": statistics.fmean(sample["total_s"] for sample in samples),
        "cpu_s": statistics.fmean(sample["cpu_s"] for sample in samples),
        "peak_rss_bytes": now.peak_rss_bytes,
        **({"peak_device_bytes": peak_device} if isinstance(peak_device, int) else {}),
    }


if __name__ == "__main__":
    main()
