"""Charts: what they say, and that both ways of drawing them accept whatever the data hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from types import SimpleNamespace

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.charts.accuracy import MOST_CLASSES
from actionbench.reports.charts.all_charts import CHARTS, all_charts
from actionbench.reports.charts.chart import Bars, Chart, Points, label
from actionbench.reports.charts.interactive import figure
from actionbench.reports.charts.plots import draw, inline
from actionbench.reports.charts.timing import MOST_MARKS

HOSTILE = "<b>$\\frac{1}{0}$</b> & </svg><script>alert(1)</script> %{x} 日本 \x1b\u202e"


def charts(run: RunData) -> dict[str, Chart]:
    return {chart.name: chart for chart in all_charts(summarise(merge([run])))}


def points(chart: Chart, name: str) -> list[Points]:
    return [s for s in chart.series if isinstance(s, Points) and s.name == name]


def bars(chart: Chart) -> dict[str, Bars]:
    return {s.name: s for s in chart.series if isinstance(s, Bars)}


def test_all_charts_are_made_where_there_is_something_for_them(two_models: RunData) -> None:
    assert tuple(charts(two_models)) == CHARTS


def test_axes_have_units_and_captions_have_n_and_interval(two_models: RunData) -> None:
    made = charts(two_models)
    assert made["pareto"].x.title == "time per video, s"
    assert made["stages"].x.title == "ms per video"
    assert "Wilson, 95 %, of 20 videos" in made["pareto"].caption
    assert "range of 3 processes" in made["pareto"].caption
    assert "i3d: 24 samples of 4 videos in 3 processes" in made["repetitions"].caption
    assert "7 of 10 correct" in made["confusions"].caption
    assert all(chart.alt for chart in made.values())


def test_pareto_has_the_reports_figures(two_models: RunData) -> None:
    work, prediction = points(charts(two_models)["pareto"], "i3d")
    assert work.x[0] == pytest.approx(9.611)
    assert prediction.x[0] == pytest.approx(1.11)
    assert work.y == (85.0,)
    assert work.y_ranges[0] == pytest.approx((63.96, 94.76), abs=0.01)


def test_the_front_is_drawn_where_the_table_claims_one(fake: SimpleNamespace, two_models: RunData) -> None:
    (front,) = points(charts(two_models)["pareto"], "Pareto front")
    assert front.x == tuple(sorted(front.x))
    assert front.y == pytest.approx((75, 85))
    demo = fake.run([fake.model(name, fake.answers(3, 10), kind="demo") for name in ("a", "b")])
    assert points(charts(demo)["pareto"], "Pareto front") == []


def test_stages_are_stacked_without_gaps(two_models: RunData) -> None:
    chart = charts(two_models)["stages"]
    row = {text: position for position, text in chart.y.ticks}["i3d"]
    end = 0.0
    for stage in bars(chart).values():
        at = stage.y.index(row) if row in stage.y else None
        if at is not None:
            assert stage.starts[at] == pytest.approx(end)
            end += stage.lengths[at]
    assert end == pytest.approx(9610)


def test_disturbed_samples_are_not_drawn(two_models: RunData) -> None:
    slow = tuple(replace(s, total_s=9 * s.total_s, disturbed=True) for s in two_models.latencies)
    disturbed = replace(two_models, latencies=slow + two_models.latencies)
    assert charts(disturbed)["repetitions"].series == charts(two_models)["repetitions"].series


def test_repetitions_are_relative_to_the_same_video_and_thinned(fake: SimpleNamespace) -> None:
    model = fake.model("net", fake.answers(1, 2), repetitions=40, forward_s=(0.2, 0.2))
    (marks,) = points(charts(fake.run([model]))["repetitions"], "net")
    assert len(marks.x) == 2 * MOST_MARKS
    assert set(marks.y) == {1.0}
    assert "At most 60 points per process" in charts(fake.run([model]))["repetitions"].caption


def test_classes_are_cut_and_the_target_stays(fake: SimpleNamespace) -> None:
    chart = charts(fake.big_run(n_models=2, n_classes=50, per_class=2, processes=1))["classes"]
    names = [text for _, text in chart.y.ticks]
    assert len(names) == MOST_CLASSES
    assert names[0] == "class number 003"
    assert "20 of 50 classes" in chart.caption
    assert all(0 <= length <= 100 for s in bars(chart).values() for length in s.lengths)


def test_confusions_count_every_model_once(two_models: RunData) -> None:
    chart = charts(two_models)["confusions"]
    assert [text for _, text in chart.y.ticks] == ["jogging\n→ running on treadmill"]
    i3d, resnext = bars(chart).values()
    assert (i3d.starts, i3d.lengths) == ((0.0,), (3.0,))
    assert (resnext.starts, resnext.lengths) == ((3.0,), (5.0,))


def test_random_weights_have_charts_of_time_only(fake: SimpleNamespace) -> None:
    assert tuple(charts(fake.run([fake.model("net", fake.answers(5, 10), kind="random")]))) == (
        "stages",
        "repetitions",
    )


def test_no_chart_without_figures(fake: SimpleNamespace) -> None:
    assert not charts(fake.run([fake.model("dead", {}, state="failed", forward_s=[])]))


def test_plotly_knows_every_property(two_models: RunData) -> None:
    for chart in charts(two_models).values():
        drawn = go.Figure(figure(chart))  # raises ValueError for what Plotly has no word for
        assert len(drawn.data) > 0


@pytest.fixture(scope="module")
def hostile(fake: SimpleNamespace) -> RunData:
    labels = (*fake.labels, HOSTILE)
    answers = {f"{HOSTILE}.mp4": (HOSTILE, "yoga"), "b": ("yoga", HOSTILE), "c": ("yoga", "yoga")}
    run: RunData = fake.run([fake.model(HOSTILE, answers, labels=labels)], target=HOSTILE)
    return run


def test_names_are_drawn_as_they_are(hostile: RunData) -> None:
    for chart in charts(hostile).values():
        drawing = draw(chart)
        tree = ElementTree.fromstring(drawing.svg)
        assert not [e for e in tree.iter() if e.tag.endswith(("script", "foreignObject", "}a"))]
        assert "\\frac" in "".join(tree.itertext())
        ElementTree.fromstring(inline(drawing).replace("xlink:href", "href"))
        texts = repr(figure(chart))
        assert "<script>" not in texts
        assert "&lt;b&gt;" in texts


def test_the_same_chart_gives_the_same_bytes(two_models: RunData) -> None:
    chart = charts(two_models)["pareto"]
    first, second = draw(chart), draw(chart)
    assert first == second
    assert first.png.startswith(b"\x89PNG")
    assert not re.search(r"20\d\d-\d\d-\d\d", first.svg)


def test_the_pages_drawing_has_the_pages_colours(two_models: RunData) -> None:
    text = inline(draw(charts(two_models)["stages"]))
    assert text.startswith('<svg viewBox="')
    assert "currentColor" in text
    assert "#24292f" not in text
    assert set(re.findall(r'id="(\w+)-', text)) == {"stages"}


@given(st.text(max_size=80), st.integers(8, 40))
def test_labels_are_short_and_harmless(text: str, most: int) -> None:
    made = label(text, most)
    assert len(made) <= most
    assert made.isprintable() or "\n" not in made
