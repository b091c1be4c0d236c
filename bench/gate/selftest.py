"""`bench gate --self-test`: how often the gate is wrong on this machine, and how often it sees a slowdown.

Whole gates are run on a light workload: of identical arms, where every claim of a change is false, and of
arms that differ by an injected slowdown, which should be caught. Each is kept as soon as it has ended.
"""

from __future__ import annotations

import shlex
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from tabulate import tabulate

from ...errors import UsageError
from ...records.json_lines import AppendedFile, mend, records, to_json
from ...records.lock import FolderLock
from ...reports.numbers import percent
from ...reports.statistics.intervals import wilson
from ...reports.statistics.sequential import Rule, Verdict
from ..console.progress import Console
from . import workload
from .config import GateConfig
from .runner import start_gate

Trial = Literal["identical", "injected"]

GATES = "gates.jsonl"


@dataclass(frozen=True, slots=True)
class SelfTestConfig:
    """What is tried.

    - `rule`, `pair_s`: of every gate.
    - `minutes`: no gate begins later. `gates`: at most so many of each kind, None for as many as there is
      time for.
    - `injected`: the slowdown, as a share, a multiple of 1 / `workload.UNITS`.
    """

    rule: Rule
    pair_s: float = 30.0
    minutes: float = 60.0
    gates: int | None = None
    injected: float = 0.2

    def __post_init__(self) -> None:
        rounds = self.injected * workload.UNITS
        if self.injected <= 0 or abs(rounds - round(rounds)) > 1e-6:
            raise UsageError(
                "cannot be injected exactly",
                where="--injected",
                expected=f"a multiple of {100 / workload.UNITS:g} %",
                found=f"{100 * self.injected:g} %",
            )


@dataclass(frozen=True, slots=True)
class Tried:
    """One gate of the self-test. `ratio`: of the total; `seconds`: that the gate took."""

    number: int
    kind: Trial
    verdict: Verdict
    reason: str
    pairs: int
    ratio: float
    control_ratio: float
    seconds: float


def self_test(config: SelfTestConfig, out: Path | None, console: Console) -> str:
    """Run gates of both kinds in turns; their table. A directory that has some already is gone on with."""
    folder = out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-gate-self-test"
    remedy = "Wait for its end, or name another --out."
    resume = f"bench gate --self-test --out {folder}"
    with (
        FolderLock(folder, "another self-test is writing this directory", remedy=remedy) as lock,
        closing(AppendedFile(folder / GATES, lock, resume)) as file,
    ):
        console.say(f"self-test's directory: {folder}")
        video = folder / "video.mp4"
        workload.write_video(video)
        mend(folder / GATES)
        tried = list(records(folder / GATES, Tried))
        begin = time.monotonic()
        most = None if config.gates is None else 2 * config.gates
        while (most is None or len(tried) < most) and time.monotonic() - begin < 60 * config.minutes:
            one = _try(len(tried), config, video, folder, console)
            file.add(to_json(asdict(one)))
            tried.append(one)
            console.say(
                f"gate {one.number} of {one.kind} arms: {one.verdict} after {one.pairs} pairs, "
                f"ratio {one.ratio:.3f}, {one.seconds:.0f} s"
            )
    return table(tried, config.injected)


def _try(number: int, config: SelfTestConfig, video: Path, folder: Path, console: Console) -> Tried:
    kind: Trial = "identical" if number % 2 == 0 else "injected"
    command = workload.command(video)
    slow = [*command, "--slow", f"{config.injected:g}"] if kind == "injected" else command
    gate = GateConfig(
        base=f"command:{shlex.join(command)}",
        candidate=f"command:{shlex.join(slow)}",
        threshold=config.rule.threshold,
        pairs=config.rule.pairs,
        max_pairs=config.rule.max_pairs,
        pair_s=config.pair_s,
    )
    begin = time.monotonic()
    # A gate that an interruption left half done is no gate of the test: its directory is not used again.
    result = start_gate(gate, folder / f"{number:03}-{kind}-{time.time():.0f}", console)
    (total,) = result.primaries
    return Tried(
        number,
        kind,
        result.verdict,
        result.reason,
        result.pairs,
        total.ratio.value,
        result.control.ratio.value,
        time.monotonic() - begin,
    )


def table(tried: Sequence[Tried], injected: float) -> str:
    """False alarms and power, each with its 95 % Wilson interval; Markdown."""
    rows = []
    for title, kind, verdicts in (
        ("identical arms called a regression", "identical", ("regression",)),
        ("identical arms called a regression or an improvement", "identical", ("regression", "improvement")),
        ("identical arms called fine", "identical", ("fine",)),
        ("identical arms left inconclusive", "identical", ("inconclusive",)),
        (f"injected {percent(injected)} called a regression", "injected", ("regression",)),
        (f"injected {percent(injected)} left inconclusive", "injected", ("inconclusive",)),
    ):
        gates = [one for one in tried if one.kind == kind]
        hits = sum(one.verdict in verdicts for one in gates)
        rows.append([title, f"{hits} of {len(gates)}", _share(hits, len(gates))])
    grid = tabulate(
        rows, headers=["", "gates", "95 % interval (Wilson)"], tablefmt="pipe", disable_numparse=True
    )
    return f"{grid}\n\n{_durations(tried)}"


def _durations(tried: Sequence[Tried]) -> str:
    """Minutes and pairs until a verdict, of each kind."""
    if not tried:
        return "no gate has ended"
    sentences = []
    for kind in dict.fromkeys(one.kind for one in tried):
        gates = [one for one in tried if one.kind == kind]
        minutes = statistics.median(one.seconds for one in gates) / 60
        pairs = [one.pairs for one in gates]
        sentences.append(
            f"{kind} arms: a gate took {minutes:.1f} minutes (median of {len(gates)}) and "
            f"{min(pairs)} to {max(pairs)} pairs, median {statistics.median(pairs):g}"
        )
    return "\n\n".join(sentences)


def _share(hits: int, n: int) -> str:
    if n == 0:
        return "no gate of this kind"
    interval = wilson(hits, n)
    return f"{percent(hits / n)} [{percent(interval.low, 1)} – {percent(interval.high, 1)}]"
