"""Bad input and odd data of the commands beside `bench run`, in this process."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actionbench.bench.cli.app import run_app
from actionbench.bench.cli.data import app as cli_data
from actionbench.bench.gate.config import TURN
from actionbench.bench.plan.config import WEIGHTS_HELP, RunConfig
from actionbench.bench.runner import in_words
from actionbench.flow.registry import METHODS
from actionbench.models.registry import MODELS
from actionbench.reports.numbers import counted

TINY = Path(__file__).parents[1] / "networks" / "tiny.py"
Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(capfd: pytest.CaptureFixture[str]) -> Told:
    """Function that runs a command; its exit code, what it printed, what it said on standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        code = run_app(list(map(str, words)))
        return code, *capfd.readouterr()

    return run


def write_clip(path: Path, frames: int = 3) -> Path:
    """Frames of 16×16 pixels in an array file, each file another picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(os.fsencode(path))
    np.save(path, np.random.default_rng(seed).integers(0, 256, (frames, 16, 16, 3), np.uint8))
    return path


def test_the_help_has_defaults_and_values(told: Told) -> None:
    code, text, _ = told("run", "--help")
    assert code == 0
    text = " ".join(text.split())
    defaults = RunConfig().to_dict()
    assert "by default jogging, of the models that have it" in text
    for name in ("data", "processes", "latency_clips", "stream_seconds", "views", "flow", "seed"):
        assert f"[default: {defaults[name]}]" in text, name
    for value in (*MODELS, *METHODS, "window, frames of a single window"):
        assert value in text


def test_options_of_a_run_say_the_same_in_every_command(told: Told) -> None:
    """Where a command has another default, that alone differs."""
    texts = {name: " ".join(told(name, "--help")[1].split()) for name in ("run", "gate", "parity", "loadgen")}
    for name, text in texts.items():
        assert "".join(WEIGHTS_HELP.split()) in text.replace(" ", ""), name
        assert "`hmdb51:FOLDER` or `segments:FILE.csv`" in text, name
        assert not re.search(r"--\S+ (TEXT|N|X) ", text), name
    assert "By default random" in texts["gate"]
    assert "demo weights for the demo clips" not in texts["gate"]
    for option, default in TURN.items():
        told_of = texts["gate"].partition("--" + option.replace("_", "-"))[2].partition(" --")[0]
        assert told_of.endswith(f"[default: {default}]")


@pytest.mark.parametrize("number", [0, 10_000])
@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("predict", "resnext", "x.mp4", "--weights", "random", "--threads"), "--threads"),
        (("parity", "resnext", "--threads"), "--threads"),
        (("loadgen", "resnext", "--threads"), "--threads"),
        (("flow", "compare", "--methods", "dis", "--threads"), "--threads"),
        (("data", "check", "demo", "--workers"), "--workers"),
    ],
)
def test_numbers_of_threads_are_refused_before_anything_starts(
    told: Told, words: tuple[str, ...], option: str, number: int
) -> None:
    code, stdout, stderr = told(*words, number)
    assert (code, stdout) == (2, "")
    assert f"{option}: is {'too small' if number == 0 else 'far more than this machine has cores'}" in stderr
    assert f"found {number}" in stderr


def test_flow_of_one_video_has_the_same_limit(told: Told, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.npy")
    code, _, stderr = told("flow", "render", clip, tmp_path / "out", "--threads", 10_000)
    assert code == 2
    assert "--threads: is far more" in stderr


def test_flow_cannot_be_written_nowhere(told: Told, tmp_path: Path) -> None:
    code, _, stderr = told("flow", "render", write_clip(tmp_path / "a.npy"), tmp_path / "no" / "x.mp4")
    assert code == 2
    assert f"{tmp_path / 'no' / 'x.mp4'}: cannot be written: No such file or directory" in stderr


def test_methods_are_checked_before_videos_are_read(told: Told) -> None:
    code, _, stderr = told("flow", "compare", "/no/such/video.mp4", "--methods", "dis,dsi")
    assert code == 2
    assert "unknown flow method 'dsi'. Did you mean: dis" in stderr


def test_videos_without_flow_are_left_out_of_the_comparison(told: Told, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    write_clip(folder / "a.npy", frames=4)
    write_clip(folder / "b.npy", frames=1)
    (folder / "c.mp4").write_bytes(b"no video")
    words = ("--methods", "dis", "--pairs", 1, "--repetitions", 1, "--threads", 1)
    code, stdout, stderr = told("flow", "compare", folder, *words)
    assert code == 0, stderr
    assert "1 video, 1 pair of each" in stdout
    assert "left out: " in stderr
    assert "b.npy: has a single frame; flow needs two" in stderr
    assert "c.mp4: not a video" in stderr
    code, _, stderr = told("flow", "compare", folder / "c.mp4", *words)
    assert code == 2
    assert "none of the videos can be read" in stderr


def test_results_that_cannot_be_written_are_refused_before_the_work(told: Told, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.npy")
    nowhere = "/proc/actionbench.npy"  # where not even root can make a file
    for words in (
        ("predict", f"{TINY}:tiny", clip, "--weights", "random", "--logits", nowhere),
        ("flow", "compare", clip, "--methods", "dis", "--json", nowhere),
        ("data", "check", clip, "--out", nowhere),
    ):
        code, stdout, stderr = told(*words)
        assert (code, stdout) == (2, "")
        assert f"{words[-2]} {nowhere}: cannot be written: " in stderr
        assert "predicted" not in stderr


def test_what_is_there_survives_the_check(told: Told, tmp_path: Path) -> None:
    clip, kept = write_clip(tmp_path / "a.npy"), tmp_path / "kept.npy"
    kept.write_bytes(b"kept")
    assert told("predict", "no-network", clip, "--logits", kept)[0] == 2
    assert kept.read_bytes() == b"kept"


def test_why_an_input_was_not_predicted_names_no_log_that_is_gone(told: Told, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.npy")
    code, _, stderr = told("predict", f"{TINY}:raises", clip, "--weights", "random")
    assert code == 2
    assert f"{clip}: exit status 1: ZeroDivisionError: division by zero\n" in stderr
    assert "1 of 1 input could not be predicted" in stderr


def test_logits_are_those_of_one_video(told: Told, tmp_path: Path) -> None:
    folder, logits = tmp_path / "clips", tmp_path / "logits.npy"
    folder.mkdir()
    for name in "ab":
        write_clip(folder / f"{name}.npy")
    words = ("--weights", "random", "--logits", logits)
    code, stdout, stderr = told("predict", f"{TINY}:tiny", f"arrays:{folder}", *words)
    assert (code, stdout) == (2, "")
    assert "takes the logits of one input; found 2 inputs" in stderr
    assert not logits.exists()


def test_a_pipe_is_no_video(told: Told, tmp_path: Path) -> None:
    pipe = tmp_path / "a.mp4"
    os.mkfifo(pipe)
    code, _, stderr = told("predict", f"{TINY}:tiny", pipe, "--weights", "random")
    assert code == 2
    assert f"{pipe}: is not a file; expected a video or an array file; found a named pipe" in stderr


def test_a_long_table_is_cut_and_says_where_all_of_it_is(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_data, "MOST_ROWS", 2)
    np.savez(tmp_path / "good.npz", frames=np.zeros((3, 16, 16, 3), np.uint8), rate=25)
    manifest, table = tmp_path / "list.csv", tmp_path / "table.csv"
    manifest.write_text("path\ngood.npz\n" + "".join(f"gone{n}.npy\n" for n in range(5)))
    words = ("data", "check", manifest, "--min-frames", 1, "--workers", 1)
    code, stdout, stderr = told(*words)
    assert code == 0, stderr
    assert stdout.count("gone") == 2
    assert "… and 3 more (all of them with --out FILE)" in stdout
    assert "6 clips: 5 missing, 1 ok" in stdout
    assert f"… and 3 more (all of them in {table})" in told(*words, "--out", table)[1]
    assert table.read_text().count("missing") == 5


def test_a_subset_names_the_classes_that_no_network_knows(told: Told, tmp_path: Path) -> None:
    for label in ("jogging", "my own class"):
        write_clip(tmp_path / "data" / label / "a.npy")
    words = ("data", "subset", tmp_path / "data", tmp_path / "out.csv", "--min-frames", 1)
    code, stdout, stderr = told(*words)
    assert code == 0, stderr
    assert "2 videos of 2 classes" in stdout
    assert "not in kinetics-400, so left out of accuracy with such networks: my own class" in stdout
    assert "not in" not in told(*words, "--classes", "jogging")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data", "check", ""), "no clips are named"),
        (("data", "check", "folder:"), "'folder:': does not say which folder; expected folder:ARGUMENT"),
        (
            ("data", "check", "demo", "--videos", "v"),
            "--videos v: is for a Kinetics CSV or a list of segments only",
        ),
        (("history", "show", "/no/history"), "/no/history"),
    ],
)
def test_what_would_do_nothing_or_another_thing_is_refused(
    told: Told, words: tuple[str, ...], message: str
) -> None:
    code, _, stderr = told(*words)
    assert code == 2
    assert message in stderr


def test_no_time_is_told_as_nothing() -> None:
    assert [in_words(seconds) for seconds in (0.01, 0.6, 312.2)] == ["less than a second", "1 s", "312 s"]


def test_counts_in_words() -> None:
    assert [counted(n, "view") for n in (0, 1, 2)] == ["0 views", "1 view", "2 views"]
    assert [counted(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]


def test_a_full_disk_is_no_bug_whatever_was_being_written(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is named, and what to do."""
    clip = write_clip(tmp_path / "clip.npy")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "flow.json"
    words = ("--methods", "dis", "--pairs", 1, "--repetitions", 1, "--threads", 1, "--json", out)
    code, _, said = told("flow", "compare", clip, *words)
    assert code == 2
    remedy = "Free some space, then give the command again."
    assert said.splitlines()[-1] == f"bench: error: {out}: No space left on device. {remedy}"
