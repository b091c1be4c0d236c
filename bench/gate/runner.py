"""`bench gate`: pairs of processes, base and candidate, until they allow a verdict."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ...atomic import NO_SPACE
from ...errors import ActionBenchError, MeasurementError, UsageError
from ...records.gate import ARMS, ArmAccuracy, ArmName, Gate
from ...records.gate_directory import GateDirectory, GateWriter
from ...reports.analysis.gate_result import GateResult, load_gate
from ..console.progress import Console, Progress
from ..plan.environment import environment
from .commands import BenchRun, Command, Work, bench_run, read_right, run_process, without_unread
from .config import GateConfig, words
from .control import Control
from .pairs import Arms, Length, MeasuresPairs, way_to_measure
from .targets import Place, find_place, tree_identity


@dataclass(frozen=True, slots=True)
class GateDuration:
    """How long a gate takes.

    - `way`: how its pairs are measured, in words.
    - `pair_s`: seconds of one pair. `shortest_s`, `longest_s`: of the shortest gate and of the longest.
    """

    way: str
    pair_s: float
    shortest_s: float
    longest_s: float


def start_gate(config: GateConfig, out: Path | None, console: Console) -> GateResult:
    """Carry out a new gate in the directory `out` (None: runs/<time>-gate)."""
    end = _end(config)
    with _arms(config, console) as arms:
        control = Control()
        gate = Gate(
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            config=config.to_dict(),
            environment=environment(),
            work=_work_in_words(config, arms),
            control=control.describe(),
            base=arms.places["base"].record,
            candidate=arms.places["candidate"].record,
        )
        path = out or Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-gate"
        with GateWriter(path, gate) as writer:
            console.say(f"gate's directory: {path}")
            return _kept(config, arms, control, writer, console, end)


def resume_gate(path: Path, console: Console) -> GateResult:
    """Go on with an interrupted gate, or show a finished one again.

    A pair whose second slot is missing is measured anew: its first one was taken at another time. The time
    that the gate may take is counted anew. Raises UsageError if an arm is not the code that it began with.
    """
    before = GateDirectory(path).gate
    if before.state == "done":
        return load_gate(GateDirectory(path))
    config = GateConfig.from_dict(before.config)
    end = _end(config)
    with _arms(config, console) as arms:
        for arm, was in zip(ARMS, (before.base, before.candidate), strict=True):
            now = arms.places[arm].record
            if now.identity != was.identity:
                raise UsageError(
                    f"the {arm} has changed since the gate began",
                    where=path,
                    expected=f"{was.title} {was.identity}",
                    found=f"{now.title} {now.identity}",
                    remedy="Start a new gate.",
                )
        with GateWriter(path) as writer:
            return _kept(config, arms, Control(), writer, console, end)


def estimate(config: GateConfig, console: Console) -> GateDuration:
    """Warm the arms, measure one pair, and say what the gate would take of it."""
    with (
        _arms(config, console) as arms,
        tempfile.TemporaryDirectory() as folder,
        console.task("estimate", 2) as progress,
        ExitStack() as held,
    ):
        begin = time.monotonic()
        measure = way_to_measure(arms, Control(), _length(config), Path(folder), progress.note, held)
        warm = time.monotonic()
        progress.advance("one pair")
        for _ in measure(0, Path(folder), progress.note):
            pass
        warm_s, pair_s = warm - begin, time.monotonic() - warm
    return GateDuration(
        measure.in_words, pair_s, warm_s + config.pairs * pair_s, warm_s + config.max_pairs * pair_s
    )


@contextmanager
def _arms(config: GateConfig, console: Console) -> Iterator[Arms]:
    """Both arms, ready to run; commits that were checked out for them are no other gate's meanwhile."""
    with ExitStack() as held:
        find = partial(
            find_place,
            repository=Path(config.repository),
            shared=config.packages == "shared",
            say=console.say,
            held=held,
        )
        places: dict[ArmName, Place] = {
            "base": find("base", config.base),
            "candidate": find("candidate", config.candidate),
        }
        works: dict[ArmName, Work] = {arm: _work(config, place) for arm, place in places.items()}
        if len({type(work) for work in works.values()}) > 1:
            raise UsageError(
                "one arm is a command and the other is not",
                where="--base/--candidate",
                remedy="Give both as command:…, or --command for what both run.",
            )
        yield Arms(places, works)


