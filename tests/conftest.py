"""What all tests share: where the real data is, if it is anywhere, and a cache folder of their own."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from types import ModuleType
from typing import Any
from warnings import catch_warnings

import pytest
from hypothesis import settings

from actionbench.home import home

# As the user has it; the tests have a home of their own.
USERS_HOME = home()

ROOT = Path(__file__).resolve().parent.parent

_TORCHVISION_INSTALLED = find_spec("torchvision") is not None


# An example's time is that of a machine that others may be using. `make test-all` tries more examples.
settings.register_profile("tests", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Give xdist's processes a thread each, and all test runs one folder for what numba compiles.

    The processes inherit the environment of the one that starts them; the libraries read it when they are
    imported. Where several processes have all cores each, most of their threads' time is spent waiting. What
    is kept is found again only while the flow engine's sources are the same (`flow/tvl1_cpu/jit.py`).
    TensorFlow imports Keras, Matplotlib and scikit-learn, which no network here needs, unless it is told that
    an older Keras will be asked for: a third of its import.
    """
    if not hasattr(config, "workerinput"):
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        os.environ["NUMBA_CACHE_DIR"] = str(ROOT / ".pytest_cache" / "numba")
        if config.getoption("numprocesses", None):
            os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Looking for garbage among all that the tests import takes a tenth of the time of collecting them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Trainings first: xdist gives tests that lie together to one process, and takes away only the last ones.

    So one process imports Lightning, not each of them.
    """
    items.sort(key=lambda item: "/training/" not in item.nodeid)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real videos, broken files and ground truth, which is not part of the project."""
    path = Path(os.environ.get("ACTIONBENCH_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "MANIFEST.csv").is_file():
        pytest.skip(f"no test data at {path} (set ACTIONBENCH_SHARED_DATA)")
    return path


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's cache of weights, drawn clips and flow out of the tests.

    xdist's processes have one folder of the demo clips, so that these are drawn once.
    """
    own = tmp_path_factory.mktemp("home")
    if "PYTEST_XDIST_WORKER" in os.environ:
        demo = tmp_path_factory.getbasetemp().parent / "demo"
        demo.mkdir(exist_ok=True)
        (own / "demo").symlink_to(demo)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACTIONBENCH_HOME", str(own))
        yield


@pytest.fixture(scope="session")
def trained_weights() -> Path:
    """Trained weights of I3D's RGB stream, where the user has fetched them."""
    path = USERS_HOME / "weights" / "tfhub-i3d-kinetics-400" / "i3d-rgb.safetensors"
    if not path.is_file():
        pytest.skip(f"no trained weights at {path} (`bench weights fetch tfhub-i3d-kinetics-400`)")
    return path


@cache
def _run_once(file: Path) -> dict[str, Any]:
    """The names of a file that was executed, kept: with them go the operators that it declares."""
    return run_path(str(file))


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """torchvision, importable here and in the processes that the test starts.

    The one of the environment, else the one that `make` puts beside it.
    """
    if not _TORCHVISION_INSTALLED:
        folder = Path(sys.prefix) / "torchvision"
        if not (folder / "torchvision").is_dir():
            pytest.skip(f"no torchvision, neither installed nor in {folder} (`make test` puts it there)")
        pair = ROOT / "tests" / "torchvision_pair"
        paths = [str(pair), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
        monkeypatch.syspath_prepend(str(folder))
        _run_once(pair / "sitecustomize.py")  # as Python does that is started with this path
    with catch_warnings(action="ignore"):  # of its sources, when they are compiled
        return import_module("torchvision")


@contextmanager
def without_pictures() -> Iterator[None]:
    """Drawing takes most of the time of a report whose pictures are not looked at."""
    from actionbench.reports.charts.plots import Drawing

    reports = "actionbench.reports"
    empty = '<svg viewBox="0 0 1 1"></svg>'
    with pytest.MonkeyPatch.context() as patch:
        for module in ("composition.export", "evaluation.document", "formats.export"):
            patch.setattr(f"{reports}.{module}.draw", lambda chart: Drawing(chart, empty, b""))
        patch.setattr(f"{reports}.evaluation.document.confusion_figure", lambda *_: ("", b""))
        yield


@pytest.fixture
def no_pictures() -> Iterator[None]:
    """`without_pictures`, during a test."""
    with without_pictures():
        yield
