"""`bench data fetch` from end to end: archives on the loopback, videos kept or handed to a run."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from actionbench.datasets.archives import stream as stream_module
from actionbench.datasets.archives.sets import parts as parts_module
from actionbench.models.labels import labels
from actionbench.records.run_directory import RunDirectory, RunWriter

from ....archive_sets import kinetics_files, kinetics_yaml, name_of, tar_of
from ....models.weights.loopback import HASTE, Server, serving
from ...conftest import write_video

pytestmark = pytest.mark.usefixtures("no_pictures", "forked_workers", "decoding_here")

TINY = Path(__file__).parents[2] / "networks" / "tiny.py"
NAMES = labels("kinetics-400")
CLASSES = tuple(range(0, 400, 80))
FRAMES = 18

Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, tiny_module: ModuleType) -> dict[str, tuple[str, bytes]]:
    """Name of a video → class and content; four videos of each of some classes."""
    folder = tmp_path_factory.mktemp("clips")
    made = {}
    for number, index in enumerate(index for index in CLASSES for _ in range(4)):
        path = folder / f"{number}.mp4"
        write_video(path, tiny_module.colour_of(index), frames=FRAMES)
        made[name_of(number)] = NAMES[index], path.read_bytes()
    return made


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    opened = stream_module.open_stream
    monkeypatch.setattr(parts_module, "open_stream", lambda *a, **k: opened(*a, **{**k, "policy": HASTE}))
    with serving() as state:
        yield state


@pytest.fixture
def drawn(server: Server, clips: dict[str, tuple[str, bytes]], tmp_path: Path) -> Path:
    """A set of three archives, in which a video of each of two classes is missing and one does not decode."""
    contents = {name: data for name, (_, data) in clips.items()}
    del contents[name_of(0)], contents[name_of(5)]
    contents[name_of(9)] = contents[name_of(9)][:100]
    items = list(contents.items())
    server.files |= kinetics_files(
        [dict(items[n::3]) for n in range(3)], {name: label for name, (label, _) in clips.items()}
    )
    path = tmp_path / "drawn.yaml"
    path.write_text(kinetics_yaml(f"{server.address}/"))
    return path


def options(out: Path, weights: Path, *more: object) -> list[object]:
    return [
        *("--models", f"{TINY}:tiny", "--weights", f"tiny={weights}", "--out", out, "--threads", 1),
        *("--processes", 1, "--latency-seconds", 0, "--latency-clips", 1, *more),
    ]


def predictions(run: Path) -> dict[str, tuple[object, ...]]:
    return {record.clip: record.top5 for record in RunDirectory(run).clips()}


def test_the_same_predictions_whether_videos_are_kept_or_not(
    bench: Bench, server: Server, drawn: Path, weights_file: Path, tmp_path: Path
) -> None:
    videos, kept, streamed = tmp_path / "videos", tmp_path / "kept", tmp_path / "streamed"
    server.cut.append(500)
    server.status += [200, 429]
    words = ("data", "fetch", drawn, "--per-class", 3)
    answer = bench(*words, "--out", videos)
    assert answer.returncode == 0, answer.stderr
    assert "Licence: none needed" in answer.stderr
    assert "15 videos of 5 classes" in answer.stdout
    with (videos / "videos.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert all((videos / row["path"]).is_file() for row in rows)
    record = json.loads((videos / "selection.json").read_text())
    over = {key: reason for keys in record["passed_over"].values() for key, reason in keys.items()}
    assert over.keys() <= {name_of(0), name_of(5), name_of(9)}
    for key in over:
        assert key in answer.stdout
    answer = bench("run", "--data", videos / "videos.csv", *options(kept, weights_file, "--no-report"))
    assert answer.returncode == 0, answer.stderr
    answer = bench(
        *words, "--keep", "none", "--spool", "20kB", "--", *options(streamed, weights_file, "--no-report")
    )
    assert answer.returncode == 0, answer.stderr
    assert predictions(streamed) == predictions(kept)
    data, same = RunDirectory(streamed).run.data, RunDirectory(kept).run.data
    assert data["digest"] == same["digest"]
    assert data["clips"] == 15
    assert set(data["missing"]) == set(over)
    assert not list(streamed.rglob("*.mp4"))
    assert len(list((streamed / "thumbnails").iterdir())) == 15
    assert len(RunDirectory(streamed).latencies()) > 0


class Killed(BaseException):
    """In place of a signal that ends the process."""


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same(
    bench: Bench,
    server: Server,
    drawn: Path,
    weights_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    words = ("data", "fetch", drawn, "--per-class", 2, "--keep", "none", "--spool", "12kB", "--")
    append, left = RunWriter.append_clip, [4]

    def fragile(self: RunWriter, *arguments: Any) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        append(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "append_clip", fragile)
        with pytest.raises(Killed):
            bench(*words, *options(run, weights_file, "--no-report"))
    assert len(RunDirectory(run).clips()) == 4
    server.requests.clear()
    answer = bench("run", "--resume", run)
    assert answer.returncode == 0, answer.stderr
    assert "6 of 6 videos" in answer.stderr
    answer = bench(*words, *options(whole, weights_file, "--no-report"))
    assert answer.returncode == 0, answer.stderr
    assert predictions(run) == predictions(whole)
    resumed, undisturbed = RunDirectory(run), RunDirectory(whole)
    assert resumed.run.data["digest"] == undisturbed.run.data["digest"]
    assert resumed.run.data["missing"] == undisturbed.run.data["missing"]
    assert {s.clip for s in resumed.latencies()} == {s.clip for s in undisturbed.latencies()}
    server.requests.clear()
    assert bench("run", "--resume", run).returncode == 0  # nothing is left to do, so no archive is read
    assert sum(name.startswith("val/part") for name, _ in server.requests) == 3  # their sizes were asked for


def test_a_run_whose_server_gives_up_goes_on(
    bench: Bench, server: Server, drawn: Path, weights_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    before_the_first_archive = 1 + 3 + 1  # the list, the size of each archive, the annotations
    server.status += [200] * (before_the_first_archive + 1) + [500] * 3
    words = ("data", "fetch", drawn, "--per-class", 2, "--parts-at-once", 1, "--keep", "none", "--")
    answer = bench(*words, *options(run, weights_file, "--no-report"))
    assert answer.returncode == 2
    assert "HTTP 500" in answer.stderr
    assert f"bench run --resume {run}" in answer.stderr
    assert RunDirectory(run).run.state == "interrupted"
    assert not (run / "spool").exists()
    answer = bench("run", "--resume", run)
    assert answer.returncode == 0, answer.stderr
    assert RunDirectory(run).run.data["clips"] == len(RunDirectory(run).clips()) == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("drawn.yaml", "--split", "train"), "unknown split 'train'"),
        (("kinetics4OO",), "Did you mean: kinetics400"),
        (("drawn.yaml", "--per-class", 0), "--per-class: is too small"),
        (("drawn.yaml", "--classes", "hurdlin"), "Did you mean: hurdling"),
        (("drawn.yaml", "--limit-rate", "fast"), "a number of bytes, such as 500MB"),
        (("drawn.yaml", "--spool", "1GB"), "--spool: is for --keep none"),
        (("drawn.yaml", "--", "--models", "x"), "--keep none hands the videos to a run"),
        (("drawn.yaml", "--keep", "none", "--out", "x"), "behind `--`"),
        (("drawn.yaml", "--keep", "none", "--", "--data", "demo:train"), "--data: cannot be given"),
        (("drawn.yaml", "--keep", "none", "--", "--resume", "x"), "--resume: cannot be given here"),
        (
            ("drawn.yaml", "--keep", "none", "--", "--estimate-videos", 9),
            "--estimate-videos: cannot be given here",
        ),
        (("drawn.yaml", "--keep", "none", "--", "--model", "x"), "No such option"),
    ],
)
@pytest.mark.usefixtures("drawn")
def test_what_cannot_be_asked_for(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = bench("data", "fetch", *words)
    assert answer.returncode == 2
    assert message in " ".join(answer.stderr.split())
    assert not list(tmp_path.rglob("*.mp4"))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        *(
            ("val/list.txt", line, "names an address of another kind than its own; expected http:// or https")
            for line in (
                b"/etc/a.tar",
                b"file:///etc/a.tar",
                b"local:///etc/a.tar",
                b"git:///home",
                b"ftp://h/a",
            )
        ),
        ("val/list.txt", b"a\n" * 10_001, "names too many archives; expected 1 to 10000; found 10001"),
        ("val/list.txt", b"../../part_0.tar\n", "leads out of the set's base"),
        ("val/list.txt", b"a.tar\na.tar\n", "names an archive twice"),
        ("val/list.txt", b"\n", "names no archive"),
        ("val/list.txt", b"\xff\xfe", "is not text in UTF-8"),
        ("val.csv", b"label,youtube_id,time_start,time_end,split\n", "drawn, split val: names no video"),
        ("val.csv", b"label,youtube_id\n", "val.csv:1: not a Kinetics annotation file"),
    ],
)
def test_lists_that_come_from_others(
    bench: Bench, server: Server, drawn: Path, tmp_path: Path, file: str, content: bytes, message: str
) -> None:
    server.files[file] = content
    answer = bench("data", "fetch", drawn, "--out", tmp_path / "videos")
    assert answer.returncode == 2
    assert message in answer.stderr
    assert server.address in answer.stderr or "drawn" in answer.stderr


def test_a_server_that_gives_up_is_an_error_and_the_same_command_goes_on(
    bench: Bench, server: Server, drawn: Path, tmp_path: Path
) -> None:
    out = tmp_path / "videos"
    words = ("data", "fetch", drawn, "--out", out, "--limit-rate", "1GB", "--parts-at-once", 1)
    part = server.files.pop("val/part_2.tar")
    server.files["val/part_2.tar"] = part[: len(part) // 2]
    answer = bench(*words)
    assert answer.returncode == 0, answer.stderr
    assert "part_2.tar: the archive is damaged or incomplete" in answer.stdout
    few = len(list(out.rglob("*.mp4")))
    server.files["val/part_2.tar"], server.etag = part, '"2"'
    server.status += [200] * 5 + [500] * 3
    answer = bench(*words)
    assert answer.returncode == 2
    assert "gave up" in answer.stderr or "HTTP 500" in answer.stderr
    answer = bench(*words)
    assert answer.returncode == 0, answer.stderr
    assert len(list(out.rglob("*.mp4"))) > few


def test_a_manifest_of_the_user_is_not_replaced(bench: Bench, drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text("path,label\n")
    answer = bench("data", "fetch", drawn, "--out", tmp_path)
    assert answer.returncode == 2
    assert "videos.csv: exists, and no fetch has written it. Choose another --out." in answer.stderr
    assert (tmp_path / "videos.csv").read_text() == "path,label\n"


def test_ctrl_c_while_archives_are_read_for_their_names(
    bench: Bench, clips: dict[str, tuple[str, bytes]], server: Server, tmp_path: Path
) -> None:
    videos = {f"{label}/{name}.mp4": data for name, (label, data) in clips.items()}
    server.files["all.tar"] = tar_of(videos, "w")
    own = tmp_path / "own.yaml"
    own.write_text(
        f"{{name: own, title: Own, licence: none, base: '{server.address}', layout: {{kind: folders}}, "
        "splits: {all: {parts: [{address: all.tar}]}}}"
    )
    words = ("data", "fetch", own, "--split", "all", "--out", tmp_path / "videos")

    def press() -> None:
        while server.requests.count(("all.tar", "")) < 2:  # its size was asked for before
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    presses = threading.Thread(target=press)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests' caller may ignore it
    try:
        presses.start()
        answer = bench(*words, "--limit-rate", 1000)  # 100 s
        presses.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert answer.returncode == 130
    assert "read once to find their names" in answer.stderr
    assert answer.stderr.endswith("interrupted; the same command continues\n")
    answer = bench(*words)
    assert answer.returncode == 0, answer.stderr
    assert "20 videos of 5 classes" in answer.stdout
