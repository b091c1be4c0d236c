"""The page in a real browser, while a session runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from actionbench.live.web import app, state
from actionbench.live.web.address import WebAddress
from actionbench.tests.browser import Browser, needs_chromium
from actionbench.tests.live.making import person
from actionbench.tests.live.web.fake_session import TOKEN, FakeSession

pytestmark = needs_chromium

HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>" + "x" * 80


PHONE = (390, 600)
"""Width and height of a small window: drawing costs most of the time of these tests."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@contextmanager
def running(session: FakeSession) -> Iterator[None]:
    """Frames, five a second, until the end."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.2):
            session.frame(value=session.number % 256)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def text(id: str) -> str:
    return f"document.getElementById('{id}').textContent"


def test_the_page_shows_the_session_and_takes_no_text_for_html(browser: Browser) -> None:
    session = FakeSession(labels=(HOSTILE, "walking", "other"))
    session.measurements.set_connected(True)
    session.measurements.set_stride(16)
    session.event("a", "end", "walking", 1.0, 3.5)
    session.decide(0.1, 0.9, 0.0, label="walking")
    session.decide(0.9, 0.1, 0.0, label=HOSTILE)
    session.event("b", "start", HOSTILE, 61.0, None)
    with closing(session.server), running(session):
        browser.open(session.server.url, 360, dark=True)
        browser.wait("!document.getElementById('picture').hidden")
        browser.wait("document.querySelectorAll('#legend li').length === 2")
        assert browser.evaluate(text("label")) == browser.evaluate(text("spoken")) == HOSTILE
        assert browser.evaluate(text("confidence")) == "90 %"
        assert browser.evaluate(text("age")) == "0.12 s"
        assert browser.evaluate(text("link")) == "Live"
        assert browser.evaluate(text("source")) == "entrance.mp4"
        assert browser.evaluate(text("no-action")) == "the likeliest class is 'other'"
        assert browser.evaluate(text("window")) == "16 frames at 12.5 frames/s (1.3 s)"
        assert browser.evaluate(text("pace")) == "Cannot keep up with the camera"
        caveats = browser.evaluate("[...document.querySelectorAll('#caveats li')].map(e => e.textContent)")
        assert caveats[0] == "Demo weights: the labels mean nothing"
        assert caveats[1].startswith("Cannot keep up: a label every 16 frames")
        # Events of before the page was opened, the newest first.
        cells = "[...row.children].map(cell => cell.textContent)"
        rows = browser.evaluate(f"[...document.querySelectorAll('#events tbody tr')].map(row => {cells})")
        assert rows == [
            [HOSTILE, "1:01.0", "1.0 s", "75 %", "now"],
            ["walking", "0:01.0", "2.5 s", "75 %", "ended"],
        ]
        assert browser.evaluate(
            "(() => { const c = document.getElementById('chart');"
            "return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 10; })()"
        )
        assert browser.evaluate("window.ran") is None
        assert browser.evaluate("document.querySelectorAll('script, #picture').length") == 2
        assert browser.evaluate("document.documentElement.scrollWidth") <= 360
        browser.resize(1280)
        assert browser.evaluate("document.documentElement.scrollWidth") <= 1280
        assert browser.problems == []
    browser.wait(f"{text('link')} === 'The session has ended'", timeout_s=10)
    assert not [url for url in browser.loaded if not url.removeprefix("blob:").startswith(session.server.url)]


LINK = text("link")


@pytest.mark.slow
def test_the_page_says_that_the_camera_or_the_server_is_silent(
    browser: Browser, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.decide(0.1, 0.9, 0.0, label="walking")
    browser.open(session.server.url, *PHONE)
    browser.wait(f"{LINK} === 'Live'")
    with monkeypatch.context() as patch:
        patch.setattr(state.LiveState, "frame_age_s", 7.0)
        browser.wait(f"{LINK} === 'No frames for 7 s'")
    session.frame()
    browser.wait(f"{LINK} === 'Live'")
    # A label that no newer one replaces grows old.
    browser.wait(f"parseFloat({text('age')}) > 2")
    monkeypatch.setattr(app, "QUIET_S", 60.0)
    browser.wait(f"{LINK} === 'Connection lost, trying again'")
    session.decide(0.9, 0.1, 0.0, label="falling")
    browser.wait(f"{LINK} === 'Live'")


@pytest.mark.slow
def test_the_page_finds_a_session_that_was_started_again(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = FakeSession()
    first.event("a", "end", "falling", 0.0, 1.0)
    first.frame()
    # As if it had crashed: nobody is told that the session is over.
    monkeypatch.setattr(state.LiveState, "end", lambda _: None)
    with closing(first.server):
        browser.open(first.server.url, *PHONE)
        browser.wait(f"{LINK} === 'Live'")
    browser.wait(f"{LINK} === 'Connection lost, trying again'")
    monkeypatch.undo()
    second = FakeSession(address=WebAddress("127.0.0.1", first.port))
    second.event("b", "end", "walking", 0.0, 1.0)
    with closing(second.server), running(second):
        browser.wait(f"{LINK} === 'Live'")
        rows = "[...document.querySelectorAll('#events tbody th')].map(c => c.textContent)"
        assert browser.evaluate(rows) == ["walking"]


def test_a_picture_that_is_paused_costs_nothing(browser: Browser, session: FakeSession) -> None:
    with running(session):
        browser.open(session.server.url, *PHONE)
        browser.wait("!document.getElementById('picture').hidden")
        browser.evaluate("document.getElementById('pause').click()")
        assert browser.evaluate(text("pause")) == "Go on"
        browser.wait("new Promise(go => setTimeout(() => go(true), 500))")
        shown = "document.getElementById('picture').src"
        before = browser.evaluate(shown)
        browser.wait("new Promise(go => setTimeout(() => go(true), 600))")
        assert browser.evaluate(shown) == before
        browser.evaluate("document.getElementById('pause').click()")
        browser.wait(f"{shown} !== '{before}'")


def test_the_token_is_presented_once_and_leaves_the_address(browser: Browser, guarded: FakeSession) -> None:
    browser.open(guarded.server.url, *PHONE)
    assert "needs its token" in browser.evaluate("document.body.textContent")
    with running(guarded):
        browser.open(f"{guarded.server.url}?token={TOKEN}", *PHONE)
        browser.wait("!document.getElementById('picture').hidden")
        assert browser.evaluate("location.href") == guarded.server.url
        assert browser.evaluate("document.cookie") == ""


def test_a_box_stands_around_each_person_and_events_name_them(browser: Browser, session: FakeSession) -> None:
    session.event("a", "start", HOSTILE, 1.0, None, person=1, zone="<b>bed</b>")
    acting = person(1, HOSTILE, (0.25, 0.25, 0.5, 0.75))
    session.people(acting, person(2, box=(0.5, 0.5, 1.0, 1.25)), person(3, watched=False))
    browser.open(session.server.url, *PHONE)
    browser.wait("document.querySelectorAll('#boxes g').length === 3")
    shown = "[...document.querySelectorAll('#boxes text')].map(each => each.textContent)"
    assert browser.evaluate(shown) == [f"1: {HOSTILE} 75 %", "2: no action", "3"]
    classes = "[...document.querySelectorAll('#boxes g')].map(each => each.getAttribute('class'))"
    assert browser.evaluate(classes) == ["acting", "", "unwatched"]
    # A quarter of the picture's width is a quarter of what is shown of it.
    places = browser.evaluate(
        "(() => { const p = document.getElementById('picture'), b = p.getBoundingClientRect();"
        "const r = document.querySelector('#boxes rect').getBoundingClientRect();"
        "const scale = Math.min(b.width / p.naturalWidth, b.height / p.naturalHeight);"
        "const left = b.left + (b.width - scale * p.naturalWidth) / 2;"
        "return [(r.left - left) / (scale * p.naturalWidth), r.width / (scale * p.naturalWidth)]; })()"
    )
    assert places == pytest.approx([0.25, 0.25], abs=0.02)
    assert browser.evaluate(text("label")) == f"{HOSTILE} (person 1)"
    (row,) = browser.evaluate(
        "[...document.querySelectorAll('#events tbody th')].map(each => each.textContent)"
    )
    assert row == f"{HOSTILE} (person 1, <b>bed</b>)"
    assert browser.evaluate("window.ran") is None
    session.people()
    browser.wait("document.querySelectorAll('#boxes g').length === 0")
    assert browser.evaluate(text("label")) == "Nobody in the picture"
