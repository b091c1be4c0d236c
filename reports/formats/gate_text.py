"""A gate's result for reading: on the terminal, and as Markdown for the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text
from tabulate import tabulate

from ...plain_text import plain
from ..analysis.gate_result import AccuracyChange, Change, CpuTime, GateResult
from ..numbers import bare_p_value, number, percent
from ..statistics.intervals import Estimate
from .markdown import escape

_HEAD = ("Model", "Metric", "Base", "Candidate", "Ratio", "Verdict")
_LEFT = ("Model", "Metric", "Verdict")


def terminal(result: GateResult) -> RenderableType:
    """Table, verdict and explanation. Texts are shown as they are: none is read as rich's markup."""
    grid = RichTable()
    for title in _HEAD:
        grid.add_column(Text(title), justify="left" if title in _LEFT else "right", overflow="fold")
    for row in _rows(result):
        grid.add_row(*(Text(plain(cell)) for cell in row))
    first, *rest = _sentences(result)
    return Group(grid, Text(plain(first), style="bold"), *(Text(plain(sentence)) for sentence in rest))


def markdown(result: GateResult) -> str:
    """The same content as GitHub-flavoured Markdown."""
    grid = tabulate(
        [[escape(cell) for cell in row] for row in _rows(result)],
        headers=_HEAD,
        tablefmt="pipe",
        colalign=["left" if title in _LEFT else "right" for title in _HEAD],
        disable_numparse=True,
    )
    first, *rest = map(escape, _sentences(result))
    return f"## Timing gate: {result.verdict}\n\n**{first}**\n\n{grid}\n\n" + "".join(
        f"- {sentence}\n" for sentence in rest
    )


def _rows(result: GateResult) -> Iterator[list[str]]:
    for change in result.changes:
        yield [change.model, change.metric, *_figures(change), change.verdict or ""]
    yield ["control workload", "total", *_figures(result.control), ""]


def _figures(change: Change) -> list[str]:
    scale, unit = (1 / 2**20, "MiB") if change.unit == "bytes" else (1.0, "s")
    base, candidate = (f"{number(value * scale)} {unit}" for value in (change.base, change.candidate))
    return [base, candidate, _ratio(change.ratio)]


def _ratio(ratio: Estimate) -> str:
    if ratio.interval is None:
        return f"{ratio.value:.3f}"
    return f"{ratio.value:.3f} [{ratio.interval.low:.3f}–{ratio.interval.high:.3f}]"


def _sentences(result: GateResult) -> Iterator[str]:
    """The verdict first, then its explanation and how to read the table."""
    gate = result.gate
    yield f"{result.verdict}: {result.reason}."
    if result.verdict == "inconclusive":
        yield "More pairs (--max-pairs) or an otherwise idle machine may give a verdict."
    for model in dict.fromkeys(change.model for change in result.primaries):
        if (explanation := result.explanation(model)) is not None:
            yield f"{explanation}."
    for second in result.cpu:
        yield from _cpu_time(second)
    for change in result.accuracy:
        yield _accuracy(change)
    yield f"base: {gate.base.title}; candidate: {gate.candidate.title}."
    yield (
        f"{_pairs(result)} Base and candidate: median over "
        "processes; ratio: median over pairs of candidate / base. The intervals of metrics with a verdict "
        "hold over all looks together; the others are 95 % each."
    )
    if result.in_turns < result.pairs:
        yield f"How: {gate.work}."
    yield f"control workload: {gate.control}."


def _pairs(result: GateResult) -> str:
    """How the pairs were measured."""
    slots = result.pairs - result.in_turns
    found = []
    if result.turns is not None:
        found.append(
            f"{result.in_turns} pairs of fresh processes, both loaded, of which one at a time worked, "
            f"{number(result.turns)} turns each (median); a pair's ratio: median over adjacent turns."
        )
    if slots:
        found.append(f"{slots} pairs of fresh processes, one after the other, in alternating order.")
    return " ".join(found)


def _cpu_time(second: CpuTime) -> Iterator[str]:
    """What CPU time says, where wall time says something else or nothing."""
    wall = f"total {_ratio(second.wall.ratio)} ({second.wall.verdict})"
    cpu = f"CPU time {_ratio(second.cpu.ratio)} ({second.cpu.verdict})"
    if second.disagrees:
        yield (
            f"{second.cpu.model}: wall time and CPU time disagree: {wall}, {cpu}. The verdict is that of "
            "wall time; waiting, for a core, a file, a device or another thread, is not in CPU time."
        )
    elif second.decides_alone:
        yield f"{second.cpu.model}: {cpu}, where wall time is not decided: {wall}. It decides nothing."


def _accuracy(change: AccuracyChange) -> str:
    if not change.clips:
        return f"{change.model}: no labelled clip was predicted in both arms."
    base, candidate = change.base_right / change.clips, change.candidate_right / change.clips
    return (
        f"{change.model}: of {change.clips} clips {change.base_right} are right with the base "
        f"({percent(base)}), {change.candidate_right} with the candidate ({percent(candidate)}); "
        f"{change.only_base} only with the base, {change.only_candidate} only with the candidate: "
        f"p = {bare_p_value(change.p)}, exact McNemar. Accuracy does not "
        "decide the gate."
    )
