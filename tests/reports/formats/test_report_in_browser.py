"""report.html in a real browser: no overflow on a phone, no complaint, no request, on paper, in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from actionbench.reports.analysis.load_runs import merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.charts.all_charts import CHARTS
from actionbench.reports.formats.export import write_summary
from actionbench.tests.browser import Browser, needs_chromium

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.fixture(scope="module")
def report(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it that could be too wide."""
    wide = "a network with a very-long-name-without-a-place-to-break-it-" + "x" * 80
    answers = fake.answers(5, 10) | {"y" * 120: ("yoga", "zumba")}
    run = fake.run([fake.model("i3d", answers), fake.model(wide, answers, flow_s=None)])
    return write_summary(summarise(merge([run])), tmp_path_factory.mktemp("report"))


LIVE = "document.documentElement.dataset.plots === 'live'"


@pytest.mark.parametrize(("width", "dark"), [(320, False), (390, True), (1280, False)])
def test_the_page_fits_and_nothing_is_wrong_or_asked_for(
    browser: Browser, report: Path, width: int, dark: bool
) -> None:
    browser.open(report.resolve().as_uri(), width, dark=dark)
    browser.wait(LIVE)
    browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("document.querySelectorAll('.live svg.main-svg').length > 0")
    assert browser.evaluate("document.querySelectorAll('.live:not([hidden])').length") == len(CHARTS)
    assert browser.problems == []
    assert not [url for url in browser.loaded if not url.startswith(("data:", report.resolve().as_uri()))]


BOXES = (
    "[...document.querySelectorAll('.live')]"
    ".map(box => [box, box.querySelector('svg.main-svg')].map(e => e.getBoundingClientRect()))"
)
FILLED = f"{BOXES}.every(([box, plot]) => Math.abs(box.width - plot.width) < 1)"
HEIGHTS = f"{BOXES}.map(([_, plot]) => plot.height)"


@pytest.mark.parametrize("mobile", [True, False])
def test_plots_follow_a_window_that_gets_narrower_and_wider_again(
    browser: Browser, report: Path, mobile: bool
) -> None:
    """A phone that is turned, a window that is dragged."""
    browser.open(report.resolve().as_uri(), 844)
    browser.wait(LIVE)
    heights = browser.evaluate(HEIGHTS)
    for width in (390, 320, 844):
        browser.resize(width, mobile=mobile)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, "not yet drawn again"
        browser.wait(FILLED, timeout_s=15)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(HEIGHTS) == heights
    assert browser.problems == []


def test_plots_follow_their_box_if_the_window_stays_as_it_is(browser: Browser, report: Path) -> None:
    browser.open(report.resolve().as_uri(), 1280)
    browser.wait(LIVE)
    for width in ("20rem", "60rem"):
        browser.evaluate(f"document.querySelector('main').style.maxWidth = '{width}'")
        browser.wait(FILLED, timeout_s=15)


def test_the_theme_button_turns_the_page_dark(browser: Browser, report: Path) -> None:
    browser.open(report.resolve().as_uri(), 1280)
    browser.wait(LIVE)
    background = "getComputedStyle(document.body).backgroundColor"
    light = browser.evaluate(background)
    for _ in range(2):
        browser.evaluate("document.getElementById('theme').click()")
    assert browser.evaluate("document.documentElement.dataset.theme") == "dark"
    assert browser.evaluate(background) != light
    browser.evaluate("document.getElementById('theme').click()")
    assert browser.evaluate(background) == light


def test_paper_has_the_still_plots(browser: Browser, report: Path) -> None:
    browser.open(report.resolve().as_uri(), 800, media="print")
    browser.wait(LIVE)
    shown = "[...document.querySelectorAll('{}')].map(e => getComputedStyle(e).display)"
    assert set(browser.evaluate(shown.format(".static"))) == {"block"}
    assert set(browser.evaluate(shown.format(".live"))) == {"none"}


def test_without_scripts_the_still_plots_are_there(browser: Browser, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report.resolve().as_uri(), 390)
        assert browser.evaluate("document.documentElement.dataset.plots") is None
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        widths = "[...document.querySelectorAll('.static svg')].map(e => e.getBoundingClientRect().width)"
        assert min(browser.evaluate(widths)) > 300
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_script_that_got_in_would_not_run(browser: Browser, report: Path, tmp_path: Path) -> None:
    infected = tmp_path / "infected.html"
    source = report.read_text(encoding="utf-8")
    infected.write_text(
        source.replace("<main>", "<main><script>window.ran = true</script>"), encoding="utf-8"
    )
    browser.open(infected.resolve().as_uri(), 1280)
    browser.wait(LIVE)
    assert browser.evaluate("window.ran") is None
    assert any("Content Security Policy" in problem for problem in browser.problems)
