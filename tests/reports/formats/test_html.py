"""report.html: self-contained, harmless whatever the data say, and there for every odd run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from actionbench.records.run_directory import thumbnail_path
from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.charts.all_charts import CHARTS, all_charts
from actionbench.reports.charts.chart import COLORS
from actionbench.reports.charts.plots import draw
from actionbench.reports.formats.html import MOST_CARDS, MOST_MISTAKES, MOST_ROWS, _file, page
from actionbench.reports.tables.all_tables import all_tables
from actionbench.reports.tables.table import Column, table

from ...known import known

JPEG = b"\xff\xd8\xff\xe0 a picture"
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)' x='",
    "javascript:alert(1)",
    "{{ 7 * 7 }} {% raw %}",
    "<!-- ]]> --><svg onload=alert(1)>",
    "$\\frac{1}{0}$ & &lt;b&gt;",
    "\u202eesrever\x1b[31m\u2028",
    "日本語 العربية 🏃",
)
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """What a browser makes of the page: elements with attributes, text, the content of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def render(*runs: RunData, plots: bool = True) -> str:
    summary = summarise(merge(runs))
    drawings = [draw(chart) for chart in all_charts(summary)] if plots else []
    return page(summary, all_tables(summary), drawings)


@pytest.fixture(scope="module")
def two_models_page(fake: SimpleNamespace) -> str:
    i3d = fake.model("i3d", fake.answers(7, 10), forward_s=(1.0, 1.1, 1.2))
    return render(fake.run([i3d, fake.model("resnext", fake.answers(5, 10), flow_s=None)]))


def test_what_can_be_deployed_comes_first(two_models_page: str) -> None:
    text = Page(two_models_page).text
    assert text.index("Which network can you deploy on this machine?") < text.index("Comparison")
    # 250 frames in 9.51 to 9.71 s; in 0.71 to 0.73 s
    assert "i3d user weights, flow tvl1, CPU 25 fps keeps up 30 fps does not keep up" in text
    assert "resnext user weights, RGB only, CPU 25 fps keeps up 30 fps keeps up" in text
    assert "70 % [40–89]" in text
    assert text.index("Caveats") > text.index("Most confident mistakes")


def test_every_chart_is_there_as_svg_and_for_plotly(two_models_page: str) -> None:
    parsed = Page(two_models_page)
    assert len(parsed.named("svg")) == len(CHARTS)
    figures = [json.loads(s) for s in parsed.scripts if s.startswith("{")]
    assert len(figures) == len(CHARTS)
    assert all(figure["data"] for figure in figures)
    pictures = [a for a in parsed.named("div") if a.get("role") == "img"]
    assert len(pictures) == 2 * len(CHARTS)
    assert all(a["aria-label"] for a in pictures)


def test_with_ten_models_the_best_are_shown_and_the_dominated_folded(fake: SimpleNamespace) -> None:
    models = [
        fake.model(f"net{i}", fake.answers(5, 10), forward_s=(1 + i,) * 3, flow_s=None) for i in range(10)
    ]
    source = render(fake.run(models), plots=False)
    parsed = Page(source)
    assert "net0 vs net1 vs net2 vs net3 and 6 more" in parsed.text
    # As accurate as the first and slower; without JavaScript, <details> unfolds them.
    assert "Dominated: another model is at least as accurate and as fast 9" in parsed.text
    assert f"Other models {10 - MOST_CARDS}" in parsed.text
    titles = [a["data-title"] for a in parsed.named("td") if "data-title" in a]
    assert titles.count("Prediction s / video") == 10
    assert len([a for a in parsed.named("article") if "card" in (a["class"] or "")]) == 10


def test_identifiers_are_unique(two_models_page: str) -> None:
    found = [a["id"] for _, a in Page(two_models_page).elements if "id" in a]
    assert len(found) == len(set(found))


