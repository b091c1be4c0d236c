"""`bench evaluate-live` from beginning to end, with a tiny network on drawn videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

from actionbench.bench.evaluation import live as live_evaluation
from actionbench.bench.worker.supervisor import Worker
from actionbench.models.labels import labels
from actionbench.records.live_directory import LiveDirectory

from ...conftest import NETWORKS, Bench

NAMES = labels("kinetics-400")
FIRST, SECOND = NAMES[10], NAMES[200]
PLAIN = ("--stride", 2, "--smoothing", 0, "--hold", 0, "--threshold", 0.5)
"""A label is that of a window alone."""

Draw = Callable[[str, list[tuple[int, int]]], Path]


@pytest.fixture
def draw(tmp_path: Path, tiny_module: ModuleType) -> Draw:
    """Function that writes a video at 25 frames a second: its name, and (class, frames) of each part."""

    def write(name: str, parts: list[tuple[int, int]]) -> Path:
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("png", rate=25)
            stream.width = stream.height = 16
            stream.pix_fmt = "rgb24"
            for index, frames in parts:
                colour = (255 * tiny_module.colour_of(index)).round().astype(np.uint8)
                pixels = np.ascontiguousarray(np.broadcast_to(colour, (16, 16, 3)))
                for _ in range(frames):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
            container.mux(stream.encode())
        return tmp_path / name

    return write


@pytest.fixture
def evaluate(bench: Bench, tmp_path: Path, weights_file: Path) -> Bench:
    """Function that evaluates a network on lines of a manifest: path, label, start, end, perhaps sha256."""

    def run(
        *lines: str, factory: str = "tiny", target: str = FIRST, options: tuple[object, ...] = PLAIN
    ) -> Any:
        manifest = tmp_path / "actions.csv"
        texts = (f"{number},{line}{',' * (4 - line.count(','))}\n" for number, line in enumerate(lines))
        manifest.write_text("id,path,label,start_s,end_s,sha256\n" + "".join(texts))
        return bench(
            "evaluate-live", f"{NETWORKS}:{factory}", "--weights", f"{factory}={weights_file}",
            "--data", manifest, "--target", target, "--out", tmp_path / "out", *options,
        )  # fmt: skip

    return run


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "live-evaluation.json").read_text())
    return found


def test_times_and_alarms_computed_by_hand(evaluate: Bench, draw: Draw, tmp_path: Path) -> None:
    """Windows of 4 frames end at frames 3, 5, 7, …: a label from 0.12 s on, each 0.08 s.

    Of `two`, frames 0–49 show the first class and 50–99 the second, whose action begins at 2 s. The window
    that ends with frame 51 shows both, the next one, which ends with frame 53 at 2.12 s, the second alone.
    `false` shows the first class, which is not annotated.
    """
    draw("two.mp4", [(10, 50), (200, 50)])
    draw("false.mp4", [(10, 50)])
    draw("short.mp4", [(10, 3)])
    draw("long.mp4", [(10, 25)])
    draw("other.mp4", [(10, 20)])
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    done = evaluate(
        f"two.mp4,{FIRST},0,2", f"two.mp4,{SECOND},2,4", "false.mp4,playing dead,0,1", f"short.mp4,{FIRST},,",
        f"long.mp4,{FIRST},0,9", f"broken.mp4,{FIRST},,", f"gone.mp4,{FIRST},0,1",
        f"other.mp4,{FIRST},,,{'0' * 64}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    times = [
        (each["class"], each["first_s"], each["stays_right_s"], each["share_seen"])
        for each in found["actions"]
    ]
    assert times == [
        (FIRST, pytest.approx(0.12), pytest.approx(0.12), pytest.approx(0.06)),
        (SECOND, pytest.approx(0.12), pytest.approx(0.12), pytest.approx(0.06)),
    ]
    assert [(each["class"], each["recognised"]) for each in found["recognition"]] == [(FIRST, 1), (SECOND, 1)]
    alarms = {(each["class"], each["footage"]): each for each in found["false_alarms"]}
    without = alarms[FIRST, f"videos without {FIRST}"]
    assert (without["videos"], without["false_alarms"]) == (1, 1)
    assert without["minutes"] == pytest.approx((1.96 - 0.12) / 60, abs=1e-6)
    # Of `two`: until its end at 3.96 s, from the action's end and a window (4 frames) on.
    outside = alarms[FIRST, f"videos with {FIRST}, outside it"]
    assert (outside["false_alarms"], outside["minutes"]) == (
        0,
        pytest.approx((3.96 - 2 - 4 / 25) / 60, abs=1e-4),
    )
    assert alarms[FIRST, "all"]["false_alarms"] == 1
    assert [(each["video"], each["start_s"]) for each in found["false_alarm_list"]] == [("false.mp4", 0.12)]
    text = (tmp_path / "out" / "live-evaluation.md").read_text()
    for note in (
        "4 of 6 videos are left out:",
        "other.mp4: the file is not the one that was annotated: another sha256",
        "short.mp4: lasts 0.08 s, less than a window of 4 frames",
        f"long.mp4: {FIRST} is annotated from 0 to 9 s, after the video's end (0.96 s)",
        "broken.mp4: ",
        "Annotated, and not there: gone.mp4.",
        "takes for no action: playing dead.",
        "Each video is a group of its own",
        "the likeliest class has a probability below 0.5",
    ):
        assert note in text


def test_what_was_watched_is_not_watched_again(
    evaluate: Bench, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an interrupt at the second video; other annotations and another target need no network."""
    draw("one.mp4", [(10, 25)])
    draw("two.mp4", [(200, 25)])
    add = LiveDirectory.add
    watched: list[str] = []

    def interrupted(self: LiveDirectory, video: Any) -> None:
        if watched:
            raise KeyboardInterrupt
        watched.append(video.name)
        add(self, video)

    with monkeypatch.context() as patch:
        patch.setattr(LiveDirectory, "add", interrupted)
        done = evaluate(f"one.mp4,{FIRST},,", f"two.mp4,{FIRST},,")
    assert done.returncode == 130
    assert "interrupted: 1 of 2 videos are done; the same command goes on" in done.stderr

    jobs: list[list[str]] = []

    def start(job: Any, *arguments: Any) -> Worker:
        jobs.append([clip.path.name for clip in job.clips])
        return Worker(job, *arguments)

    monkeypatch.setattr(live_evaluation, "Worker", start)
    assert evaluate(f"one.mp4,{FIRST},,", f"two.mp4,{FIRST},,").returncode == 0
    assert [each["recognised"] for each in results(tmp_path)["recognition"]] == [0.5]
    done = evaluate(f"one.mp4,{FIRST},,", f"two.mp4,{SECOND},0.5,0.9", target=SECOND)
    assert done.returncode == 0, done.stderr
    assert [each["recognised"] for each in results(tmp_path)["recognition"]] == [1, 1]
    assert jobs == [["two.mp4"]]
    done = evaluate(f"one.mp4,{FIRST},,", options=("--stride", 3))
    assert done.returncode == 2
    assert "watched with another stride; expected 2; found 3" in done.stderr
    assert len((tmp_path / "out" / "videos.jsonl").read_text().splitlines()) == 2


def test_a_video_that_kills_the_process_costs_only_itself(
    evaluate: Bench, draw: Draw, tmp_path: Path
) -> None:
    draw("kills.mp4", [(1, 25)])
    draw("one.mp4", [(10, 25)])
    done = evaluate(f"kills.mp4,{FIRST},,", f"one.mp4,{FIRST},,", factory="fragile")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "live-evaluation.md").read_text()
    assert "1 of 2 videos are left out:" in text
    assert "kills.mp4: " in text
    # The one video is the action, so that nothing is known of false alarms.
    assert f"There is no footage without {FIRST}" in text


@pytest.mark.parametrize(
    ("line", "target", "says"),
    [
        (f"gone.mp4,{FIRST},0,1", FIRST, "none of the annotated videos is there; found gone.mp4"),
        (f"one.mp4,{FIRST},0,1", "abseilin", "--target (of tiny): unknown class 'abseilin'"),
        (f"one.mp4,{FIRST},2,1", FIRST, "the segment is empty"),
    ],
)
def test_bad_input_is_one_clear_error(
    evaluate: Bench, draw: Draw, tmp_path: Path, line: str, target: str, says: str
) -> None:
    draw("one.mp4", [(10, 5)])
    done = evaluate(line, target=target)
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "out").exists()
