"""The history's file: what it holds, that it merges, what it refuses; its changes of level; its figure."""

from __future__ import annotations

import json
import math
import random
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from actionbench.bench.cli.app import run_app
from actionbench.errors import UsageError
from actionbench.records.gate import Arm, ArmName, Gate, InTurns, PairInTurns, Slot, Turn
from actionbench.records.gate_directory import GateWriter
from actionbench.reports.analysis.history import (
    Entry,
    add_to_history,
    entries_of_gate,
    entries_of_run,
    read_history,
    series_of,
)
from actionbench.reports.analysis.load_runs import RunData
from actionbench.reports.charts.history import plot_history
from actionbench.reports.statistics.change_points import FEWEST, change_points

ENTRY = Entry(
    "i3d", "demo weights", "total", "0123456789", "Some CPU", "abc", "2026-01-02T03:04:05Z", "s", (1.0, 2.0)
)


def commits(times: list[float], **changes: Any) -> list[Entry]:
    """A series, a commit a day."""
    return [
        replace(
            ENTRY,
            commit=f"{i:040x}",
            date=f"2026-{1 + i // 28:02}-{1 + i % 28:02}T00:00:00Z",
            values=(t,),
            **changes,
        )
        for i, t in enumerate(times)
    ]


@pytest.fixture
def run(fake: SimpleNamespace) -> Callable[..., RunData]:
    def make(seconds: float = 1.0, commit: str | None = "a" * 40, **changes: object) -> RunData:
        model = fake.model("i3d", fake.answers(7, 10), forward_s=[seconds + i / 100 for i in range(7)])
        data: RunData = fake.run([model], **changes)
        return replace(
            data, run=replace(data.run, environment={**data.run.environment, "git_commit": commit})
        )

    return make


def test_a_run_adds_a_median_for_each_process_of_each_metric(run: Callable[..., RunData]) -> None:
    entries = {entry.metric: entry for entry in entries_of_run(run())}
    assert {"total", "decode", "flow", "forward", "load", "first", "peak_memory"} <= entries.keys()
    forward = entries["forward"]
    assert forward.values == tuple(1.0 + i / 100 for i in range(7))
    assert (forward.commit, forward.date, forward.unit) == ("a" * 40, "2026-01-02T03:04:05Z", "s")
    assert "user weights, flow tvl1, cpu, 1 thread" in forward.setting
    assert entries["peak_memory"].unit == "bytes"
    assert forward.median.interval is not None
    assert "95 %" in forward.median.interval.method


def test_disturbed_samples_that_were_taken_again_do_not_count(run: Callable[..., RunData]) -> None:
    data = run()
    slow = [replace(s, total_s=9 * s.total_s, disturbed=True) for s in data.latencies for _ in range(2)]
    assert entries_of_run(replace(data, latencies=(*slow, *data.latencies))) == entries_of_run(data)


def test_commit_and_date_can_be_named(run: Callable[..., RunData]) -> None:
    (entry, *_) = entries_of_run(run(commit=None), "v1.2", "2026-02-01T01:00:00+02:00")
    assert (entry.commit, entry.date) == ("v1.2", "2026-01-31T23:00:00Z")


@pytest.mark.parametrize("commit", [None, "abc+changes"])
def test_a_run_of_no_commit_is_refused(run: Callable[..., RunData], commit: str | None) -> None:
    with pytest.raises(UsageError, match="--commit"):
        entries_of_run(run(commit=commit))


def test_what_is_no_commit_no_date_or_not_timed_is_refused(run: Callable[..., RunData]) -> None:
    for commit in ("", "two words"):
        with pytest.raises(UsageError, match="--commit"):
            entries_of_run(run(), commit)
    with pytest.raises(UsageError, match=r"--date: is not a date; expected ISO 8601.*; found yesterday"):
        entries_of_run(run(), date="yesterday")
    with pytest.raises(UsageError, match="--date: lacks its offset from UTC"):
        entries_of_run(run(), date="2026-01-02T03:04:05")
    with pytest.raises(UsageError, match=": nothing was timed"):
        entries_of_run(replace(run(), latencies=()))


ARMS: tuple[ArmName, ...] = ("base", "candidate")


def a_gate(identity: dict[str, object]) -> tuple[Gate, list[Slot]]:
    arms = (Arm("git:main", "main", {"commit": "b" * 40}), Arm("tree", "working tree", identity))
    gate = Gate("2026-01-02T03:04:05Z", {}, {"cpu": "Some CPU"}, "resnext on demo", "a control", *arms)
    slots = [
        Slot(pair, arm, 2 * pair + i, {"resnext": {"total": 1.0 + pair + 100 * i, "load": 0.5}}, 0.1, 3.0)
        for pair in range(3)
        for i, arm in enumerate(ARMS)
    ]
    return gate, slots


