"""Whole archive sets through one command: real clips, and as many classes and videos as the thesis had."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import pytest

from actionbench.models.labels import labels
from actionbench.records.run_directory import RunDirectory

from ...archive_sets import kinetics_files, kinetics_yaml, name_of
from ...models.weights.loopback import Server, serving
from ..conftest import COMMAND, write_video

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_pictures")]

TINY = Path(__file__).parents[1] / "networks" / "tiny.py"
NAMES = labels("kinetics-400")

Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    with serving() as state:
        yield state


class Peak:
    """Most bytes that files under some folders had, seen every few milliseconds."""

    def __init__(self, *folders: Path) -> None:
        self._folders, self._ended = folders, threading.Event()
        self.bytes = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.005):
            total = 0
            for folder in self._folders:
                for path in folder.glob("*"):
                    try:
                        total += path.stat().st_size
                    except FileNotFoundError:
                        continue
            self.bytes = max(self.bytes, total)


def one_command(bench: Bench, yaml: Path, run: Path, weights: Path, spool: int, *more: object) -> str:
    """Fetch and run; what it printed, with the time and the disk space that it took."""
    peak = Peak(run / "spool")
    begin = time.monotonic()
    with peak.watched():
        answer = bench(
            *("data", "fetch", yaml, "--keep", "none", "--spool", spool, *more, "--"),
            *("--models", f"{TINY}:tiny", "--weights", f"tiny={weights}", "--out", run, "--threads", 1),
            *("--processes", 1, "--latency-seconds", 0, "--latency-clips", 2),
        )
    assert answer.returncode == 0, answer.stderr
    assert 0 < peak.bytes <= spool
    kept = sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    said = f"{time.monotonic() - begin:.0f} s, spool at most {peak.bytes} bytes, run directory {kept} bytes"
    print(said, "\n".join(answer.stderr.splitlines()[-8:]))
    return answer.stderr


def real_clips(videos: Path, folder: Path, wanted: int) -> list[bytes]:
    """Clips of a second, 64 pixels high, cut out of real videos one after another."""
    made: list[bytes] = []
    for video in sorted(videos.rglob("*")):
        if video.suffix.lower() not in (".mp4", ".avi", ".mkv", ".webm"):
            continue
        try:
            with av.open(str(video)) as container:
                frames: list[av.VideoFrame] = []
                for frame in container.decode(video=0):
                    frames.append(frame)
                    if len(frames) == 25:
                        made.append(encoded(frames, folder / "clip.mp4"))
                        frames = []
                    if len(made) == wanted:
                        return made
        except av.FFmpegError:
            continue
    return made


def encoded(frames: list[av.VideoFrame], path: Path) -> bytes:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        width = round(64 * frames[0].width / frames[0].height / 2) * 2
        stream.width, stream.height, stream.pix_fmt = width, 64, "yuv420p"
        for number, frame in enumerate(frames):
            small = frame.reformat(width, 64, "yuv420p")
            small.pts, small.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(small))
        container.mux(stream.encode())
    return path.read_bytes()


def test_real_clips_in_one_command(
    bench: Bench, server: Server, shared_data: Path, weights_file: Path, tmp_path: Path
) -> None:
    clips = real_clips(shared_data / "videos", tmp_path, 240)
    assert len(clips) >= 200
    contents = {name_of(n): clip for n, clip in enumerate(clips)}
    classes = {name: NAMES[10 * (n % 20)] for n, name in enumerate(contents)}
    items = list(contents.items())
    server.files |= kinetics_files([dict(items[n::4]) for n in range(4)], classes)
    server.cut += [100_000, 300_000]
    yaml = tmp_path / "real.yaml"
    yaml.write_text(kinetics_yaml(f"{server.address}/"))
    size = sum(map(len, clips))
    one_command(bench, yaml, tmp_path / "run", weights_file, size // 8, "--per-class", 10)
    directory = RunDirectory(tmp_path / "run")
    records = directory.clips()
    assert len(records) == directory.run.data["clips"] == 200
    assert all(record.error is None for record in records)
    print(f"{len(clips)} clips of {size} bytes in all")


def test_ten_videos_of_each_of_400_classes(
    bench: Bench, server: Server, weights_file: Path, tmp_path: Path, tiny_module: ModuleType
) -> None:
    contents: dict[str, bytes] = {}
    classes: dict[str, str] = {}
    for index, label in enumerate(NAMES):
        path = tmp_path / "clip.mp4"
        write_video(path, tiny_module.colour_of(index), frames=16)
        for n in range(12):
            name = name_of(12 * index + n)
            classes[name] = label
            if (12 * index + n) % 50:  # the others are dead
                contents[name] = path.read_bytes() + os.urandom(64)
    items = list(contents.items())
    server.files |= kinetics_files([dict(items[n::20]) for n in range(20)], classes)
    yaml = tmp_path / "drawn.yaml"
    yaml.write_text(kinetics_yaml(f"{server.address}/"))
    said = one_command(bench, yaml, tmp_path / "run", weights_file, 2_000_000, "--per-class", 10)
    assert "4000 videos of 400 classes" in said
    directory = RunDirectory(tmp_path / "run")
    records = directory.clips()
    assert len(records) == 4000
    assert all(record.error is None and record.top5[0][0] == record.label for record in records)
    assert len({(record.label) for record in records}) == 400


def test_a_fetch_that_is_killed_goes_on(
    bench_process: Bench, server: Server, tmp_path: Path, tiny_module: ModuleType
) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, tiny_module.colour_of(0), frames=16)
    contents = {name_of(n): path.read_bytes() + os.urandom(20_000) for n in range(60)}
    classes = {name: NAMES[n % 3] for n, name in enumerate(contents)}
    items = list(contents.items())
    server.files |= kinetics_files([dict(items[n::2]) for n in range(2)], classes, "w")
    (tmp_path / "drawn.yaml").write_text(kinetics_yaml(f"{server.address}/"))
    words = [
        "data",
        "fetch",
        str(tmp_path / "drawn.yaml"),
        "--per-class",
        "15",
        "--out",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen([*COMMAND, *words, "--limit-rate", "100kB"], stderr=subprocess.DEVNULL)
    while len(list((tmp_path / "out").glob("[!.]*/*.mp4"))) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("[!.]*/*.mp4")}
    answer = bench_process(*words)
    assert answer.returncode == 0, answer.stderr
    assert "45 videos of 3 classes" in answer.stdout
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    kept = list((tmp_path / "out").glob("[!.]*/*.mp4"))
    assert len(kept) == 45
    assert {path.read_bytes() for path in kept} <= set(contents.values())