def _end(config: GateConfig) -> float:
    """When the time of a gate that begins now is over, by the monotonic clock."""
    return math.inf if config.max_minutes is None else time.monotonic() + 60 * config.max_minutes


def _length(config: GateConfig) -> Length:
    return Length.of(config.pair_s, config.primary, config.rule)


def _work(config: GateConfig, place: Place) -> Work:
    if place.command is not None:
        return Command(place.command, config.timeout_s)
    if config.command is not None:
        return Command(words(config.command, "--command"), config.timeout_s)
    slot = without_unread(place, config.slot_run())
    return BenchRun(slot, config.turn_run(), config.timeout_s)


def _work_in_words(config: GateConfig, arms: Arms) -> str:
    if isinstance(arms.works["base"], BenchRun):
        return f"bench run with {json.dumps(config.turn_run(), ensure_ascii=False)}"
    return config.command or "each arm's own command"


def _kept(
    config: GateConfig, arms: Arms, control: Control, writer: GateWriter, console: Console, end: float
) -> GateResult:
    """Carry the gate out; where it does not get to its end and has measured something, say how to go on."""
    try:
        result = _carry_out(config, arms, control, writer, console, end)
    except (KeyboardInterrupt, ActionBenchError, OSError) as error:
        if writer.slots() or writer.pairs_in_turns():
            _say_how_to_go_on(writer, console)
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise writer.refused(error) from error
        raise
    if result.gate.state == "out of time":
        _say_how_to_go_on(writer, console)
    return result


def _say_how_to_go_on(writer: GateWriter, console: Console) -> None:
    console.say(f"what was measured is kept; go on with: bench gate --resume {writer.path}")


def _carry_out(
    config: GateConfig, arms: Arms, control: Control, writer: GateWriter, console: Console, end: float
) -> GateResult:
    folder = writer.path / "slots"
    with console.task("pairs of processes", config.max_pairs) as progress, ExitStack() as held:
        measure = way_to_measure(arms, control, _length(config), folder, progress.note, held)
        writer.note_work(f"{measure.in_words}: {_work_in_words(config, arms)}")
        in_time = _measure_pairs(measure, writer, folder, progress, end)
    if config.accuracy and in_time:
        predicted = {accuracy.arm for accuracy in writer.accuracies()}
        for arm in (arm for arm in ARMS if arm not in predicted):
            console.say(f"accuracy of the {arm}")
            writer.append(
                ArmAccuracy(arm, _predict(config, arms.places[arm], writer.path / f"accuracy-{arm}"))
            )
    _require_unchanged(arms)
    writer.finish(in_time=in_time)
    return load_gate(writer)


def _measure_pairs(
    measure: MeasuresPairs, writer: GateWriter, folder: Path, progress: Progress, end: float
) -> bool:
    """Measure pairs until there is a verdict or the last look; whether that was so before `end`.

    A pair is expected to take as long as the longest so far; the first one is measured in any case.
    """
    pairs = writer.complete_pairs
    for _ in range(pairs):
        progress.advance()
    longest = 0.0
    # One pair shows whether the primary metrics are measured at all; then the first look.
    wanted: int | None = 1
    while wanted is not None:
        for pair in range(pairs, wanted):
            begin = time.monotonic()
            if pair > 0 and begin + longest > end:
                return False
            for record in measure(pair, folder, progress.note):
                writer.append(record)
            progress.advance()
            longest = max(longest, time.monotonic() - begin)
        pairs = max(pairs, wanted)
        wanted = load_gate(writer).next_pairs
    return True


def _require_unchanged(arms: Arms) -> None:
    for arm, place in arms.places.items():
        was = place.record.identity
        # What a slot runs may check out another commit, or write into the tree.
        now = tree_identity(place.root) if "commit" in was else {}
        if any(was[key] != now[key] for key in was.keys() & now.keys()):
            raise MeasurementError(
                f"the {arm} was changed while it was being measured",
                where=place.root,
                remedy="Start a new gate; leave the working tree alone, or gate git:REF.",
            )


def _predict(config: GateConfig, place: Place, folder: Path) -> dict[str, dict[str, bool]]:
    """Predict all labelled clips in one arm's place; what was right."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = bench_run(place, without_unread(place, config.accuracy_run()), folder)
    run_process(command, place, folder, timeout_s=None)  # it watches its own children
    return read_right(folder / "run")
