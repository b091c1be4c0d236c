"""`bench gate`: is the candidate slower than the base, on this machine, by more than matters?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from ...errors import EXIT_CODES, MeasurementError, UsageError, unknown_name
from ..plan.config import SETTINGS
from .options import share
from .settings import given_settings, is_given, with_settings

if TYPE_CHECKING:
    from ...reports.analysis.gate_result import GateResult
    from ...reports.statistics.sequential import Rule
    from ..gate.config import GateConfig

OnInconclusive = Literal["ok", "fail"]

_OF_BENCH_RUN = ("models", "data", "videos", "target", "weights", "device", "threads", "flow", "views")
"""Settings of `bench run` that a slot takes as they are; a model's FILE.py is each arm's own."""


@with_settings(
    *_OF_BENCH_RUN, help={"weights": f"{SETTINGS['weights'].help}. In a gate random ones unless given"}
)
def gate(
    context: typer.Context,
    base: Annotated[
        str | None,
        typer.Option(help="git:REF, python:INTERPRETER, command:…; a plain word is an interpreter or a REF."),
    ] = None,
    candidate: Annotated[str, typer.Option(help="The same, or tree: the working tree.")] = "tree",
    repository: Annotated[Path, typer.Option(help="Folder of the repository under test.")] = Path(),
    command: Annotated[
        str | None, typer.Option(help="What both arms run, in their own tree, instead of `bench run`.")
    ] = None,
    packages: Annotated[
        str, typer.Option(help="Of a commit whose pins differ: pinned, its own; shared, this environment's.")
    ] = "pinned",
    latency_clips: Annotated[int | None, typer.Option(help="Clips that a slot times; 1 by default.")] = None,
    latency_seconds: Annotated[
        float | None, typer.Option(help="Least time that a slot measures; 1 by default.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of `bench run`; options override it.")
    ] = None,
    primary: Annotated[
        list[str] | None, typer.Option(help="Metric that decides; repeatable. total by default.")
    ] = None,
    threshold: Annotated[str, typer.Option(help="The change that matters: 5% or 0.05.")] = "5%",
    pairs: Annotated[int, typer.Option(help="Pairs of slots before the first verdict.")] = 10,
    max_pairs: Annotated[int, typer.Option(help="Pairs after which it stays inconclusive.")] = 30,
    accuracy: Annotated[
        bool, typer.Option("--accuracy", help="Predict the labelled clips once in each arm too.")
    ] = False,
    on_inconclusive: Annotated[str, typer.Option(help="ok: exit with 0; fail: with 4.")] = "fail",
    timeout: Annotated[float, typer.Option(help="Seconds until a slot is given up.")] = 600.0,
    out: Annotated[Path | None, typer.Option(help="The gate's directory; runs/TIME-gate by default.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the gate in this directory.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Measure one slot of each arm, tell the duration, end.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a job's summary to this file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit's XML to this file.")] = None,
    github_benchmark: Annotated[
        Path | None, typer.Option(help="Write github-action-benchmark's customSmallerIsBetter to this file.")
    ] = None,
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test",
            help="Measure the gate itself: false alarms and power, here. Exit code 0 whatever is found.",
        ),
    ] = False,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="Of --self-test: on synthetic times, in two minutes. Exit code 2 if a promise is not kept.",
        ),
    ] = False,
    minutes: Annotated[float, typer.Option(help="Of --self-test: begin no new gate after so long.")] = 60.0,
    gates: Annotated[int | None, typer.Option(help="Of --self-test: at most so many of each kind.")] = None,
    injected: Annotated[str, typer.Option(help="Of --self-test: the slowdown to be caught.")] = "20%",
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

            asked = selftest.SelfTestConfig(rule, minutes, gates, share("--injected", injected))
            print(selftest.self_test(asked, out, Console()))
        return 0
    _refuse(given & {"simulate", "minutes", "gates", "injected"}, "bench gate", "are options of --self-test")
    if not estimate:
        _clear((json_file, markdown, junit, github_benchmark))
    if resume is not None:
        _refuse(
            given - _OF_RESUME,
            "--resume",
            "goes on as the gate began, and takes no other option than where the result goes",
        )
        result = resume_gate(resume, Console())
    else:
        if base is None:
            raise UsageError("must name what to compare with", where="--base", remedy="E.g. git:main.")
        run = {
            **given_settings(context),
            "latency_clips": latency_clips,
            "latency_seconds": latency_seconds,
        }
        settings = GateConfig(
            base=base,
            candidate=candidate,
            repository=str(repository.absolute()),
            command=command,
            packages=packages,  # type: ignore[arg-type]  # checked by the record
            run=_run_settings(run, config),
            primary=tuple(primary or (TOTAL,)),
            threshold=share("--threshold", threshold),
            pairs=pairs,
            max_pairs=max_pairs,
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
    "minutes",
    "gates",
    "injected",
    "out",
}


def _given(context: typer.Context) -> set[str]:
    """Names of the options that stand on the command line."""
    return {name for name in context.params if is_given(context, name)}


def _refuse(options: set[str], where: str, why: str) -> None:
    """An option that would do nothing is an error."""
    if options:
        named = {"json_file": "json"}
        found = (named.get(name, name).replace("_", "-") for name in sorted(options))
        raise UsageError(why, where=where, found=", ".join(f"--{name}" for name in found))


def _clear(outputs: tuple[Path | None, ...]) -> None:
    """Remove the results of an earlier gate: if this one fails, nobody shall read them as its verdict."""
    for path in outputs:
        if path is not None and path.is_file() and not path.is_symlink():
            path.unlink()


def _run_settings(options: dict[str, Any], config: Path | None) -> dict[str, Any]:
    """The settings of `bench run` that were given, their paths absolute; a model's FILE.py stays relative,
    because each arm has its own."""
    from ..plan.config import from_mapping, read_config

    values = {} if config is None else read_config(config)
    values |= {name: value for name, value in options.items() if value is not None}
    values.pop("out", None)
    run = from_mapping(values, str(config or "command line"))
    settings = {**run.resolved().to_dict(), "models": list(run.models)}
    return {name: settings[name] for name in values}


def _print_estimate(settings: GateConfig) -> None:
    from ..console.progress import Console
    from ..gate.runner import estimate

    found = estimate(settings, Console())
    print(
        f"one slot: base {found.base_s:.1f} s, candidate {found.candidate_s:.1f} s\n"
        f"{settings.pairs} pairs: about {_duration(found.shortest_s)}; "
        f"{settings.max_pairs} pairs, if they are needed: about {_duration(found.longest_s)}"
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
    from ...reports.formats.gate_text import markdown as to_markdown

    texts: dict[Path | None, Callable[[], str]] = {
        json_file: lambda: json.dumps(gate_formats.to_json(result), ensure_ascii=False, indent=1) + "\n",
        markdown: lambda: to_markdown(result),
        junit: lambda: gate_formats.to_junit(result, on_inconclusive == "fail"),
        github_benchmark: lambda: json.dumps(gate_formats.to_github_benchmark(result), indent=1) + "\n",
    }
    for path, text in texts.items():
        if path is not None:
            path.write_text(text(), encoding="utf-8")


def _simulate(rule: Rule) -> None:
    from tabulate import tabulate

    from ...reports.statistics.gate_simulation import bars, simulate, simulation_table

    cells = simulate(rule)
    table = simulation_table(cells)
    titles = [column.title for column in table.columns]
    alignment = [column.align for column in table.columns]
    print(tabulate(table.rows, headers=titles, colalign=alignment, disable_numparse=True))
    for note in table.notes:
        print(note)
    found = bars(cells)
    for bar in found:
        print(f"{'kept' if bar.kept else 'NOT kept'}: {bar.promise}; found {100 * bar.cell.called:.3g} %")
    if broken := [bar.promise for bar in found if not bar.kept]:
        raise MeasurementError(f"a promise is not kept: {'; '.join(broken)}", where="--simulate")
