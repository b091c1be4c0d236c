"""report.md: what it says, in which order, and that nothing in the data can act as markup."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from actionbench.plain_text import plain_line
from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.charts.all_charts import CHARTS, all_charts
from actionbench.reports.formats.markdown import escape, report
from actionbench.reports.numbers import number
from actionbench.reports.tables.all_tables import all_tables

from ...known import known

HOSTILE = (
    "a|b",
    "`rm -rf`",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://evil/x.png)",
    "two\nlines\r\n# and a heading",
    "**bold** _it_ ~~no~~",
    "\\| \\",
    "&lt;b&gt; &#124;",
    "</details><img src=x onerror=alert(1)>",
    "[x]: http://evil 'definition'",
    "$$\\evil$$",
    "\u202eesrever\x1b[31m",
    "```",
    "---",
    "1. list",
    "[ ] task",
)
PAGE_TAGS = {"h1", "h2", "h3", "p", "blockquote", "strong", "table", "thead", "tbody", "tr", "th", "td"}
PAGE_TAGS |= {"br", "ul", "li", "details", "summary", "pre", "code"}
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def render(run: RunData) -> str:
    summary = summarise(merge([run]))
    return report(summary, all_tables(summary), all_charts(summary))


def shown(text: str) -> str:
    return plain_line(text)


@given(st.text(max_size=40) | st.sampled_from(HOSTILE) | st.text("[]()<>|`*_\\~#!:&$-+=.1 \n", max_size=20))
@example("]")
@example("\\")
def test_escaped_text_is_shown_as_it_is_in_a_table_a_list_and_a_paragraph(text: str) -> None:
    forms = {
        "td": f"| a | b |\n|---|---|\n| x {escape(text)} | y |",
        "li": f"- {escape(text)}",
        "p": f"{escape(text)}",
        "strong": f"**a {escape(text)} z**",
    }
    for tag, source in forms.items():
        page = MARKDOWN.render(source)
        allowed = {"td": "table thead tbody tr th td", "li": "ul li", "p": "p", "strong": "p strong"}[
            tag
        ].split()
        assert set(re.findall(r"<([a-z0-9]+)", page)) <= set(allowed)
        if tag in ("li", "p") and shown(text):
            content = re.sub(r"</?(ul|li|p)>", "", page)
            assert " ".join(html.unescape(content).split()) == shown(text)
        if tag == "td":
            cells = re.findall(r"<td>(.*?)</td>", page, re.DOTALL)
            assert [" ".join(html.unescape(c).split()) for c in cells] == [f"x {shown(text)}".strip(), "y"]


@pytest.mark.parametrize(
    "text", ["http://evil.example/x", "https://evil", "www.evil.example", "WWW.evil.example"]
)
def test_bare_addresses_are_broken_up(text: str) -> None:
    assert not re.search(r"(?<!\\)://|www\.", escape(text), re.IGNORECASE)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_do_not_act(fake: SimpleNamespace, hostile: str) -> None:
    answers = {
        hostile: (hostile, "yoga"),
        "broken": ("yoga", OSError(hostile)),
        f"{hostile}2": ("yoga", hostile),
    }
    labels = (*fake.labels, hostile)
    model = fake.model(
        "net",
        answers,
        labels=labels,
        title=hostile,
        state="failed",
        error=hostile,
        notes={hostile: (hostile,)},
    )
    run = fake.run(
        [model], name=hostile, target=hostile, environment={hostile: hostile}, config={"x": hostile}
    )
    source = render(run)
    page = MARKDOWN.render(source)
    tags = set(re.findall(r"<([a-zA-Z0-9]+)", page))
    assert tags <= PAGE_TAGS | {"img", "em"}
    assert set(re.findall(r'src="([^"]*)"', page)) <= {f"plots/{name}.svg" for name in CHARTS}
    assert page.count("<details>") == page.count("</details>") == 2
    assert "href" not in page
    assert "\x1b" not in source
    assert "\u202e" not in source


def test_every_row_has_as_many_cells_as_its_header(two_models: RunData) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", render(two_models), re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_verdict_and_comparison_come_first(two_models: RunData) -> None:
    text = render(two_models)
    before_sections = text.split("\n## ")[0]
    assert "resnext predicts a video in 0.220 s, 5.05 times as fast as i3d" in before_sections
    assert "70 % [40–89]" in before_sections
    assert "1.11 [1.01–1.21]" in before_sections
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[:3] == ["Keeping up with a camera", "Accuracy against latency", "Target class: jogging"]
    assert headings.index("Stages") < headings.index("Latency")
    assert headings.index("Caveats") < headings.index("Runs")


def test_the_first_table_is_narrow_enough(two_models: RunData) -> None:
    """GitHub's page is about 830 px wide; a column: its longest word, 8 px a character, and 26 px."""
    table = known(re.search(r"(?:^\|.*\n)+", render(two_models), re.MULTILINE))[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    rows.pop(1)
    words = [[max(map(len, re.split(r"<br>| ", cell))) for cell in row] for row in rows]
    assert sum(26 + 8 * max(column) for column in zip(*words, strict=True)) < 850


def test_random_weights_show_no_accuracy(fake: SimpleNamespace) -> None:
    text = render(fake.run([fake.model("net", fake.answers(5, 10), kind="random")]))
    assert "Random weights: accuracy not measured" in text
    assert "Accuracy was not measured" in text
    assert not re.search(r"\b50 %", text)


def test_demo_weights_carry_their_caveat_above_the_table(fake: SimpleNamespace) -> None:
    text = render(fake.run([fake.model("net", fake.answers(5, 10), kind="demo")]))
    assert text.index("> **Demo weights: accuracy says nothing about real video") < text.index("| Model")
    assert "has no meaning for real video" in text


def test_undefined_precision_is_said(fake: SimpleNamespace) -> None:
    text = render(fake.run([fake.model("net", fake.answers(0, 5))]))
    assert "undefined" in text
    assert "was never predicted" in text


def test_no_video_of_the_target_is_said(fake: SimpleNamespace) -> None:
    text = render(fake.run([fake.model("net", fake.answers(0, 0))]))
    assert "no video of jogging was predicted" in text
    assert "No video of jogging was predicted: precision and recall of that class are unknown." in text


def test_a_failed_model_is_a_row_with_its_reason(fake: SimpleNamespace) -> None:
    dead = fake.model("dead", {}, state="failed", error="killed: out of memory", forward_s=[])
    text = render(fake.run([fake.model("net", fake.answers(5, 10)), dead], state="incomplete"))
    assert "But dead failed and has no complete result." in text
    assert "dead failed: killed: out of memory" in text
    assert re.search(r"^\| dead<br>failed; ", text, re.MULTILINE)


def test_skipped_videos_are_listed_with_reasons_and_long_lists_cut(fake: SimpleNamespace) -> None:
    broken = {f"v{i}": ("yoga", OSError("no moov atom")) for i in range(60)}
    run = fake.run([fake.model("net", fake.answers(1, 2) | broken)])
    run = replace(
        run, run=replace(run.run, data=run.run.data | {"missing": ["gone.mp4"], "unknown_labels": ["x"]})
    )
    text = render(run)
    assert "| all     | gone.mp4 | listed, but the file is missing |" in text
    assert "| net     | v0       | no moov atom" in text
    assert "… and 11 more in tables/skipped.csv." in text
    assert "Labels outside the vocabulary: x." in text


def test_real_time_verdicts(fake: SimpleNamespace) -> None:
    slow = fake.model("slow", fake.answers(1, 2), flow_s=40.0)
    fast = fake.model("fast", fake.answers(1, 2), flow_s=None)
    assert "slow does not keep up with a camera at 25 frames per second" in render(fake.run([slow]))
    assert "of the time spent on optical flow" in render(fake.run([slow]))
    both = render(fake.run([slow, fast]))
    assert "fast keeps up with a camera at 30 frames per second; slow does not." in both


def test_overlapping_times_are_not_called_faster(fake: SimpleNamespace) -> None:
    a = fake.model("a", fake.answers(1, 2), forward_s=(1.0, 1.2, 1.4))
    b = fake.model("b", fake.answers(1, 2), forward_s=(1.1, 1.3, 1.5))
    assert "a predicts a video in 1.21 s, not clearly faster than b" in render(fake.run([a, b]))


def test_one_process_has_no_range_and_says_so(fake: SimpleNamespace) -> None:
    text = render(fake.run([fake.model("a", fake.answers(1, 2), forward_s=[1.0])]))
    assert "Timed in one process" in text
    assert "[1.01" not in text


def test_same_input_same_text(two_models: RunData) -> None:
    assert render(two_models) == render(two_models)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (9.996, "10.0"),
        (0.001234, "0.00123"),
        (1234.5, "1230"),
        (99.95, "100"),
        (1, "1.00"),
        (-2.345, "-2.35"),
        (0.9999, "1.00"),
    ],
)
def test_three_significant_digits(value: float | None, text: str) -> None:
    assert number(value) == text


@given(st.floats(1e-9, 1e9))
def test_numbers_are_right_to_three_digits(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=0.0051)