def test_nothing_is_loaded_from_anywhere(two_models_page: str) -> None:
    parsed = Page(two_models_page)
    for _, attributes in parsed.elements:
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
    style = known(re.search(r"<style>(.*?)</style>", two_models_page, re.DOTALL))[1]
    assert "@import" not in style
    assert "url(" not in style
    policy = next(known(a["content"]) for a in parsed.named("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert "unsafe-inline'; img" in policy
    assert policy.count("unsafe") == 1


def test_the_policy_allows_the_pages_own_scripts_and_no_other(two_models_page: str) -> None:
    parsed = Page(two_models_page)
    policy = next(known(a["content"]) for a in parsed.named("meta") if "http-equiv" in a)
    kinds = [a.get("type") for a in parsed.named("script")]
    assert kinds.count(None) == 1
    own = parsed.scripts[-1].encode()
    packed = max(parsed.scripts, key=len)
    plotly = gzip.decompress(base64.b64decode(packed))
    assert b"plotly.js v" in plotly[:100]
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in (own, plotly)]
    assert re.findall(r"'sha256-([^']*)'", policy) == digests


def test_hostile_names_do_not_act(fake: SimpleNamespace) -> None:
    labels = (*fake.labels, *HOSTILE)
    answers = {f"{name}.mp4": (name, fake.labels[0]) for name in HOSTILE}
    answers |= {f"2{name}": (fake.labels[0], name) for name in HOSTILE}
    answers |= {f"broken {name}": ("yoga", OSError(name)) for name in HOSTILE}
    models = [
        fake.model(
            name, answers, labels=labels, title=name, state="failed", error=name, notes={f"2{name}": (name,)}
        )
        for name in HOSTILE[:3]
    ]
    run = fake.run(
        models,
        name=HOSTILE[0],
        target=HOSTILE[1],
        environment={name: name for name in HOSTILE} | {"cpu": HOSTILE[2]},
        config=dict.fromkeys(HOSTILE, HOSTILE[0]),
    )
    source = render(run)
    parsed = Page(source)
    assert parsed.open == []
    assert len(parsed.scripts) == 2 + len(all_charts(summarise(merge([run]))))
    for _, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on")]
    assert not [a for a in parsed.named("img") if a["src"] == "x"]
    assert not {"\u202e", "\x1b", "\u2028"} & set(source)
    assert "<script>alert(1)</script>" in parsed.text
    assert "{{ 7 * 7 }}" in parsed.text
    for text in parsed.scripts[:-2]:
        assert "<" not in text
        json.loads(text)


def test_random_weights_have_speed_and_no_accuracy(fake: SimpleNamespace) -> None:
    text = Page(render(fake.run([fake.model("net", fake.answers(5, 10), kind="random")]))).text
    assert "Random weights: its speed is real, its predictions are meaningless." in text
    assert "Top-1 not measured" in text
    assert "Most confident mistakes" not in text


def test_a_run_without_any_figure_is_a_page(fake: SimpleNamespace) -> None:
    dead = fake.model("dead", {}, state="failed", error="killed: out of memory", forward_s=[])
    source = render(fake.run([dead], state="incomplete"))
    parsed = Page(source)
    assert "it failed: killed: out of memory" in parsed.text
    assert "unknown" in parsed.text
    assert parsed.named("svg") == []
    assert "plotly.js" not in source
    assert len(source) < 100_000


def test_several_runs_are_joined(two_models: RunData) -> None:
    text = Page(render(two_models, replace(two_models, name="run-2"), plots=False)).text
    assert "i3d (run-1)" in text
    assert "Configuration of run-2" in text


def test_tables_that_have_no_place_of_their_own_are_shown(two_models: RunData) -> None:
    summary = summarise(merge([two_models]))
    more = table("scenarios", "Several videos at a time", [Column("Rate")], [(("<12>",), {"rate": 12})])
    text = Page(page(summary, [*all_tables(summary), more], [])).text
    assert "Several videos at a time 1 Rate <12>" in text


def test_the_page_of_the_thesiss_size_is_small(fake: SimpleNamespace) -> None:
    source = render(fake.big_run(), plots=False)
    assert len(source) < 1_000_000
    assert "more in tables/classes.csv" in source
    assert Page(source).text.count("no thumbnail") == MOST_MISTAKES
    assert source.count("<tr>") < 12 * MOST_ROWS


def test_pictures_are_shown_if_they_are_some(fake: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = replace(fake.run([fake.model("net", fake.answers(0, 3))]), folder=folder)
    for clip, content in (("jogging/00.mp4", JPEG), ("jogging/01.mp4", b"<svg onload=alert(1)>")):
        path = thumbnail_path(folder, clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "mine.jpg").write_bytes(JPEG + b"mine")  # reports are passed on
    thumbnail_path(folder, "jogging/02.mp4").symlink_to(tmp_path / "mine.jpg")
    parsed = Page(render(run, plots=False))
    assert [a["src"] for a in parsed.named("img")] == [
        f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    ]
    assert parsed.text.count("no thumbnail") == 2


@pytest.mark.parametrize("clip", ["../../etc/passwd", "a/b", "\0", "x" * 5000, "日本語"])
def test_a_picture_is_in_its_folder_whatever_the_clip_is_called(clip: str, tmp_path: Path) -> None:
    path = thumbnail_path(tmp_path, clip)
    assert path.parent == tmp_path / "thumbnails"
    assert re.fullmatch(r"[0-9a-f]{32}\.jpg", path.name)


def test_a_models_card_has_the_colour_that_it_has_in_the_charts() -> None:
    found = dict(re.findall(r"\.model-(\d) \{ --model: (#\w{6}); \}", _file("report.css")))
    assert found == {str(number): color.lower() for number, color in enumerate(COLORS)}
    assert f"% {len(COLORS)} " in _file("macros.html")
