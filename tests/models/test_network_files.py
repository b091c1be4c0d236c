"""A network's file imports what lies beside it, and nothing of another network's folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.errors import UsageError
from actionbench.models.network_files import neighbours_importable
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Network, Weights

Write = Callable[[str, str], Path]

FILE = """
from dataclasses import replace
from actionbench.models.resnext.architecture import resnext
from layers import TITLE, Layer

def load(model, weights, options):
    from layers import Layer as LoadedLayer
    from late import Net
    assert LoadedLayer is Layer
    return Net(Layer())

def net():
    from parts.factory import named
    return named(replace(resnext(), title=TITLE, backends={"numpy": load}))
"""
LATE = """
class Net:
    def __init__(self, layer):
        self.layer = layer
    def upload(self, inputs):
        return inputs
    def forward(self, inputs):
        import later
        return self.layer.value + later.more
    def download(self, logits):
        return logits
    def synchronize(self):
        pass
    def describe(self):
        return {}
"""


def write_network(text_file: Write, folder: str, value: int) -> Path:
    text_file(f"{folder}/layers.py", f"TITLE = '{folder}'\nclass Layer:\n    value = {value}\n")
    text_file(f"{folder}/parts/factory.py", "def named(model):\n    return model\n")
    text_file(f"{folder}/late.py", LATE)
    text_file(f"{folder}/later.py", f"more = {value}\n")
    return text_file(f"{folder}/net.py", FILE)


def load(file: Path) -> Network:
    request = find_model(f"{file}:net")
    weights = {stream: Weights("random", each) for stream, each in request.model.streams.items()}
    return load_network(request, weights, LoadOptions())


def answer(network: Network) -> Any:
    return network.forward(network.upload({"rgb": np.zeros(1, np.float32)}))


def test_a_file_its_factory_its_loader_and_its_network_import_neighbours(text_file: Write) -> None:
    assert answer(load(write_network(text_file, "one", 1))) == 2


def test_equally_named_neighbours_of_two_networks_are_two_modules(text_file: Write) -> None:
    first, second = (write_network(text_file, folder, value) for folder, value in (("one", 1), ("two", 20)))
    requests = [find_model(f"{file}:net") for file in (first, second, first)]
    assert [request.model.title for request in requests] == ["one", "two", "one"]
    assert answer(load(first)) == 2
    assert answer(load(second)) == 40
    assert answer(load(first)) == 2


def test_planning_leaves_neither_the_folder_nor_its_modules_behind(text_file: Write) -> None:
    file = write_network(text_file, "one", 1)
    with neighbours_importable(file):
        pass  # what other tests loaded is no longer on the path
    path, modules = list(sys.path), set(sys.modules)
    find_model(f"{file}:net")
    text_file("one/broken.py", "from layers import nothing")
    with pytest.raises(UsageError, match="cannot import name 'nothing' from 'layers'"):
        find_model(f"{file.with_name('broken.py')}:net")
    assert sys.path == path
    assert not {"layers", "parts", "parts.factory", "late"} & (set(sys.modules) - modules)


def test_what_lies_deeper_in_the_folder_is_no_neighbour(text_file: Write) -> None:
    """A project's environment may: importing a framework twice in a process breaks it."""
    file = write_network(text_file, "one", 1)
    installed = text_file("one/.venv/site-packages/framework_of_mine.py", "")
    sys.path.append(str(installed.parent))
    file.write_text(f"import framework_of_mine\n{FILE}")
    find_model(f"{file}:net")
    kept = sys.modules.pop("framework_of_mine", None)
    assert kept is not None


def test_a_folder_that_is_on_the_path_already_is_left_alone(text_file: Write) -> None:
    """What is installed there was imported by others too."""
    file = write_network(text_file, "installed", 3)
    file.write_text(f"import installed_beside\n{FILE}")
    text_file("installed/installed_beside.py", "")
    sys.path.append(str(file.parent))
    assert answer(load(file)) == 6
    for name in ("installed_beside", "layers", "parts", "parts.factory", "late", "later"):
        assert sys.modules.pop(name)


def test_a_neighbour_that_is_not_there_is_an_error_that_names_both(text_file: Write) -> None:
    file = text_file("net.py", "import leyers")
    with pytest.raises(
        UsageError, match=rf"{file}: fails with ModuleNotFoundError: No module named 'leyers'"
    ):
        find_model(f"{file}:net")
