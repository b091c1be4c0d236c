"""From words on the command line to a model and its backend."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from actionbench.errors import BackendUnavailable, UsageError
from actionbench.models import registry
from actionbench.models.registry import find_model, load_network, missing_packages, model_names
from actionbench.models.spec import LoadOptions, Weights

Write = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("request_", "name", "backend"),
    [
        ("i3d", "i3d", "tensorflow"),
        ("i3d@torch", "i3d", "torch"),
        ("i3d-rgb@tfhub", "i3d-rgb", "tfhub"),
        ("i3d-flow", "i3d-flow", "tensorflow"),
        ("resnext", "resnext", "torch"),
        ("resnext-64f@torch", "resnext-64f", "torch"),
    ],
)
def test_names(request_: str, name: str, backend: str) -> None:
    found = find_model(request_)
    assert (found.key, found.model.name, found.backend) == (request_, name, backend)


def test_every_name_is_the_models_own() -> None:
    assert {name: find_model(name).model.name for name in model_names()} == {n: n for n in model_names()}


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("resnet", "unknown model 'resnet'. Did you mean: resnext"),
        ("", "unknown model ''"),
        ("i3d@tensorfow", "unknown backend of i3d 'tensorfow'. Did you mean: tensorflow"),
        ("resnext@tensorflow", "unknown backend of resnext 'tensorflow'. Known: torch"),
        ("i3d@", "unknown backend of i3d ''"),
        ("i3d-flow@tfhub", "unknown backend of i3d-flow 'tfhub'"),
        ("nowhere/net.py:net", "nowhere/net.py: there is no such file"),
    ],
)
def test_unknown_names_are_errors_with_near_ones(request_: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        find_model(request_)
    assert says in str(error.value)


def test_listing_models_imports_no_framework() -> None:
    script = (
        "import sys\n"
        "from actionbench.models.registry import find_model, missing_packages, model_names\n"
        "requests = [find_model(name) for name in model_names()]\n"
        "assert not any(map(missing_packages, requests))\n"
        "heavy = {'tensorflow', 'torch', 'sonnet', 'tensorflow_hub', 'cv2', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


FACTORY = """
from actionbench.models import resnext
from dataclasses import replace

def net():
    return replace(resnext.resnext(), name="mine", backends={"first": load, "second": load})

def load(model, weights, options):
    raise KeyError("lost")

def number():
    return 7

def broken():
    return undefined

value = 3
"""


def test_factory_in_a_file(text_file: Write) -> None:
    path = text_file("my@net.py", FACTORY)
    found = find_model(f"{path}:net")
    assert (found.key, found.model.name, found.backend) == (f"{path}:net", "mine", "first")
    assert find_model(f"{path}:net@second").backend == "second"


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        (":nat", "Did you mean: net"),
        (":value", "unknown factory"),
        (":number", "factory gave no model"),
        (":broken", "fails with NameError: name 'undefined' is not defined"),
        ("", "names no factory"),
        (":net@third", "unknown backend of mine 'third'"),
    ],
)
def test_mistakes_in_a_file_are_errors_that_name_it(text_file: Write, ending: str, says: str) -> None:
    path = text_file("net.py", FACTORY)
    with pytest.raises(UsageError) as error:
        find_model(f"{path}{ending}")
    assert says in str(error.value)
    assert str(path) in str(error.value) or "mine" in str(error.value)


@pytest.mark.parametrize("text", ["def net(:", "import no_such_module", "1 / 0"])
def test_file_that_does_not_run(text_file: Write, text: str) -> None:
    path = text_file("net.py", text)
    with pytest.raises(UsageError, match="fails with") as error:
        find_model(f"{path}:net")
    assert str(path) in str(error.value)


def random_weights(model: Any) -> dict[str, Weights]:
    return {stream: Weights("random", each) for stream, each in model.streams.items()}


def test_failing_loader_of_a_file_is_an_error_that_names_it(text_file: Write) -> None:
    path = text_file("net.py", FACTORY)
    request = find_model(f"{path}:net")
    with pytest.raises(UsageError, match="KeyError: 'lost'") as error:
        load_network(request, random_weights(request.model), LoadOptions())
    assert str(path) in str(error.value)


def test_loader_must_give_a_network(text_file: Write) -> None:
    path = text_file("net.py", FACTORY.replace('raise KeyError("lost")', "return print"))
    request = find_model(f"{path}:net")
    with pytest.raises(UsageError, match="upload, forward, download, synchronize, describe"):
        load_network(request, random_weights(request.model), LoadOptions())


def test_each_stream_needs_weights() -> None:
    request = find_model("i3d@torch")
    weights = random_weights(request.model)
    del weights["flow"]
    with pytest.raises(UsageError, match="expected rgb, flow; found rgb"):
        load_network(request, weights, LoadOptions())


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PACKAGES, "torch", ("torch", "no_such_package"))
    request = find_model("resnext@torch")
    assert missing_packages(request) == ("no_such_package",)
    with pytest.raises(BackendUnavailable, match="not installed: no_such_package"):
        load_network(request, random_weights(request.model), LoadOptions())


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, registry.ENTRY_POINTS)


def test_models_of_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = entry("mine", "actionbench.models.resnext:resnext")
    monkeypatch.setattr(registry, "entry_points", lambda group: [mine] if "models" in group else [])
    assert find_model("mine").model.name == "resnext"


def test_two_models_of_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry("i3d", "elsewhere:net")])  # noqa: ARG005
    with pytest.raises(UsageError, match="two models are called 'i3d'"):
        find_model("i3d")


def test_entry_point_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry("mine", "no_such:net")])  # noqa: ARG005
    with pytest.raises(UsageError, match="cannot import no_such:net"):
        find_model("mine")
