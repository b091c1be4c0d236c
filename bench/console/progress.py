"""Progress of long tasks: a bar with the time left on a terminal, occasional lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ...plain_text import indented, plain, plain_line
from .output import Output

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn


class Progress(Protocol):
    """Shows the progress of a long task: units done, and what is being done."""

    def advance(self, note: str = "") -> None:
        """Report that one more unit is done; `note`: what is being done."""

    def note(self, text: str) -> None:
        """Report what is being done, `text`."""


class Console:
    """Standard error, as a terminal or as a log. Results go to standard output, not here."""

    def say(self, text: str) -> None:
        """Print a message."""
        # Made plain here too: with the Python API the stream is no `Output`.
        print(plain(indented(text)), file=sys.stderr, flush=True)

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Progress]:
        """Show a task while the block runs.

        - `title`: its name.
        - `total`: its number of units.
        """
        if sys.stderr.isatty():
            with _bar(title, total) as progress:
                yield progress
        else:
            yield _Log(title, total)


class Messages(Console):
    """Prints messages, but shows no progress."""

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Progress]:  # noqa: ARG002
        """A task that is not shown; see `Console.task`."""
        yield _Silent()


class _Silent:
    def advance(self, note: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass


@contextmanager
def _bar(title: str, total: int) -> Iterator[Progress]:
    from rich.progress import MofNCompleteColumn, TextColumn, TimeElapsedColumn

    doing = TextColumn("{task.fields[doing]}", markup=False)
    with _rich_progress(MofNCompleteColumn(), TimeElapsedColumn(), last=doing) as bars:
        task = bars.add_task(title, total=total, doing="")

        class Bar:
            def advance(self, note: str = "") -> None:
                bars.update(task, advance=1, doing=note)

            def note(self, text: str) -> None:
                bars.update(task, doing=text)

        yield Bar()


@contextmanager
def _rich_progress(*columns: ProgressColumn, last: ProgressColumn | None = None) -> Iterator[RichProgress]:
    """A bar on the terminal with these columns, the time left, and a last one; messages appear above it."""
    # Imported here: it costs a tenth of a second, which `bench --help` need not wait for.
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    from .rich_console import PlainConsole

    shown = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        TextColumn("left"),
        TimeRemainingColumn(),
        *(() if last is None else (last,)),
    )
    # Of what is printed meanwhile, rich shows above the bar what goes to a terminal; a file gets its own.
    to_terminal = sys.stdout.isatty()
    with RichProgress(
        *shown, console=PlainConsole(sys.stderr), transient=True, redirect_stdout=to_terminal
    ) as bars:
        # rich stands in place of these streams now, and would read colours in texts.
        if to_terminal:
            sys.stdout = Output(sys.stdout, "standard output")
        sys.stderr = Output(sys.stderr, None)
        yield bars


class _Log:
    """A line every half minute at most, and at the end."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total = title, total
        self._done = 0
        self._begin = self._last = time.monotonic()

    def advance(self, note: str = "") -> None:  # noqa: ARG002  a line is not worth every clip's name
        self._done += 1
        now = time.monotonic()
        if now - self._last >= 30 or self._done == self._total:
            self._last = now
            elapsed = now - self._begin
            left = elapsed / self._done * (self._total - self._done)
            print(
                f"{self._title}: {self._done}/{self._total}, {elapsed:.0f} s, about {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    def note(self, text: str) -> None:
        """Nothing: a line for every note would flood the log."""


@contextmanager
def transfer(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function that shows the progress of a download: called with (bytes received, bytes in all or None).

    - `name`: of what is downloaded.

    In a log, the rate, and the time left that is derived from it, are those since the block began.
    """
    if not sys.stderr.isatty():
        yield _logged_transfer(name)
        return
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with _rich_progress(DownloadColumn(), TransferSpeedColumn()) as bars:
        task = bars.add_task(name, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _logged_transfer(name: str) -> Callable[[int, int | None], None]:
    last = 0.0
    begin = time.monotonic()

    def progress(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 30:
            return
        last = now
        of = "" if total is None else f" of {total / 1e6:.1f}"
        line = f"{name}: {done / 1e6:.1f}{of} MB"
        if now - begin >= 1 and done:
            rate = done / (now - begin)
            line += f" at {rate / 1e6:.1f} MB/s"
            line += "" if total is None else f", about {max(total - done, 0) / rate:.0f} s left"
        print(plain_line(line), file=sys.stderr, flush=True)

    return progress
