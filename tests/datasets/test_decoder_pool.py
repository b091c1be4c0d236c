"""Children decode one clip after another, pass errors on unchanged, and end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from actionbench.datasets.check import Findings, examine
from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.appearance import Look, look
from actionbench.datasets.decoder_pool import DecoderPool
from actionbench.errors import ClipError

MakeVideo = Callable[..., Path]


@pytest.fixture(scope="module")
def video(make_video: MakeVideo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("pool") / "video.mkv", 20)


def test_one_child_does_all_tasks_as_they_are_done_here(video: Path) -> None:
    others = set(psutil.Process().children())
    clip = Clip("a", video, start_s=0.2)
    with DecoderPool() as pool:
        assert pool.ask("check", clip, Findings) == examine(clip)
        (first,) = set(psutil.Process().children()) - others
        assert pool.ask("look", clip, Look) == look(clip)
        empty = Clip("b", video, start_s=9.0, end_s=10.0)
        with pytest.raises(ClipError) as caught:
            pool.ask("look", empty, Look)
        with pytest.raises(ClipError) as expected:
            look(empty)
        assert vars(caught.value) == vars(expected.value)
        assert set(psutil.Process().children()) - others == {first}
    assert not first.is_running()


def test_children_end_with_their_parent(video: Path) -> None:
    code = (
        "import os, sys, psutil; from pathlib import Path\n"
        "from actionbench.datasets.check import Checker\n"
        "from actionbench.datasets.clip import Clip\n"
        "Checker().check(Clip('a', Path(sys.argv[1])))\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(video)], stdout=subprocess.PIPE, text=True, check=False
    )
    child = int(done.stdout)
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie":
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child outlived its parent")
