"""The report's first table: its marks, its notes, what is folded."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.summary import Summary, summarise
from actionbench.reports.tables.comparison import MOST_UNFOLDED, comparison, folded
from actionbench.reports.tables.table import Table


def changed(run: RunData, **of_models: Any) -> Summary:
    """The run with fields of its models replaced by the values of these functions of their numbers."""
    models = tuple(
        replace(model, **{name: value(i) for name, value in of_models.items()})
        for i, model in enumerate(run.run.models)
    )
    return summarise(merge([replace(run, run=replace(run.run, models=models))]))


def ten_models(fake: SimpleNamespace) -> RunData:
    """The slower the more accurate, but every third one, which the one before dominates."""
    models = [
        fake.model(
            f"net{i}",
            fake.answers(i - 2 if i % 3 == 2 else i, 10),
            forward_s=(0.5 + 0.1 * i,) * 3,
            flow_s=None,
            views=1 + i,
        )
        for i in range(10)
    ]
    run: RunData = fake.run(models)
    return run


def first_cells(table: Table) -> dict[str, list[str]]:
    return {row[0].split("\n")[0]: row[0].split("\n")[1:] for row in table.rows}


def test_rows_say_where_they_stand(fake: SimpleNamespace) -> None:
    table = comparison(summarise(merge([ten_models(fake)])))
    cells = first_cells(table)
    assert cells["net9"][-1] == "on the Pareto front"
    assert cells["net8"][-1] == "dominated"
    assert next(iter(cells)) == "net9", "the most accurate of those that keep up"
    assert table.notes[0].startswith("Order: first what keeps up in real time")
    assert table.notes[1].startswith("On the Pareto front: ")


def test_dominated_rows_are_folded_where_there_are_many(fake: SimpleNamespace, two_models: RunData) -> None:
    whole = comparison(summarise(merge([ten_models(fake)])))
    assert len(whole.rows) > MOST_UNFOLDED
    shown, dominated = folded(whole)
    assert dominated is not None
    assert list(first_cells(dominated)) == ["net8", "net5", "net2"]
    assert sorted([*shown.rows, *dominated.rows]) == sorted(whole.rows)
    assert len(shown.records) == len(shown.rows) == 7
    few = comparison(summarise(merge([two_models])))
    assert folded(few) == (few, None)


def test_the_protocol_is_named_with_accuracy_and_time(two_models: RunData) -> None:
    alike = comparison(changed(two_models, views=lambda _: "whole video in one pass"))
    assert (
        "Accuracy, times and GFLOPs of a video are of the same views: whole video in one pass." in alike.notes
    )
    assert not any("whole video" in line for lines in first_cells(alike).values() for line in lines)
    apart = comparison(changed(two_models, views=lambda i: f"{1 + i} windows of 16 frames"))
    assert {name: lines[1] for name, lines in first_cells(apart).items()} == {
        "i3d": "1 windows of 16 frames",
        "resnext": "2 windows of 16 frames",
    }
    assert any(note.endswith("which are named below its weights.") for note in apart.notes)


def test_operations_of_a_video_are_those_of_the_views_that_were_timed(two_models: RunData) -> None:
    """resnext is timed with 16 views of 9.57 × 10⁹ multiply–accumulates."""
    rows = {row[0].split("\n")[0]: row[-1] for row in comparison(summarise(merge([two_models]))).rows}
    assert rows["resnext"] == "19.1\n306"
    assert rows["i3d"] == "200\n200"


def test_non_commercial_licences_are_marked(two_models: RunData) -> None:
    licences = ("cc-by-nc-4.0", "Apache-2.0")
    table = comparison(
        changed(two_models, weights=lambda i: {"rgb": {"kind": "user", "licence": licences[i]}})
    )
    cells = first_cells(table)
    assert cells["i3d"][0] == "user weights (non-commercial), flow tvl1, CPU"
    assert cells["resnext"][0] == "user weights, RGB only, CPU"
    (note,) = [note for note in table.notes if "commercial" in note]
    assert note.startswith("i3d: non-commercial: the licence of its weights, cc-by-nc-4.0,")
    assert [record["non_commercial"] for record in table.records] == ["yes", "no"]


def test_random_weights_have_no_front_and_the_table_says_so(fake: SimpleNamespace) -> None:
    models = [fake.model(name, fake.answers(5, 10), kind="random") for name in ("a", "b")]
    table = comparison(summarise(merge([fake.run(models)])))
    assert table.notes[1] == (
        "No Pareto front of accuracy and time is marked: the accuracy of random and demo weights says "
        "nothing about real video."
    )
    assert {record["pareto"] for record in table.records} == {None}


def test_one_model_has_no_order(fake: SimpleNamespace) -> None:
    table = comparison(summarise(merge([fake.run([fake.model("a", fake.answers(5, 10))])])))
    assert not any(note.startswith(("Order", "No Pareto")) for note in table.notes)
