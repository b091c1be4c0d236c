"""Which weights a plan takes where the user names none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from actionbench.bench.plan import weights as plan_weights
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import plan_models
from actionbench.errors import WeightsError
from actionbench.models.i3d import architecture as i3d
from actionbench.models.registry import find_model
from actionbench.models.spec import LoadOptions, Model, Network, Weights
from actionbench.models.state import State
from actionbench.models.weights import write_state
from actionbench.models.weights.catalogue import find_source
from actionbench.models.weights.descriptions import description
from actionbench.models.weights.record import RECORD, digest
from actionbench.models.weights.store import weights_folder

TFHUB = "tfhub-i3d-kinetics-400"
DEEPMIND = "deepmind-rgb-imagenet"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


def store(name: str) -> None:
    """Put weights into the store as if they had been fetched; the planner reads no tensor of them."""
    import numpy as np

    source = find_source(name)
    assert source.description is not None
    folder = weights_folder() / source.folder
    small = {5: (1, 1, 1, 2, 2), 1: (2,)}
    shapes = i3d.tensor_shapes(3, 2)
    state: State = {key: np.zeros(small[len(shape)], np.float32) for key, shape in shapes.items()}
    write_state(state, folder / source.load, source.description.format, source.description.stream)
    files = {
        path.name: {"size": path.stat().st_size, "sha256": digest([path]), "checked": "sha256"}
        for path in folder.iterdir()
    }
    (folder / RECORD).write_text(json.dumps({"files": files}))


def weights(model: str, data: str, **named: str) -> dict[str, tuple[str, str]]:
    config = RunConfig(models=(model,), data=data, weights={k.replace("_", "-"): v for k, v in named.items()})
    (planned,) = plan_models(config.resolved(), target=None)
    return {stream: (each.kind, each.description.name) for stream, each in planned.weights.items()}


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_tfhubs_weights_serve_the_rgb_stream_alone_where_deepminds_are_not_stored(
    backend: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=f"fetch {DEEPMIND}` or `bench weights fetch {TFHUB}`"):
        weights(f"i3d-rgb@{backend}", str(tmp_path))
    store(TFHUB)
    assert weights(f"i3d-rgb@{backend}", str(tmp_path)) == {"rgb": ("published", TFHUB)}
    store(DEEPMIND)
    assert weights(f"i3d-rgb@{backend}", str(tmp_path)) == {"rgb": ("published", DEEPMIND)}


def test_two_streams_take_both_of_deepminds_or_none(tmp_path: Path) -> None:
    store(TFHUB)
    with pytest.raises(WeightsError, match="no weights for the rgb stream of i3d"):
        weights("i3d", str(tmp_path))
    store(DEEPMIND)
    with pytest.raises(WeightsError, match="no weights for the flow stream of i3d"):
        weights("i3d", str(tmp_path))
    assert {kind for kind, _ in weights("i3d", "demo").values()} == {"demo"}
    with pytest.raises(WeightsError, match=r"some streams have trained.*rgb: published, flow: demo"):
        weights("i3d", "demo", i3d_rgb=DEEPMIND)
    store("deepmind-flow-imagenet")
    assert {kind for kind, _ in weights("i3d", "demo").values()} == {"published"}


def test_trained_and_random_streams_may_be_timed(tmp_path: Path) -> None:
    store(DEEPMIND)
    found = weights("i3d", str(tmp_path), i3d_flow="random")
    assert [kind for kind, _ in found.values()] == ["published", "random"]


def test_a_hub_module_is_its_own_weights(tmp_path: Path) -> None:
    store(TFHUB)
    with pytest.raises(WeightsError, match="fetch tfhub-module-i3d-kinetics-400`"):
        weights("i3d-rgb@tfhub", str(tmp_path))


@pytest.mark.parametrize(
    ("model", "name", "remedy"),
    [
        ("i3d-rgb@tensorflow", "hassony2-rgb", r"convert file TARGET --to tf1-checkpoint`, or name another"),
        ("i3d-rgb@tfhub", "deepmind-rgb-imagenet", r"name another backend of i3d-rgb"),
    ],
)
def test_weights_that_a_backend_does_not_read_are_an_error(model: str, name: str, remedy: str) -> None:
    given = Weights("user", description(name), Path("file"))
    with pytest.raises(WeightsError, match=f"does not read the format {given.description.format}.*{remedy}"):
        plan_weights._readable(given, find_model(model))
    assert plan_weights._readable(given, find_model("i3d-rgb@torch")) is given


def test_a_loader_of_a_users_own_reads_what_it_likes() -> None:
    def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
        raise NotImplementedError

    request = find_model("i3d-rgb@tensorflow")
    own = replace(request, model=replace(request.model, backends={"tensorflow": load}))
    given = Weights("user", description("hassony2-rgb"), Path("file"))
    assert plan_weights._readable(given, own) is given