def test_a_gate_adds_its_candidate() -> None:
    entries = entries_of_gate(*a_gate({"commit": "c" * 40, "changes": None}))
    total, load = sorted(entries, key=lambda entry: entry.metric, reverse=True)
    assert (total.model, total.metric, total.commit) == ("resnext", "total", "c" * 40)
    assert total.values == (101.0, 102.0, 103.0)
    assert load.values == (0.5,) * 3
    assert total.setting == "gate, resnext on demo"


def test_a_gate_in_turns_adds_its_candidates_medians() -> None:
    gate, _ = a_gate({"commit": "c" * 40, "changes": None})
    turns = tuple(
        Turn(arm, {"total": seconds}, 0.1) for arm, seconds in zip(ARMS * 3, (9, 1, 9, 2, 9, 6), strict=True)
    )
    pair = PairInTurns(
        0, {"resnext": InTurns(turns, {"base": {"load": 0.2}, "candidate": {"load": 0.5}})}, 3.0
    )
    entries = entries_of_gate(gate, [], in_turns=[pair, replace(pair, pair=1)])
    assert {entry.metric: entry.values for entry in entries} == {"total": (2.0, 2.0), "load": (0.5, 0.5)}


@pytest.mark.parametrize("identity", [{}, {"commit": "c" * 40, "changes": "0123"}])
def test_a_candidate_of_no_commit_must_be_named(identity: dict[str, object]) -> None:
    gate, slots = a_gate(identity)
    with pytest.raises(UsageError, match="--commit"):
        entries_of_gate(gate, slots)
    assert entries_of_gate(gate, slots, "v2")[0].commit == "v2"
    with pytest.raises(UsageError, match="nothing was timed"):
        entries_of_gate(gate, [], "v2")


def test_other_settings_and_machines_are_other_series(run: Callable[..., RunData]) -> None:
    ours = run()
    other_flow = replace(ours.run, models=(replace(ours.run.models[0], flow="dis"),))
    there = replace(ours.run, environment={**ours.run.environment, "cores": 64})
    entries = [
        *entries_of_run(ours),
        *entries_of_run(replace(ours, run=other_flow)),
        *entries_of_run(replace(ours, run=there)),
    ]
    assert len(series_of(entries, "total")) == 3


def test_writing_and_reading_gives_the_entries_back(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    entries = [*commits([1.0, 2.5]), replace(ENTRY, model="a model | ünïcode $x$", values=(0.0, 1e-9))]
    assert add_to_history(path, entries) == 3
    assert set(read_history(path)) == set(entries)
    assert add_to_history(path, entries) == 0


def test_the_file_does_not_depend_on_the_order_of_adding(tmp_path: Path) -> None:
    entries = commits([1.0 + i for i in range(12)]) + commits([2.0], metric="load")
    texts = set()
    for seed in range(4):
        mixed = list(entries)
        random.Random(seed).shuffle(mixed)
        path = tmp_path / f"{seed}.jsonl"
        for entry in mixed:
            add_to_history(path, [entry])
        texts.add(path.read_bytes())
    assert len(texts) == 1


def test_of_two_for_one_commit_the_later_counts_and_duplicates_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    later = replace(ENTRY, date="2026-05-05T00:00:00Z", values=(3.0,))
    for order in ([ENTRY, later], [later, ENTRY]):
        path.unlink(missing_ok=True)
        add_to_history(path, order[:1])
        add_to_history(path, order[1:])
        assert read_history(path) == [later]
    path.write_text(path.read_text() * 2)
    assert read_history(path) == [later]


def test_branches_that_add_commits_merge_in_git_without_a_conflict(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        settings = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *settings, *arguments], cwd=tmp_path, check=True, capture_output=True)

    path = tmp_path / "history.jsonl"
    entries = commits([1.0, 2.0, 3.0, 4.0])
    git("init", "-q", "-b", "main")
    (tmp_path / ".gitattributes").write_text("*.jsonl merge=union\n")
    add_to_history(path, entries[:1])
    git("add", ".")
    git("commit", "-qm", "first")
    git("checkout", "-qb", "other")
    add_to_history(path, entries[1:3])
    git("commit", "-qam", "theirs")
    git("checkout", "-q", "main")
    add_to_history(path, [entries[3], entries[1]])
    git("commit", "-qam", "ours")
    git("merge", "-q", "other")
    assert set(read_history(path)) == set(entries)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not json\n", "line 1"),
        ("[]\n", "not an entry"),
        ("[" * 100_000 + "\n", "line 1: is not an entry"),
        ("{}\n", "not an entry"),
        ("<<<<<<< HEAD\n", "unresolved merge"),
        (json.dumps(asdict(ENTRY) | {"date": "soon"}) + "\n", "line 1, `date`: is not a date"),
        (json.dumps({"schema": 99}) + "\n", "another version"),
        (json.dumps({"schema": 1, "model": "i3d"}) + "\n", "not an entry"),
        (json.dumps(asdict(ENTRY) | {"more": 1}) + "\n", "not an entry.*: unknown fields: more"),
        (json.dumps(asdict(ENTRY) | {"cpu": 1}) + "\n", "not an entry.*: cpu: expected a text, found 1"),
        (json.dumps(asdict(ENTRY) | {"cpu": "\ud800"}) + "\n", "line 1: is not an entry"),
    ],
)
def test_what_is_no_history_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_history(path)
    with pytest.raises(UsageError):
        add_to_history(path, [ENTRY])
    assert path.read_text() == text


