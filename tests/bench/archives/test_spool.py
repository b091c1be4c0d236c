"""The spool: never more bytes than its limit, every video in one round."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from actionbench.bench.archives.spool import Spool
from actionbench.datasets.archives.sets.delivery import Delivered, Stopped
from actionbench.errors import UsageError


def fill(spool: Spool, sizes: list[int], first: int = 0) -> None:
    for number, size in enumerate(sizes, first):
        path = spool.place(f"video{number}", "falling", ".mp4", size)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(size))
        spool.keep(Delivered(f"video{number}", "falling", path, size, ""))


def test_it_never_holds_more_than_its_limit(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 100, lambda _: False)
    sizes = [[40, 30, 70, 10], [100, 5, 20]]
    threads = [threading.Thread(target=fill, args=(spool, s, 4 * n)) for n, s in enumerate(sizes)]

    def fill_all() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spool.end()

    filling = threading.Thread(target=fill_all)
    filling.start()
    came: list[str] = []
    while videos := spool.round():
        assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) <= 100
        came += [video.key for video in videos]
        assert all(video.path.stat().st_size == video.size for video in videos)
        spool.release(videos)
    filling.join()
    assert sorted(came) == [f"video{n}" for n in range(7)]
    assert spool.most <= 100
    assert not list((tmp_path / "spool").iterdir())


def test_a_video_that_is_larger_than_the_spool_is_an_error_that_says_by_how_much(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100, lambda _: False)
    with pytest.raises(UsageError, match=r"--spool 100 B.*101 B at least, the size of big\. Start a new run"):
        spool.place("big", "falling", ".mp4", 101)


def test_who_waits_for_space_is_sent_away_at_the_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 100, lambda _: False)
    spool.place("a", "falling", ".mp4", 80)
    raised: list[type] = []

    def wait() -> None:
        try:
            spool.place("b", "falling", ".mp4", 80)
        except Stopped as error:
            raised.append(type(error))

    thread = threading.Thread(target=wait)
    thread.start()
    spool.end()
    thread.join()
    assert raised == [Stopped]


def test_what_an_earlier_process_left_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "left.mp4").write_bytes(b"x")
    Spool(tmp_path / "spool", 100, lambda _: False)
    assert not (tmp_path / "spool").exists()
