"""What a report says of the cameras that were tried: found, at a limit, not finished, disturbed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from actionbench.records.scenarios.stream import Served, StreamRecord
from actionbench.records.scenarios.stream_trials import Search, StreamTrial
from actionbench.reports.analysis.load_runs import merge
from actionbench.reports.analysis.summary import Summary, summarise
from actionbench.reports.formats.export import results
from actionbench.reports.tables.stream_peaks import NOTES, OF_CAMERAS, stream_peaks


def trial(search: Search, fps: float, stride: int, passed: bool, **changes: Any) -> StreamTrial:
    """20 labels were due; one that does not pass computed 10 of them."""
    age_s = (0.1,) * 9 + (0.15,)
    record = StreamRecord(
        model="net",
        process=0,
        clip="a",
        fps=fps,
        window=4,
        stride=stride,
        frames=4 + 20 * stride,
        dropped=0,
        due=20,
        age_s=2 * age_s if passed else age_s,
        frame_s=0.002,
        forward_s=0.1,
        preparing_threads=1,
        network_threads=1,
        wall_s=10.0,
        cpu_s=6.0,
    )
    return StreamTrial(search, replace(record, **changes))


def summary_of(fake: SimpleNamespace, *trials: StreamTrial) -> Summary:
    run = fake.run([fake.model("net", fake.answers(1, 1))])
    return summarise(merge([replace(run, stream_trials=trials)]))


@pytest.mark.parametrize(
    ("trials", "sentence", "state"),
    [
        (
            [("stride", 25, 1, True)],
            "net: can be deployed at 25 frames/s with a label for every frame, 100 ms old in the median and "
            "150 ms at most.",
            "ended",
        ),
        (
            [("stride", 25, 1, False), ("stride", 25, 2, False), ("stride", 25, 4, False)],
            "net: cannot be deployed at 25 frames/s: it does not keep up even with a label every 4 frames, "
            "where the search ended.",
            "ended at its limit",
        ),
        (
            [("stride", 29.97, 1, False), ("stride", 29.97, 2, False)],
            "net: cannot be deployed at 29.97 frames/s: it does not keep up even with a label every 2 "
            "frames; the search is not finished.",
            "not finished",
        ),
        (
            [("rate", 200, 8, True), ("rate", 240, 8, True)],
            "net: with a label every 8 frames, it keeps up with 240 frames/s, the labels 100 ms old in the "
            "median and 150 ms at most, where the search ended.",
            "ended at its limit",
        ),
        (
            [("rate", 6, 8, False), ("rate", 5, 8, False)],
            "net: with a label every 8 frames, it does not keep up even with 5 frames/s, where the search "
            "ended.",
            "ended at its limit",
        ),
    ],
)
def test_a_sentence_says_what_was_found_and_how_the_search_ended(
    fake: SimpleNamespace, trials: list[tuple[Search, float, int, bool]], sentence: str, state: str
) -> None:
    table = stream_peaks(summary_of(fake, *(trial(*each) for each in trials)))
    assert table.notes == (sentence, *NOTES)
    assert [row[-1] for row in table.rows] == [state]


def test_a_row_has_the_ages_and_late_labels_of_its_trial(fake: SimpleNamespace) -> None:
    """A stride of 3 frames is 0.12 s: one label of ten is late."""
    trials = (trial("stride", 25, 2, False), trial("stride", 25, 4, True), trial("stride", 25, 3, True))
    summary = summary_of(fake, *trials)
    (record,) = stream_peaks(summary).records
    assert (record["fps"], record["stride"], record["not_kept_up_stride"]) == (25, 3, 2)
    assert (record["labels_late"], record["labels_due"]) == (2, 20)
    assert record["labels_per_s"] == pytest.approx(25 / 3)
    assert (record["age_s"], record["age_s_p95"], record["age_s_worst"]) == (0.1, None, 0.15)
    (model,) = results(summary)["models"]
    (peak,) = model["stream_peaks"]
    assert (peak["search"], peak["ended"]) == ("stride", True)
    assert peak["kept_up"] == {
        "fps": 25,
        "stride": 3,
        "cameras": 1,
        "age_s": 0.1,
        "age_s_p95": None,
        "age_s_worst": 0.15,
        "persons": None,
        "persons_most": None,
    }
    assert peak["not_kept_up"]["stride"] == 2


def of_cameras(cameras: int, labels: int, dropped: int = 0, **changes: Any) -> StreamTrial:
    """20 labels were due of each camera; the last one got `labels` of them, and lost `dropped` frames."""
    counts = [20] * (cameras - 1) + [labels]
    changes |= {
        "frames": 84 * cameras,
        "due": 20 * cameras,
        "dropped": dropped,
        "age_s": (0.1,) * sum(counts),
        "cameras": cameras,
        "served": tuple(
            Served(each, dropped * (number == cameras - 1)) for number, each in enumerate(counts)
        ),
    }
    return trial("cameras", 25, 4, True, **changes)


@pytest.mark.parametrize(
    ("trials", "sentence", "found", "state"),
    [
        (
            [of_cameras(1, 20), of_cameras(2, 19, 17)],
            "net: serves 1 camera at 25 frames/s with a label every 4 frames on this machine, the labels 100 "
            "ms old in the median and 100 ms at most; with 2, the camera that was served worst had only 95 % "
            "of its due labels computed and 79.7 % of its frames processed (0.600 cores busy).",
            "1",
            "ended",
        ),
        (
            [of_cameras(1, 0)],
            "net: serves no camera at 25 frames/s with a label every 4 frames: with 1, the camera had only "
            "0 % of its due labels computed (0.600 cores busy).",
            "0",
            "ended",
        ),
        (
            [of_cameras(128, 20), of_cameras(256, 20)],
            "net: serves 256 cameras at 25 frames/s with a label every 4 frames on this machine, the labels "
            "100 ms old in the median and 100 ms at most, where the search ended.",
            "256",
            "ended at its limit",
        ),
        (
            [of_cameras(1, 20)],
            "net: serves 1 camera at 25 frames/s with a label every 4 frames on this machine, the labels 100 "
            "ms old in the median and 100 ms at most; the search is not finished.",
            "1",
            "not finished",
        ),
    ],
)
def test_how_many_cameras_are_served_and_why_no_more(
    fake: SimpleNamespace, trials: list[StreamTrial], sentence: str, found: str, state: str
) -> None:
    table = stream_peaks(summary_of(fake, *trials))
    assert table.notes == (sentence, *NOTES, OF_CAMERAS)
    (row,) = table.rows
    assert (row[2], row[-1]) == (found, state)


def test_cameras_are_in_the_files_with_the_memory_that_each_takes(fake: SimpleNamespace) -> None:
    trials = (
        of_cameras(1, 20, resident_bytes=600_000_000),
        of_cameras(2, 20, resident_bytes=664_000_000),
        of_cameras(4, 10, resident_bytes=792_000_000),
        of_cameras(3, 20, resident_bytes=730_000_000),
    )
    summary = summary_of(fake, *trials)
    table = stream_peaks(summary)
    (record,) = table.records
    assert (record["cameras"], record["not_kept_up_cameras"], record["camera_bytes"]) == (3, 4, 64_000_000)
    assert record["labels_per_s"] == pytest.approx(3 * 25 / 4)
    (model,) = results(summary)["models"]
    (peak,) = model["stream_peaks"]
    assert (peak["kept_up"]["cameras"], peak["not_kept_up"]["cameras"]) == (3, 4)
    assert peak["camera_bytes"] == 64_000_000


def test_a_disturbed_trial_is_told(fake: SimpleNamespace) -> None:
    trials = (trial("stride", 25, 1, False, waited_s=9.0), trial("stride", 25, 2, True, waited_s=9.0))
    notes = stream_peaks(summary_of(fake, *trials)).notes
    assert [note for note in notes if "other programs" in note] == [
        "net: other programs used the cores in the trial with a label for every frame at 25 frames/s; on an "
        "idle machine it may keep up."
    ]


@pytest.mark.parametrize(("cpu_s", "told"), [(9.0, False), (4.0, True)])
def test_cameras_that_wait_for_each_other_are_no_disturbance(
    fake: SimpleNamespace, cpu_s: float, told: bool
) -> None:
    """One thread of the network for 10 s; in the first case the process has as much of the cores."""
    notes = stream_peaks(summary_of(fake, of_cameras(2, 10, waited_s=9.0, cpu_s=cpu_s))).notes
    about = (
        "net: other programs used the cores in the trial with 2 cameras and a label every 4 frames at 25 "
        "frames/s; on an idle machine it may keep up."
    )
    assert (about in notes) is told


def test_persons_in_the_picture_are_told(fake: SimpleNamespace) -> None:
    """20 labels were due of two persons, or of three, about 10 or 6 of each."""
    some = (1,) * 11 + (2,) * 9
    trials = (
        trial("stride", 25, 3, False, persons=some),
        trial("stride", 25, 4, True, persons=some),
        of_cameras(1, 20, persons=(0, 3)),
        of_cameras(2, 19, persons=(1, 1)),
    )
    summary = summary_of(fake, *trials)
    table = stream_peaks(summary)
    assert table.notes[:3] == (
        "net: can be deployed at 25 frames/s with a label every 4 frames, 100 ms old in the median and 150 "
        "ms at most, with 1 person in the picture in the median and 2 at most; it does not keep up with a "
        "label every 3 frames.",
        "net: serves 1 camera at 25 frames/s with a label every 4 frames on this machine, the labels 100 ms "
        "old in the median and 100 ms at most, with 1.5 persons in the picture in the median and 3 at most; "
        "with 2, the camera that was served worst had only 95 % of its due labels computed, with 1 person in "
        "the picture in the median and 1 at most (0.600 cores busy).",
        "net: only about 10 labels of each person were due in the trial with a label every 4 frames at 25 "
        "frames/s; as the last one may be computed after the camera has ended, a network that is too slow by "
        "such a share may pass.",
    )
    assert [(r["persons"], r["persons_most"]) for r in table.records] == [(1, 2), (1.5, 3)]
    kept_up = results(summary)["models"][0]["stream_peaks"][0]["kept_up"]
    assert (kept_up["persons"], kept_up["persons_most"]) == (1, 2)


def test_a_search_without_persons_has_found_nothing(fake: SimpleNamespace) -> None:
    nobody: dict[str, Any] = {"due": 0, "age_s": (), "forward_s": None, "persons": (0,) * 20}
    summary = summary_of(
        fake, trial("stride", 25, 1, True, **nobody), trial("cameras", 25, 4, True, **nobody)
    )
    table = stream_peaks(summary)
    assert table.notes[:2] == (
        "net: with a label for every frame at 25 frames/s, nobody was found: no label was due (clip a), "
        "which ended the search.",
        "net: with 1 camera and a label every 4 frames at 25 frames/s, nobody was found: no label was due "
        "(clip a), which ended the search.",
    )
    assert [(row[2], row[3], row[-1]) for row in table.rows] == 2 * [("–", "–", "no label\nwas due")]
    assert [record["no_label_due"] for record in table.records] == ["yes", "yes"]
    peak = results(summary)["models"][0]["stream_peaks"][0]
    assert (peak["kept_up"], peak["not_kept_up"], peak["no_label_due"]["persons_most"]) == (None, None, 0)


def test_lost_frames_are_no_pass_where_nobody_is_found(fake: SimpleNamespace) -> None:
    nobody: dict[str, Any] = {"due": 0, "age_s": (), "forward_s": None, "persons": (0,) * 20}
    failed = trial("cameras", 25, 4, True, dropped=21, **nobody)
    assert stream_peaks(summary_of(fake, failed)).notes[0] == (
        "net: serves no camera at 25 frames/s with a label every 4 frames: with 1, the camera had only 75 % "
        "of its frames processed, with 0 persons in the picture in the median and 0 at most (0.600 cores "
        "busy)."
    )


def test_without_a_search_there_is_no_table(fake: SimpleNamespace) -> None:
    table = stream_peaks(summary_of(fake))
    assert (table.rows, table.notes) == ((), ())
