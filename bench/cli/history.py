"""`bench history`: the times of many commits in one file, their trend and the commits that changed it."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UsageError, unknown_name
from ...reports.numbers import counted

if TYPE_CHECKING:
    from ...reports.analysis.history import Entry

app = typer.Typer(
    help="Keep the times of many commits in one file, and show where they changed.", no_args_is_help=True
)


@app.command()
def add(
    measured: Annotated[
        Path, typer.Argument(help="Run directory, or a gate's directory, of which the candidate is added.")
    ],
    file: Annotated[Path, typer.Argument(help="History file (JSON Lines); created if it does not exist.")],
    commit: Annotated[
        str | None,
        typer.Option(
            help="Commit that was measured; by default the commit of ActionBench in a run's record."
        ),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(help="Position in the trend, ISO 8601; by default the time of the measurement."),
    ] = None,
) -> None:
    """Add the medians over processes: one line per model, metric, machine and commit."""
    from ...records.gate_directory import GATE, GateDirectory
    from ...reports.analysis.history import add_to_history, entries_of_gate, entries_of_run
    from ...reports.analysis.load_runs import read_run

    if (measured / GATE).is_file():
        gate = GateDirectory(measured)
        entries = entries_of_gate(gate.gate, gate.slots(), commit, date, gate.pairs_in_turns())
    else:
        entries = entries_of_run(read_run(measured), commit, date)
    changed = add_to_history(file, entries)
    print(f"{file}: {counted(changed, 'line')} new or changed, {len(entries) - changed} there already")


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="History file.")],
    metric: Annotated[str, typer.Option(help="Metric to show, or `all`.")] = "total",
    plot: Annotated[
        Path | None, typer.Option(help="Plot the trends to this file: .svg, .png or .pdf.")
    ] = None,
) -> None:
    """Show each series: its last value, and the commits at which its level changed."""
    from ...plain_text import plain_line
    from ...reports.analysis.history import read_history, series_of

    entries = read_history(file)
    metrics = {entry.metric for entry in entries}
    if not metrics:
        raise UsageError("the history is empty", where=file)
    if metric != "all" and metric not in metrics:
        raise unknown_name("metric", metric, metrics)
    series = series_of(entries, None if metric == "all" else metric)
    for one in series:
        for line in _lines(one):
            print(plain_line(line) if line[0] != " " else f"  {plain_line(line)}")
    if plot is not None:
        from ...reports.charts.history import plot_history

        plot_history(series, plot)
        print(f"trend: {plot}")


def _lines(series: list[Entry]) -> list[str]:
    """The lines that describe a series: its name, its last value, each change of level."""
    from ...reports.numbers import spread
    from ...reports.statistics.change_points import FEWEST, change_points

    last = series[-1]
    scale, unit = (2**-20, "MiB") if last.unit == "bytes" else (1.0, last.unit)
    lines = [
        f"{last.model}: {last.metric} ({last.setting}) on {last.cpu}, machine {last.machine}",
        f"  {counted(len(series), 'commit')}; {last.commit[:9]}: {spread(last.median, scale)} {unit}",
    ]
    if len(series) < FEWEST:
        return [*lines, f"  change points are searched from {FEWEST} commits on"]
    values = [entry.median.value for entry in series]
    begins = change_points(values)
    for before, begin, after in zip([0, *begins], begins, [*begins[1:], len(values)], strict=False):
        was, now = statistics.median(values[before:begin]), statistics.median(values[begin:after])
        lines.append(
            f"  changed by {now / was - 1:+.1%} at {series[begin].commit[:9]} ({series[begin].date[:10]})"
        )
    return lines if begins else [*lines, "  no change of level found"]
