"""The command line: `bench COMMAND`. Importing it imports neither TensorFlow nor torch."""

from __future__ import annotations

import sys
import traceback
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from ... import __version__
from ...atomic import file_and_reason
from ...errors import ActionBenchError, UsageError, is_interrupt
from ...plain_text import indented
from ...settings import read_config
from ..console.output import standard_streams
from ..plan.config import SETTINGS, RunConfig, from_mapping
from . import compare as cli_compare
from . import export as cli_export
from . import flow as cli_flow
from . import gate as cli_gate
from . import history as cli_history
from . import loadgen as cli_loadgen
from . import models as cli_models
from . import weights as cli_weights
from .data import app as cli_data
from .prediction import evaluate_live as cli_evaluate_live
from .prediction import live as cli_live
from .prediction import predict as cli_predict
from .settings import given_settings, is_given, with_settings
from .training import evaluate as cli_evaluate
from .training import experiments as cli_experiments
from .training import finetune as cli_finetune
from .training import operating_point as cli_operating_point

if TYPE_CHECKING:
    from ...reports.analysis.summary import Summary

app = typer.Typer(
    help="Benchmark human-action-recognition networks, preprocessing included.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def run_app(arguments: list[str]) -> int:
    """Run one command; its exit code. The only place where exceptions become messages."""
    with standard_streams():
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    try:
        if sys.stdout is None:
            remedy = "Send it to /dev/null if it is not wanted."
            raise UsageError("is closed", where="standard output", remedy=remedy)
        # typer turns an interrupt and an early exit into the value that it returns.
        code = _command()(arguments, standalone_mode=False)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def _exit_code(error: BaseException) -> int:
    """The exit code of a command that an exception has ended; what there is to say of it is said."""
    if is_interrupt(error) or isinstance(error, typer.Abort):
        return 130
    if isinstance(error, BrokenPipeError | SystemExit):
        # The reader of the output has closed it (where typer notices, it exits): nothing more can be shown.
        return 2
    if isinstance(error, ActionBenchError):
        _complain(f"error: {error}")
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        _complain(f"error: {file_and_reason(error)}")
        return 2
    # Errors of usage: typer keeps click, whose they are, under a private name.
    if callable(show := getattr(error, "show", None)):
        show()
        return 2
    traceback.print_exception(error)
    _complain(f"this is a bug in ActionBench {__version__}; please report it.")
    return 1


@cache
def _command() -> Any:
    """The commands as typer understands them, built once: a notebook may run several."""
    return get_command(app)


def _complain(message: str) -> None:
    print(f"bench: {indented(message)}", file=sys.stderr)


def _version(value: bool) -> None:
    if value:
        print(f"actionbench {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
@with_settings()
def run(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file with any of these settings as `name: value`; options override it."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue the interrupted run in this directory.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Print how long the run would take, without running it.")
    ] = False,
    estimate_videos: Annotated[
        str | None,
        typer.Option(help="With --estimate: a table for these numbers of videos, e.g. 4000,240000."),
    ] = None,
    estimate_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MACHINE",
            help="With --estimate: a machine of the table: cores=N or gpus=N, @PRICE an hour. Repeatable.",
        ),
    ] = None,
    estimate_from: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN", help="With --estimate: a run whose times the table uses. Repeatable."),
    ] = None,
) -> None:
    """Compare networks on videos: accuracy, latency and preprocessing, in one report."""
    from ..console.progress import Console
    from ..runner import resume_run, start_run

    given = given_settings(context)
    tabulated = bool(estimate_videos or estimate_on or estimate_from)
    if tabulated and not estimate:
        raise UsageError("needs --estimate", where="--estimate-videos, --estimate-on, --estimate-from")
    if resume is not None:
        if given or estimate or config is not None:
            raise UsageError(
                "takes no other option: the run continues with its own settings",
                where="--resume",
                found=", ".join(SETTINGS[name].option for name in given)
                or ("--estimate" if estimate else "--config"),
            )
        path = resume_run(resume, Console())
    else:
        settings = _settings(config, given)
        if estimate:
            from ..plan.estimate import FullRun, print_estimate
            from ..plan.other_machines import parse_machine, parse_videos

            full = FullRun(
                () if estimate_videos is None else parse_videos(estimate_videos),
                tuple(map(parse_machine, estimate_on or ())),
                tuple(estimate_from or ()),
            )
            print_estimate(settings, Console(), full if tabulated else None)
            return
        path = start_run(settings, Console())
    show_run(path)


def _settings(config: Path | None, given: dict[str, Any]) -> RunConfig:
    values = {} if config is None else read_config(config)
    return from_mapping(values | given, str(config or "command line"))


def run_settings(options: list[str]) -> RunConfig:
    """The settings that options of `bench run` give, for a command that carries out a run of its own.

    Raises UsageError for those of its options that are no settings, but for --config.
    """
    context = _command().commands["run"].make_context("bench run", list(options))
    for name in ("resume", "estimate", "estimate_videos", "estimate_on", "estimate_from"):
        if is_given(context, name):
            option = "--" + name.replace("_", "-")
            raise UsageError("cannot be given here", where=option, remedy=f"`bench run {option}` has it.")
    return _settings(context.params["config"], given_settings(context))


def show_run(path: Path) -> None:
    """Print the comparison of a finished run. Raises MeasurementError if a model has no result."""
    from ...records.run_directory import RunDirectory, machine_runs
    from ..runner import require_results

    _show(_summary([path, *machine_runs(path)]))
    require_results(RunDirectory(path))


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories; several are joined.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; by default the directory of the run, if it is one."),
    ] = None,
) -> None:
    """Write the report of a run again, or a joint report of several runs; nothing is measured."""
    from ...records.run_directory import machine_runs
    from ...reports.formats.export import write_summary

    if out is None:
        if len(runs) > 1:
            raise UsageError("several runs need --out DIR for their joint report", where="bench report")
        out = runs[0]
    runs = [each for run in runs for each in (run, *machine_runs(run))]
    summary = _summary(runs)
    path = write_summary(summary, out)
    _show(summary)
    print(f"report: {path}, {path.with_suffix('.md')}")


def _summary(runs: list[Path]) -> Summary:
    from ...reports.analysis.load_runs import merge, read_run
    from ...reports.analysis.summary import summarise

    return summarise(merge([read_run(path) for path in runs]))


def _show(summary: Summary) -> None:
    """Print the comparison of finished runs."""
    from ...reports.formats.terminal import overview
    from ..console.rich_console import PlainConsole

    PlainConsole(sys.stdout).print(overview(summary))


@app.command()
def doctor() -> None:
    """Print hardware and software as a run records them, and which packages each backend lacks."""
    from .doctor import print_diagnosis

    print_diagnosis()


app.command()(cli_compare.compare)
app.command()(cli_evaluate.evaluate)
app.command()(cli_evaluate_live.evaluate_live)
app.command()(cli_export.export)
app.command()(cli_gate.gate)
app.command()(cli_live.live)
app.command()(cli_loadgen.loadgen)
app.command("models")(cli_models.list_models)
app.command()(cli_predict.predict)
app.command()(cli_predict.parity)
app.command()(cli_finetune.finetune)
app.command()(cli_experiments.experiments)
app.command()(cli_operating_point.operating_point)
app.add_typer(cli_data.app, name="data")
app.add_typer(cli_flow.app, name="flow")
app.add_typer(cli_history.app, name="history")
app.add_typer(cli_weights.app, name="weights")
