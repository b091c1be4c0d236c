"""The table's and the chart's numbers are those of the clips; names from outside do nothing in the files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from actionbench.records.composition import Composition, Shortcut
from actionbench.reports.charts.chart import Bars
from actionbench.reports.charts.plots import draw
from actionbench.reports.composition.distribution import MOST_BARS, distribution_chart, distribution_table
from actionbench.reports.composition.export import write_composition
from actionbench.reports.composition.flaws import judge

Made = Callable[..., Composition]
ROWS = [
    ("falling", "a/1", None, ("train",)),
    ("falling", "a/1", None, ("train",)),
    ("falling", "b/1", None, ("test",)),
    ("running", "a/2", None, ("validation",)),
    ("running", "a/3", None, (None,)),
]


def test_one_split(made: Made) -> None:
    table = distribution_table(made(ROWS))
    assert table.rows == (
        ("falling", "a", "2", "40.0 %", "1", "2", "0", "0"),
        ("falling", "b", "1", "20.0 %", "1", "0", "0", "1"),
        ("falling", "all", "3", "60.0 %", "2", "2", "0", "1"),
        ("running", "a", "2", "40.0 %", "2", "0", "1", "0"),
        ("running", "all", "2", "40.0 %", "2", "0", "1", "0"),
        ("all", "all", "5", "100.0 %", "4", "2", "1", "1"),
    )
    assert table.records[-1] == {
        "class": "all",
        "source": "all",
        "clips": 5,
        "share": 1.0,
        "groups": 4,
        "thesis: train": 2,
        "thesis: validation": 1,
        "thesis: test": 1,
    }


def test_folds_are_numbers_in_a_row(made: Made) -> None:
    rows = [("falling", f"a/{n}", None, ("test", "train") if n else ("train", "test")) for n in range(3)]
    table = distribution_table(made(rows, ("fold 1 of 2", "fold 2 of 2")))
    assert table.rows[0] == ("falling", "a", "3", "100.0 %", "3", "1 2", "0 0", "2 1")
    assert [column.title for column in table.columns][-1] == "Test\nof each fold"
    assert table.records[0]["fold 2 of 2: train"] == 2


def test_the_chart_stacks_sources_from_the_top(made: Made) -> None:
    chart = distribution_chart(made(ROWS))
    ticks = [text for _, text in sorted(chart.y.ticks, reverse=True)]
    assert ticks[:5] == ["falling", "train, falling", "validation, falling", "test, falling", "running"]
    first, second = chart.series
    assert isinstance(first, Bars)
    assert isinstance(second, Bars)
    assert (first.name, second.name) == ("a", "b")
    assert first.lengths[:4] == (2, 2, 0, 0)
    assert second.starts[:4] == (2, 2, 0, 0)
    assert second.lengths[:4] == (1, 0, 0, 1)
    assert "5 clips in 4 groups" in chart.caption
    assert draw(chart).svg.startswith("<?xml")


def test_a_chart_of_many_classes_shows_the_whole_set(made: Made) -> None:
    rows = [(f"class {n}", f"a/{n}", None, ("train",)) for n in range(MOST_BARS // 3 + 1)]
    chart = distribution_chart(made(rows))
    assert len(chart.y.ticks) == len(rows)


def test_files_are_written_and_names_from_outside_do_nothing(made: Made, tmp_path: Path) -> None:
    name = "=cmd|'<b>'!`x`"
    rows = [(name, "a/1", "train", ("train",)), (name, "a/1", "test", ("test",))]
    composition = made(rows, notes=("left out: <i>",))
    written = write_composition(composition, judge(composition), tmp_path / "out")
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert files == {
        "composition.md",
        "tables/distribution.csv",
        "plots/distribution.svg",
        "plots/distribution.png",
    }
    text = written.read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "<i>" not in text
    assert "groups cross the official split: 1 of 1 groups" in text
    with (tmp_path / "out" / "tables" / "distribution.csv").open(encoding="utf-8") as file:
        assert next(csv.DictReader(file))["class"].startswith("'=")


def test_no_shortcut_is_not_claimed_of_what_was_not_judged(made: Made, tmp_path: Path) -> None:
    labels = ("falling", "running")
    truth = labels * 4
    few = Shortcut("length", labels, truth, truth, tuple(map(str, range(8))))
    rows = [
        (label, f"{source}/{label} {n}", None, ("train",))
        for label in labels
        for source in "ab"
        for n in "123"
    ]
    composition = made(rows, shortcuts=(few,))
    text = write_composition(composition, judge(composition), tmp_path).read_text(encoding="utf-8")
    assert text.startswith("# Composition of set\n")
    assert "## Shortcuts and leaks\n\nNone was found by what could be judged.\n" in text
    assert "## Not judged\n\n- length alone: recognises 100 % of a class's clips on average" in text
    assert " Not judged: length alone." in text
