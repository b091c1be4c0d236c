"""What the benchmarks share: the judge of their bars, and the list of all verdicts at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .bars import Bar, Call, Tell, judge

_FIGURES = "figures"
"""Name of the property of a test's report that holds what it has told."""


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Keep a text for the summary of the test run."""
    return lambda text: record_property(_FIGURES, text)


@pytest.fixture
def judged(tell: Tell) -> Callable[[Bar, Call, Call], None]:
    """`bars.judge`, its figures in the summary."""
    return lambda bar, fast, base: judge(bar, fast, base, tell)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what the benchmarks told, also of those that passed."""
    told = [
        str(text)
        for outcome in ("passed", "failed", "skipped")
        for report in terminalreporter.getreports(outcome)
        for name, text in report.user_properties
        if name == _FIGURES
    ]
    if told:
        terminalreporter.write_sep("=", "bars of speed")
        for text in told:
            terminalreporter.write_line(text)
