"""What the terminal shows at the end of a run."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.formats.terminal import comparison_table, overview
from actionbench.reports.tables.comparison import comparison


def shown(renderable: object, width: int = 140) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(renderable)
    return text.getvalue()


def test_the_table_has_a_row_a_model_and_the_verdict_below(two_models: RunData) -> None:
    text = shown(overview(summarise(merge([two_models]))))
    assert "85 % [64–95]" in text
    assert text.index("Real-time factor") < text.index("resnext predicts a video in 0.220 s")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_figure_is_cut_however_narrow_the_terminal(two_models: RunData, width: int) -> None:
    summary = summarise(merge([two_models]))
    text = shown(comparison_table(summary), width)
    assert max(map(len, text.splitlines())) <= width
    figures = [line for row in comparison(summary).rows for cell in row[1:] for line in cell.split("\n")]
    assert "85 % [64–95]" in figures
    assert [figure for figure in figures if figure not in text] == []


@pytest.mark.parametrize("width", [60, 100, 150])
def test_ten_models_with_long_names_are_readable(fake: SimpleNamespace, width: int) -> None:
    """Side by side where they fit, else in tables that follow one another."""
    models = [fake.model(f"hf:owner/a-network-with-a-long-name-{i}", fake.answers(i, 10)) for i in range(10)]
    summary = summarise(merge([fake.run(models)]))
    text = shown(comparison_table(summary), width)
    assert max(map(len, text.splitlines())) <= width
    for row in comparison(summary).rows:
        for cell in row[1:]:
            assert all(line in text for line in cell.split("\n"))
    assert text.count("Prediction") == {60: 10, 100: 4, 150: 1}[width], "so many tables"


def test_caveats_of_weights_are_shown(fake: SimpleNamespace) -> None:
    run = fake.run([fake.model("net", fake.answers(1, 2), kind="demo")])
    assert "Demo weights: accuracy says nothing about real video" in shown(overview(summarise(merge([run]))))


def test_names_are_not_read_as_markup_or_escapes(fake: SimpleNamespace) -> None:
    run = fake.run([fake.model("[red]net[/red]\x1b[31m", fake.answers(1, 2))])
    text = shown(comparison_table(summarise(merge([run]))))
    assert "[red]net[/red]" in text
    assert "\x1b" not in text
