"""Flow on disk: what is found again, what is not, and what is removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.flow import cache as cache_module
from actionbench.flow.cache import FlowCache, cache_key

FLOW = np.random.default_rng(0).normal(0, 5, (3, 16, 20, 2)).astype(np.float32)
KEY = "a" * 64


class Method:
    def __init__(self, **parameters: Any) -> None:
        self.name = "made up"
        self._parameters = parameters

    def __call__(self, previous: Any, following: Any) -> Any:  # noqa: ARG002
        raise AssertionError("the key does not need the flow")

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "parameters": self._parameters}


@pytest.fixture
def cache(tmp_path: Path) -> FlowCache:
    return FlowCache(tmp_path / "flow")


def files(cache: FlowCache) -> list[Path]:
    return sorted(cache.folder.iterdir())


def test_flow_comes_back_exactly(cache: FlowCache) -> None:
    assert cache.get(KEY) is None
    cache.put(KEY, FLOW)
    found = FlowCache(cache.folder).get(KEY)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, FLOW)
    assert len(files(cache)) == 1


def test_key_depends_on_frames_shape_and_method_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.random.default_rng(1).integers(0, 256, (3, 16, 20), np.uint8)
    touched = grey.copy()
    touched[2, 15, 19] ^= 1
    keys = {
        cache_key(grey, Method(a=1, b=2)),
        cache_key(touched, Method(a=1, b=2)),
        cache_key(grey.reshape(3, 20, 16), Method(a=1, b=2)),
        cache_key(grey[:2], Method(a=1, b=2)),
        cache_key(grey, Method(a=1, b=3)),
    }
    assert len(keys) == 5
    assert cache_key(grey.copy(), Method(b=2, a=1)) in keys
    assert cache_key(np.asfortranarray(grey), Method(a=1, b=2)) in keys
    monkeypatch.setattr(cache_module, "FORMAT", cache_module.FORMAT + 1)
    assert cache_key(grey, Method(a=1, b=2)) not in keys


@pytest.mark.parametrize("damage", ["bit", "truncated", "empty", "text", "array", "pickle", "header"])
def test_a_damaged_file_is_a_miss_and_removed(cache: FlowCache, damage: str) -> None:
    cache.put(KEY, FLOW)
    (path,) = files(cache)
    data = bytearray(path.read_bytes())
    if damage == "bit":
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    elif damage == "truncated":
        path.write_bytes(data[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_bytes(b"no flow in here")
    elif damage == "array":
        np.savez(path, other=FLOW)
    elif damage == "header":  # which NumPy reads with Python's own tokenizer
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("array.npy", b"\x93NUMPY\x01\x00\x02\x00((")
    else:
        np.savez(path, array=np.array([{"not": "a number"}], dtype=object))
    assert cache.get(KEY) is None
    assert files(cache) == []
    cache.put(KEY, FLOW)
    np.testing.assert_array_equal(cache.get(KEY), FLOW)


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = FlowCache(tmp_path, max_bytes=int(3.5 * FLOW.nbytes))
    for age, key in [(300, "a"), (200, "b"), (100, "c")]:
        cache.put(key, FLOW)
        then = time.time() - age
        os.utime(tmp_path / f"{key}.npz", (then, then))
    assert cache.get("a") is not None
    cache.put("d", FLOW)
    assert [path.stem for path in files(cache)] == ["a", "c", "d"]


def test_what_is_larger_than_the_cache_does_not_empty_it(tmp_path: Path) -> None:
    cache = FlowCache(tmp_path, max_bytes=int(1.5 * FLOW.nbytes))
    cache.put("small", FLOW)
    cache.put("large", np.zeros((9, *FLOW.shape[1:]), np.float32))
    assert cache.get("small") is not None
    assert cache.get("large") is None


def test_a_failed_write_leaves_nothing(cache: FlowCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Any, **_: Any) -> None:
        file.write(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        cache.put(KEY, FLOW)
    assert files(cache) == []


def test_what_a_killed_process_left_is_removed_in_time(cache: FlowCache) -> None:
    old, new = cache.folder / "old.tmp", cache.folder / "new.tmp"
    for path in (old, new):
        path.write_bytes(b"half of it")
    os.utime(old, (0, 0))
    cache.put(KEY, FLOW)
    assert not old.exists()
    assert new.exists()


PROCESS = """
import sys
from pathlib import Path
import numpy as np
from actionbench.flow.cache import FlowCache
cache = FlowCache(Path(sys.argv[1]), max_bytes=400_000)
for turn in range(60):
    key = str(turn % 12)
    flow = cache.get(key)
    assert flow is None or (flow == float(key)).all()
    cache.put(key, np.full((4, 40, 40, 2), float(key), np.float32))
"""


def test_processes_may_share_a_folder(tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert all(path.suffix == ".npz" for path in tmp_path.iterdir())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 400_000
