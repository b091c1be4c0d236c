"""A sample of the fuzzing that `make fuzz` does; and that a campaign finds what is planted."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from actionbench.errors import UsageError

from . import watched
from .campaign import TARGETS, main, table
from .command_targets import command
from .guided_counts import Guided, counts
from .guided_counts import table as table_of_guided
from .mutations import mutated
from .target import READ, REFUSED, Target, input_of
from .watched import campaign, result_of

SAMPLE = [name for name, target in TARGETS.items() if not target.heavy and target.share == 1]
INPUTS = 12


@pytest.mark.parametrize("name", SAMPLE)
def test_damaged_files_are_read_or_refused_clearly(name: str) -> None:
    target = TARGETS[name]
    results = [result_of(target, 0, number) for number in range(INPUTS + len(target.samples))]
    wrong = [result for result in results if result != READ and not result.startswith(REFUSED)]
    assert wrong == []
    assert READ in results[: len(target.samples)], "no sample is valid"


def test_an_input_depends_on_the_seed_its_number_and_the_target_alone() -> None:
    target = TARGETS["composed set"]
    first = [input_of(target, 1, number) for number in range(40)]
    assert first[:2] == list(target.samples)
    assert [input_of(target, 1, number) for number in range(40)] == first
    assert [input_of(target, 2, number) for number in range(2, 40)] != first[2:]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.yaml", "a.csv", "a.bin"])
def test_every_kind_of_file_is_changed(name: str) -> None:
    sample = b'{"a": [1, 2.5, "x"], "b": {"c": null}}\n'
    made = {mutated(name, sample, [sample], Random(n)) for n in range(100)}
    assert len(made) > 60


def planted(read: Callable[[Path], object]) -> Target:
    return Target("planted", lambda: [{"a.json": b'{"a": 1}'}], read)


def _refuse(where: object) -> None:
    raise UsageError("is damaged", where=where)


@pytest.mark.parametrize(
    ("read", "result"),
    [
        (lambda path: path.read_bytes(), READ),
        (lambda path: _refuse(path), REFUSED),
        (lambda _: _refuse(None), "says not where: UsageError"),
        (lambda path: path.with_name("b").read_bytes(), REFUSED),
        (lambda _: dict[str, int]()["x"], "KeyError: 'x' (test_campaign.py:"),
    ],
)
def test_what_is_clear_and_what_is_not(read: Callable[[Path], object], result: str) -> None:
    assert result_of(planted(read), 0, 0).startswith(result)


def _bad(path: Path) -> int:
    """Goes wrong in another way for each input."""
    number = int(path.read_text())
    if number == 1:
        faulthandler.disable()  # pytest's, whose report would look like a crash of the tests
        os.kill(os.getpid(), signal.SIGSEGV)
    while number == 2:
        pass
    if number == 3:
        return len(bytearray(b"x") * (150 << 20))
    assert number != 4, "four"
    return number


def test_a_campaign_goes_on_after_every_kind_of_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LIMIT_S": 1.5, "LIMIT_BYTES": 100 << 20}.items():
        monkeypatch.setattr(watched, name, value)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)  # this process may have more already
    bad = Target("bad", lambda: [{"a": str(number).encode()} for number in range(6)], _bad)
    tally = campaign(bad, 6, 0)
    expected = {
        1: "crashed (SIGSEGV)",
        2: "crashed (SIGPROF)",
        3: "took 0.1 GB",
        4: "AssertionError: four",
    }
    assert {
        number: text[: len(expected.get(number, text))] for number, text in tally.failures.items()
    } == expected
    assert (tally.read, tally.refused) == (2, 0)
    assert "|        6 |      2 |                 0 |        4 |" in table({"bad": tally})


def test_a_command_is_judged_by_its_exit_code_and_message(monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = TARGETS["history"].samples
    show = Target(
        "show", lambda: [whole, {"x.jsonl": b"x\n"}], command(lambda path: ("history", "show", path))
    )
    assert result_of(show, 0, 0) == READ
    assert result_of(show, 0, 1).startswith(f"{REFUSED}/")
    monkeypatch.setattr("actionbench.reports.analysis.history.read_history", lambda _: 1 / 0)
    assert result_of(show, 0, 0).startswith("AssertionError: exit code 1: …")


WITHOUT_FAILURE = """\
INFO: Running with entropic power schedule (0xFF, 100).
#2\tINITED cov: 31 ft: 40 corp: 1/80b exec/s: 0 rss: 300Mb
#9\tNEW    cov: 35 ft: 46 corp: 2/90b lim: 100 exec/s: 9 rss: 300Mb
#700\tDONE   cov: 36 ft: 50 corp: 3/99b lim: 100 exec/s: 90 rss: 300Mb
stat::number_of_executed_units: 700
"""
WITH_FAILURE = """\
#2\tINITED cov: 31 ft: 40 corp: 1/80b exec/s: 0 rss: 300Mb
FAILED: KeyError: 'a'
kept in fuzz-failures/guided-0123456789abcdef
Traceback (most recent call last):
"""


def test_what_libfuzzer_prints_is_counted() -> None:
    fine, failed = counts(WITHOUT_FAILURE, 0), counts(WITH_FAILURE, 77)
    assert fine == Guided(700, (31, 36), None)
    assert (failed.inputs, failed.edges) == (2, (31, 31))
    assert str(failed.failure).startswith("KeyError: 'a'")
    assert counts("==9== ERROR: libFuzzer: timeout after 60 seconds", 70).failure == (
        "ERROR: libFuzzer: timeout after 60 seconds"
    )
    assert table_of_guided({"a": fine, "b": failed}).splitlines()[-1].split("|")[2:6] == [
        "      702 ",
        "                        62 ",
        "                  5 ",
        "        1 ",
    ]


PLANTED = """
import sys
from actionbench.tests.fuzz import guided
from actionbench.tests.fuzz.target import Target

def read(path):
    if path.read_bytes() != b"{}":
        raise KeyError(path.name)

guided.TARGETS["planted"] = Target("planted", lambda: [{"a.json": b"{}"}], read)
sys.argv = ["guided", "60", "planted"]
sys.exit(guided.main())
"""


@pytest.mark.slow
def test_a_guided_input_that_fails_is_told_and_kept(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="pip install -e '.[fuzz]'")
    command = [sys.executable, "-c", PLANTED]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1, ended.stderr
    assert "KeyError: " in ended.stdout
    (kept,) = (tmp_path / "fuzz-failures").iterdir()
    assert (kept / "a.json").read_bytes() != b"{}"
    assert f"kept in fuzz-failures/{kept.name}" in ended.stdout


def test_guidance_without_atheris_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["--guided", "1", "--targets", "zones"])
    assert "pip install -e '.[fuzz]'" in capsys.readouterr().err


def test_an_input_that_waits_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "WAIT_S", 0.2)
    tally = campaign(planted(lambda _: time.sleep(1000)), 2, 0)
    assert list(tally.failures.values()) == ["no answer within 0.2 s"] * 2