@pytest.mark.parametrize("values", [[], ["1"], [None], [-1.0], [math.inf], [math.nan], [True], "12"])
def test_values_that_are_none_are_refused(tmp_path: Path, values: object) -> None:
    path = tmp_path / "history.jsonl"
    add_to_history(path, [ENTRY])
    path.write_text(json.dumps({**json.loads(path.read_text()), "values": values}) + "\n")
    with pytest.raises(UsageError, match="not an entry"):
        read_history(path)


def test_a_change_of_level_is_found_where_it_is_and_an_outlier_is_none() -> None:
    noise = np.random.default_rng(1).normal(0, 0.02, 40)
    assert change_points(list(1 + noise + 0.3 * (np.arange(40) >= 17))) == [17]
    assert change_points(list(1 + noise + 0.3 * ((np.arange(40) >= 12) & (np.arange(40) < 27)))) == [12, 27]
    assert change_points(list(1 + noise + 5.0 * (np.arange(40) == 20))) == []


def test_a_change_needs_enough_values_around_it() -> None:
    assert change_points([1.0] * 5 + [2.0] * (FEWEST - 6)) == []
    assert change_points([1.0 + i / 1000 for i in range(5)] + [2.0 + i / 1000 for i in range(5)]) == [5]
    assert change_points([1.0] * 50) == []
    assert change_points([]) == []


@pytest.mark.parametrize("n", [10, 20, 60])
def test_a_series_that_never_changed_rarely_shows_a_change(n: int) -> None:
    drawn = np.random.default_rng(n).standard_t(2, (400, n))
    assert np.mean([bool(change_points(list(values))) for values in drawn]) < 0.06


def test_only_the_ranks_matter() -> None:
    values = np.random.default_rng(2).normal(0, 1, 30) + 3 * (np.arange(30) > 14)
    assert change_points(list(values)) == change_points(list(np.exp(values)))


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_figure_is_drawn_and_the_same_each_time(tmp_path: Path, kind: str) -> None:
    slower = commits([1.0 + i / 100 + (i > 20) for i in range(40)], model="<b>$\\frac$ & |")
    first, second = tmp_path / f"first.{kind}", tmp_path / f"second.{kind}"
    for path in (first, second):
        plot_history([slower, commits([2.0**20, 2.0**21], unit="bytes")], path)
    assert first.read_bytes() == second.read_bytes()
    if kind == "png":
        with Image.open(first) as image:
            assert image.width > 800
            assert image.height > 600
    if kind == "svg":
        assert "<b>" not in first.read_text()


def test_a_figure_of_nothing_or_of_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no series"):
        plot_history([], tmp_path / "a.svg")
    with pytest.raises(UsageError, match=r"\.svg"):
        plot_history([[ENTRY]], tmp_path / "a.docx")


def test_commands(
    run: Callable[..., RunData], fake: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history, plot = tmp_path / "history.jsonl", tmp_path / "trend.svg"
    for i in range(12):
        data = run(
            1.0 if i < 6 else 9.0, f"{i:040x}", name=f"run-{i}", started=f"2026-01-{1 + i:02}T00:00:00Z"
        )
        assert run_app(["history", "add", str(fake.write(tmp_path, data)), str(history)]) == 0
    assert "lines new or changed" in capsys.readouterr().out
    assert run_app(["history", "show", str(history), "--plot", str(plot)]) == 0
    told = capsys.readouterr().out
    assert "12 commits; 000000000" in told
    assert "changed by +83.8% at 000000000 (2026-01-07)" in told
    assert plot.is_file()
    assert run_app(["history", "show", str(history), "--metric", "all"]) == 0
    assert "i3d: peak_memory" in capsys.readouterr().out
    assert run_app(["history", "show", str(history), "--metric", "totl"]) == 2
    assert "total" in capsys.readouterr().err


def test_command_on_a_gate(tmp_path: Path) -> None:
    gate, slots = a_gate({"commit": "c" * 40, "changes": None})
    with GateWriter(tmp_path / "gate", gate) as writer:
        for slot in slots:
            writer.append(slot)
    history = tmp_path / "history.jsonl"
    assert run_app(["history", "add", str(tmp_path / "gate"), str(history)]) == 0
    assert {entry.commit for entry in read_history(history)} == {"c" * 40}


def test_commands_on_what_is_not_there(tmp_path: Path) -> None:
    assert run_app(["history", "show", str(tmp_path / "none")]) == 2
    assert run_app(["history", "add", str(tmp_path), str(tmp_path / "history.jsonl")]) == 2
    (tmp_path / "empty").write_text("")
    assert run_app(["history", "show", str(tmp_path / "empty")]) == 2
