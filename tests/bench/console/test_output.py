"""What every command prints: nothing from outside acts on the terminal, and no output ends in a traceback."""

from __future__ import annotations

import csv
import io
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.text import Text

from actionbench.bench.cli import app as cli
from actionbench.bench.cli.app import run_app
from actionbench.bench.console.output import Output
from actionbench.bench.console.progress import Console
from actionbench.bench.console.rich_console import PlainConsole
from actionbench.errors import UsageError

pytestmark = pytest.mark.usefixtures("no_pictures")

COMMAND = [sys.executable, "-m", "actionbench"]
TINY = Path(__file__).parents[1] / "networks" / "tiny.py"
Videos = Callable[[list[int], int], Path]

RED, BELL, OVERRIDE = "\x1b[31m", "\x07", "\u202e"
EVIL = f"a{RED}{BELL}{OVERRIDE}\x9b2J\nbench: all is well"
ACTING = (*"\x1b\x07\u202e\x9b\r", "\nbench: all is well")


def assert_harmless(text: str, shown: str = "a\ufffd[31m\ufffd\ufffd\ufffd2J") -> None:
    assert shown in text, text
    assert not [c for c in ACTING if c in text]


@pytest.fixture(scope="module")
def evil_folder(coloured_videos: Videos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with a class and a file that are called so."""
    folder = tmp_path_factory.mktemp("evil")
    (video,) = coloured_videos([7], 1).rglob("*.mp4")
    (folder / EVIL).mkdir()
    shutil.copy(video, folder / EVIL / f"{EVIL}.mp4")
    (folder / EVIL / f"=cmd(){RED}.mp4").write_bytes(b"no video")
    return folder


def test_names_of_a_data_set_do_not_act(
    evil_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["data", "check", str(evil_folder), "--min-frames", "1", "--workers", "1"]) == 0
    assert_harmless(capsys.readouterr().out)
    assert run_app(["data", "check", str(evil_folder / EVIL / f"=cmd(){RED}.mp4")]) == 2
    assert_harmless("".join(capsys.readouterr()))
    words = ["data", "subset", str(evil_folder), str(tmp_path / "s.csv"), "--min-frames", "1"]
    assert run_app(words) == 0
    assert_harmless(capsys.readouterr().out)


def test_the_table_of_a_check_holds_no_formula(evil_folder: Path, tmp_path: Path) -> None:
    bad = evil_folder / EVIL
    table = tmp_path / "table.csv"
    assert run_app(["data", "check", str(bad), "--min-frames", "1", "--out", str(table)]) == 0
    text = table.read_text(encoding="utf-8")
    assert not [c for c in "\x1b\x07\u202e\x9b" if c in text]
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert "'=cmd()\ufffd[31m.mp4" in {row["clip"] for row in rows}
    assert [row["frames"] for row in rows if row["state"] == "broken"] == ["0"]


def test_names_in_errors_do_not_act(evil_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--models", f"{TINY}:tiny", "--weights", "random", "--data", str(evil_folder)]
    assert run_app([*words, "--target", EVIL]) == 2
    assert_harmless(capsys.readouterr().err)
    assert run_app(["run", f"--{EVIL}"]) == 2
    assert_harmless(capsys.readouterr().err, shown="No such option")  # click shows most of them as escapes


def test_predictions_and_a_networks_exception_do_not_act(
    evil_folder: Path, weights_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    video = evil_folder / EVIL / f"{EVIL}.mp4"
    assert run_app(["predict", f"{TINY}:tiny", str(video), "--weights", f"tiny={weights_file}"]) == 0
    assert_harmless(capfd.readouterr().out)
    network = tmp_path / "network.py"
    network.write_text(
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('tiny', {str(TINY)!r})\n"
        "tiny = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(tiny)\n"
        "def net():\n"
        f"    def fail(logits): raise ValueError({EVIL!r})\n"
        "    return tiny.odd('net', fail)\n"
    )
    assert run_app(["predict", f"{network}:net", str(video), "--weights", f"net={weights_file}"]) == 2
    assert_harmless(capfd.readouterr().err.replace(str(video), ""))


def test_a_bugs_traceback_does_not_act(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError(EVIL.replace("\n", ""))

    monkeypatch.setattr(cli, "_command", lambda: fail)
    assert run_app(["models"]) == 1
    assert_harmless(capsys.readouterr().err)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_our_colours_and_none_of_a_texts_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    PlainConsole(Output(terminal, "t")).print(Text(EVIL, style="bold"))  # type: ignore[arg-type]
    text = terminal.getvalue()
    assert "\x1b[1m" in text
    assert RED not in text
    assert BELL not in text


def test_a_bar_moves_the_cursor_and_a_clips_name_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", Output(terminal, None))
    with Console().task("title", 2) as progress:
        progress.advance(EVIL)
        Console().say(EVIL)
    text = terminal.getvalue()
    assert "\x1b[" in text, "the bar's own"
    assert RED not in text
    assert BELL not in text
    assert "\ufffd[31m" in text
    assert "\nbench:" not in text.replace("\r", "")


def test_results_beside_a_bar_go_where_they_should(tmp_path: Path) -> None:
    """A bar on the terminal takes nothing that goes to a file."""
    code = (
        "from actionbench.bench.console.progress import Console\n"
        "with Console().task('title', 1) as progress:\n"
        "    print('result')\n"
        "    progress.advance()\n"
    )
    ours, theirs = pty.openpty()
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, stderr=theirs, check=True)
    os.close(theirs)
    os.close(ours)
    assert (tmp_path / "out").read_text() == "result\n"


@pytest.mark.parametrize("words", ["--help", "run --help", "models", "rnu"])
def test_a_narrow_encoding_is_no_error(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    code = run_app(words.split())
    printed = raw.getvalue().decode("ascii")
    monkeypatch.undo()
    assert code == (2 if words == "rnu" else 0), printed
    assert "Traceback" not in printed
    assert printed


def test_what_an_encoding_lacks_is_shown_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    code = run_app(["run", "--models", "i3d–"])
    printed = raw.getvalue()
    monkeypatch.undo()
    assert code == 2
    assert b"i3d\\u2013" in printed


class Full(io.StringIO):
    """A disk without space."""

    def write(self, text: str) -> int:  # noqa: ARG002
        raise OSError(28, "No space left on device")


def test_a_full_disk_under_the_output_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    code = run_app(["--help"])
    assert code == 2
    assert capsys.readouterr().err == (
        "bench: error: standard output: cannot be written: No space left on device\n"
    )


def test_messages_that_cannot_be_written_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    assert run_app(["rnu"]) == 2
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.warns(ResourceWarning):
        assert run_app(["rnu"]) == 2


def test_a_closed_output_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run_app(["--help"]) == 2
    assert capsys.readouterr().err.startswith("bench: error: standard output: is closed.")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", ">&- 2>&-", "2>/dev/full >/dev/full"])
def test_the_interpreter_has_nothing_to_add(redirection: str) -> None:
    """It flushes once more at its end, and would end with a message and an exit code of its own."""
    answer = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirection}', "sh", *COMMAND, "--help"], capture_output=True, text=True
    )
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == (0 if "2>" in redirection else 1)


def test_output_passes_on_what_a_stream_is_asked_for() -> None:
    stream = Output(io.TextIOWrapper(io.BytesIO(), encoding="latin-1"), "name")
    assert stream.encoding == "latin-1"
    assert not stream.isatty()
    with pytest.raises(UsageError, match="name: cannot be written"):
        print("x", file=Output(Full(), "name"))
