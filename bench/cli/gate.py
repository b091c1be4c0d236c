"""`bench gate`: is the candidate slower than the base, on this machine, by more than a threshold?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from ...atomic import write_file
from ...errors import EXIT_CODES, MeasurementError, UsageError, unknown_name
from ..gate.config import TURN
from ..plan.config import SETTINGS, WEIGHTS_HELP
from .options import share
from .settings import given_settings, is_given, with_settings

if TYPE_CHECKING:
    from ...reports.analysis.gate_result import GateResult
    from ...reports.statistics.sequential import Rule
    from ..gate.config import GateConfig

OnInconclusive = Literal["ok", "fail"]

_AS_IN_BENCH_RUN = ("models", "data", "videos", "target", "device", "threads", "flow", "views")
_OF_A_GATE = {
    **{name: SETTINGS[name] for name in _AS_IN_BENCH_RUN},
    "weights": replace(SETTINGS["weights"], help=f"{WEIGHTS_HELP}. By default random"),
    "latency_clips": replace(
        SETTINGS["latency_clips"],
        help="number of clips that are timed, one in a turn",
        default=TURN["latency_clips"],
    ),
    "latency_seconds": replace(
        SETTINGS["latency_seconds"],
        help="minimum measuring time of a turn, seconds",
        default=TURN["latency_seconds"],
    ),
}
"""Settings of `bench run` that a gate takes; a model's FILE.py is each arm's own."""


@with_settings(of=_OF_A_GATE)
def gate(
    context: typer.Context,
    base: Annotated[
        str | None,
        typer.Option(
            help="Version to compare with: git:REF, python:INTERPRETER or command:COMMAND; without a prefix, "
            "an interpreter's path or a REF."
        ),
    ] = None,
    candidate: Annotated[
        str, typer.Option(help="Version to judge, in the same syntax; tree: the working tree.")
    ] = "tree",
    repository: Annotated[Path, typer.Option(help="Folder of the repository under test.")] = Path(),
    command: Annotated[
        str | None,
        typer.Option(help="Command that both versions run, each in its own tree, instead of `bench run`."),
    ] = None,
    packages: Annotated[
        str,
        typer.Option(
            help="Packages of a commit whose constraints.txt differs: `pinned` installs its own, `shared` "
            "uses those of this environment."
        ),
    ] = "pinned",
    config: Annotated[
        Path | None, typer.Option(help="YAML file of `bench run`; options override it.")
    ] = None,
    primary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>", help="Metric that the verdict is about; may be repeated. By default total."
        ),
    ] = None,
    threshold: Annotated[
        str, typer.Option(help="Smallest slowdown that counts as a regression: 5% or 0.05.")
    ] = "5%",
    pairs: Annotated[int, typer.Option(help="Number of pairs of processes before the first verdict.")] = 10,
    max_pairs: Annotated[
        int, typer.Option(help="Number of pairs after which an open verdict is inconclusive.")
    ] = 30,
    pair_seconds: Annotated[
        float,
        typer.Option(
            help="Most seconds that the processes of a pair take turns; fewer once its ratio is known to a "
            "third of the threshold."
        ),
    ] = 30.0,
    max_minutes: Annotated[
        float | None,
        typer.Option(
            help="Minutes of the whole gate: no pair begins that is likely to end later, and an open "
            "verdict is inconclusive. By default as long as it takes."
        ),
    ] = None,
    accuracy: Annotated[
        bool, typer.Option("--accuracy", help="Also predict the labelled clips once with each version.")
    ] = False,
    on_inconclusive: Annotated[
        str, typer.Option(help="Exit code of an inconclusive verdict: ok, 0; fail, 4.")
    ] = "fail",
    timeout: Annotated[
        float, typer.Option(help="Time limit of a process's start, of a turn and of a slot, seconds.")
    ] = 600.0,
    out: Annotated[Path | None, typer.Option(help="The gate's directory; by default runs/TIME-gate.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue the interrupted gate in this directory.")
    ] = None,
    estimate: Annotated[
        bool,
        typer.Option("--estimate", help="Measure one pair and print how long the gate would take."),
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a summary for a CI job to this Markdown file.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the result as JUnit XML to this file.")] = None,
    github_benchmark: Annotated[
        Path | None, typer.Option(help="Write github-action-benchmark's customSmallerIsBetter to this file.")
    ] = None,
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test",
            help="Measure the gate itself, its false alarms and its power, on this machine; exit code 0.",
        ),
    ] = False,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="With --self-test: on simulated times, in minutes; exit code 2 if an error rate is too "
            "high.",
        ),
    ] = False,
    minutes: Annotated[
        float, typer.Option(help="With --self-test: minutes after which no new gate begins.")
    ] = 60.0,
    gates: Annotated[
        int | None, typer.Option(help="With --self-test: most gates with, and most without, a slowdown.")
    ] = None,
    injected: Annotated[
        str, typer.Option(help="With --self-test: slowdown that is injected, to be detected.")
    ] = "20%",
) -> int:
    """Compare two versions on this machine, in pairs of fresh processes, and end with a verdict.

    Exit codes: 0 not slower, 3 slower, 4 inconclusive, 2 an error (also: nothing was measured), 1 a bug, 130
    interrupted.
    """
    from ...records.metrics import TOTAL
    from ...reports.statistics.sequential import Rule
    from ..console.progress import Console
    from ..gate.config import GateConfig
    from ..gate.runner import resume_gate, start_gate

    if on_inconclusive not in get_args(OnInconclusive):
        raise unknown_name("value of --on-inconclusive", on_inconclusive, get_args(OnInconclusive))
    given = _given(context)
    if self_test:
        _refuse(given - _OF_SELF_TEST, "--self-test", "measures a workload of its own")
        rule = Rule(share("--threshold", threshold), pairs, max_pairs)
        if simulate:
            _simulate(rule)
        else:
            from ..gate import selftest  # imports what it decodes video with

            asked = selftest.SelfTestConfig(rule, pair_seconds, minutes, gates, share("--injected", injected))
            print(selftest.self_test(asked, out, Console()))
        return 0
    _refuse(given & {"simulate", "minutes", "gates", "injected"}, "bench gate", "are options of --self-test")
    if not estimate:
        _clear((json_file, markdown, junit, github_benchmark))
    if resume is not None:
        _refuse(
            given - _OF_RESUME,
            "--resume",
            "continues the gate with its own settings; only options that name an output go with it",
        )
        result = resume_gate(resume, Console())
    else:
        if base is None:
            raise UsageError("is required", where="--base", remedy="E.g. --base git:main.")
        settings = GateConfig(
            base=base,
            candidate=candidate,
            repository=str(repository.absolute()),
            command=command,
            packages=packages,  # type: ignore[arg-type]  # checked by the record
            run=_run_settings(given_settings(context, _OF_A_GATE), config),
            primary=tuple(primary or (TOTAL,)),
            threshold=share("--threshold", threshold),
            pairs=pairs,
            max_pairs=max_pairs,
            pair_s=pair_seconds,
            max_minutes=max_minutes,
            accuracy=accuracy,
            timeout_s=timeout,
        )
        if estimate:
            _print_estimate(settings)
            return 0
        result = start_gate(settings, out, Console())
    _show(result)
    _write(result, json_file, markdown, junit, github_benchmark, on_inconclusive)
    if result.verdict == "inconclusive" and on_inconclusive == "ok":
        return 0
    return EXIT_CODES[result.verdict]


_OF_RESUME = {"resume", "json_file", "markdown", "junit", "github_benchmark", "on_inconclusive"}
_OF_SELF_TEST = {
    "self_test",
    "simulate",
    "threshold",
    "pairs",
    "max_pairs",
    "pair_seconds",
    "minutes",
    "gates",
    "injected",
    "out",
}


def _given(context: typer.Context) -> set[str]:
    """Names of the options that are given on the command line."""
    return {name for name in context.params if is_given(context, name)}


def _refuse(options: set[str], where: str, why: str) -> None:
    """Raise UsageError if there are `options`, which would have no effect."""
    if options:
        named = {"json_file": "json"}
        found = (named.get(name, name).replace("_", "-") for name in sorted(options))
        raise UsageError(why, where=where, found=", ".join(f"--{name}" for name in found))


def _clear(outputs: tuple[Path | None, ...]) -> None:
    """Remove the results of an earlier gate, so that they are not taken for the verdict of this one."""
    for path in outputs:
        if path is not None and path.is_file() and not path.is_symlink():
            path.unlink()


def _run_settings(options: dict[str, Any], config: Path | None) -> dict[str, Any]:
    """The settings of `bench run` that were given, their paths absolute; a model's FILE.py stays relative,
    because each arm has its own."""
    from ...settings import read_config
    from ..plan.config import from_mapping

    values = {} if config is None else read_config(config)
    values |= options
    values.pop("out", None)
    run = from_mapping(values, str(config or "command line"))
    settings = {**run.resolved().to_dict(), "models": list(run.models)}
    return {name: settings[name] for name in values}


def _print_estimate(settings: GateConfig) -> None:
    from ..console.progress import Console
    from ..gate.runner import estimate

    found = estimate(settings, Console())
    print(
        f"{found.way}; one pair: {found.pair_s:.1f} s\n"
        f"{settings.pairs} pairs: about {_duration(found.shortest_s)}; "
        f"{settings.max_pairs} pairs, if needed: about {_duration(found.longest_s)}"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _show(result: GateResult) -> None:
    from ...reports.formats.gate_text import terminal
    from ..console.rich_console import PlainConsole

    PlainConsole(sys.stdout).print(terminal(result))


def _write(
    result: GateResult,
    json_file: Path | None,
    markdown: Path | None,
    junit: Path | None,
    github_benchmark: Path | None,
    on_inconclusive: str,
) -> None:
    from ...reports.formats import gate_formats
    from ...reports.formats.files import json_document
    from ...reports.formats.gate_text import markdown as to_markdown

    texts: dict[Path | None, Callable[[], str]] = {
        json_file: lambda: json_document(gate_formats.to_json(result)),
        markdown: lambda: to_markdown(result),
        junit: lambda: gate_formats.to_junit(result, on_inconclusive == "fail"),
        github_benchmark: lambda: json_document(gate_formats.to_github_benchmark(result)),
    }
    for path, text in texts.items():
        if path is not None:
            write_file(path, text())


def _simulate(rule: Rule) -> None:
    from tabulate import tabulate

    from ...reports.statistics.gate_promises import promises
    from ...reports.statistics.gate_simulation import simulate, simulate_shared, simulation_table

    cells = [*simulate(rule), *simulate_shared(rule)]
    table = simulation_table(cells)
    titles = [column.title for column in table.columns]
    alignment = [column.align for column in table.columns]
    print(tabulate(table.rows, headers=titles, colalign=alignment, disable_numparse=True))
    for note in table.notes:
        print(note)
    found = promises(cells)
    for promise in found:
        state = "kept" if promise.kept else "NOT kept"
        print(f"{state}: {promise.text}; found {100 * promise.found:.3g} %")
    if broken := [promise.text for promise in found if not promise.kept]:
        raise MeasurementError(f"a promise is not kept: {'; '.join(broken)}", where="--simulate")
