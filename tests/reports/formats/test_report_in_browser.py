"""report.html in a real browser: no overflow on a phone, no complaint, no request, on paper, in the dark.

Chromium is driven by the DevTools protocol through a pipe: no package, no port, no network.
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from actionbench.reports.analysis.load_runs import merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.charts.all_charts import CHARTS
from actionbench.reports.formats.export import write_summary

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium")


class Browser:
    """One page. Since it was opened: `problems` its console told, `loaded`, the addresses it asked for."""

    def __init__(self) -> None:
        assert PROGRAM is not None
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # Chromium reads commands from 3 and answers on 4; the copies are out of the way of both.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs_in, theirs_out)]

        def place() -> None:
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(
            [PROGRAM, *_QUIET, f"--user-data-dir={self._profile.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=place,
            close_fds=False,
        )
        for fd in (*ends, theirs_in, theirs_out):
            os.close(fd)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.problems: list[str] = []
        self.loaded: list[str] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command; events that come before it are looked through."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self, timeout_s: float = 60) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._in], [], [], timeout_s)[0], "the browser does not answer"
            received = os.read(self._in, 1 << 20)
            assert received, "the browser has ended"
            self._rest += received
        line, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        self._note(answer.get("method", ""), answer.get("params", {}))
        return answer

    def _note(self, event: str, values: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(values["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning", "assert"):
            self.problems.append(json.dumps(values["args"]))
        elif event == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.problems.append(values["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.loaded.append(values["request"]["url"])

    def open(self, page: Path, width: int, height: int = 900, dark: bool = False, media: str = "") -> None:
        """Show a file in a window of `width` pixels, a phone's below 600, and wait for its plots."""
        self.problems.clear()
        self.loaded.clear()
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def resize(self, width: int, height: int = 900, mobile: bool | None = None) -> None:
        """The window's size in pixels; a phone's (`mobile`) by default if it is narrower than 600."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600 if mobile is None else mobile,
        )

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str, timeout_s: float = 60) -> None:
        """Until `condition` is true in the page."""
        end = time.monotonic() + timeout_s
        while not self.evaluate(condition):
            assert time.monotonic() < end, f"never: {condition}"
            time.sleep(0.1)


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
    browser.open(report, width, dark=dark)
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
    browser.open(report, 844)
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
    browser.open(report, 1280)
    browser.wait(LIVE)
    for width in ("20rem", "60rem"):
        browser.evaluate(f"document.querySelector('main').style.maxWidth = '{width}'")
        browser.wait(FILLED, timeout_s=15)


def test_the_theme_button_turns_the_page_dark(browser: Browser, report: Path) -> None:
    browser.open(report, 1280)
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
    browser.open(report, 800, media="print")
    browser.wait(LIVE)
    shown = "[...document.querySelectorAll('{}')].map(e => getComputedStyle(e).display)"
    assert set(browser.evaluate(shown.format(".static"))) == {"block"}
    assert set(browser.evaluate(shown.format(".live"))) == {"none"}


def test_without_scripts_the_still_plots_are_there(browser: Browser, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(report, 390)
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
    browser.open(infected, 1280)
    browser.wait(LIVE)
    assert browser.evaluate("window.ran") is None
    assert any("Content Security Policy" in problem for problem in browser.problems)
