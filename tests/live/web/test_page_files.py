"""The page's files, as they are stored."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def colours(css: Path) -> str:
    """The block of colours at the beginning of a style sheet."""
    _, _, rest = css.read_text(encoding="utf-8").partition(":root {")
    return rest.partition("}")[0]


def test_the_page_has_the_colours_of_the_report() -> None:
    """Neither room may read the other's files, so the colours stand in both."""
    page = colours(ROOT / "live" / "web" / "page" / "live.css")
    assert "--accent" in page
    assert page == colours(ROOT / "reports" / "templates" / "report.css")
