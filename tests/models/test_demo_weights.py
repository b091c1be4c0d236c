"""Demo weights: the fitted layer, the calibration, and the whole of it on a small task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp

from actionbench.models import demo, parity
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import demo_network as i3d_demo
from actionbench.models.resnext import architecture as resnext
from actionbench.models.resnext import demo_network as resnext_demo
from actionbench.models.resnext import torch_modules as resnext_torch
from actionbench.models.weights import read_state

from .conftest import Draw


@pytest.fixture
def task() -> tuple[Any, Any]:
    """Features of three overlapping classes, with a dead feature and one on a scale of its own."""
    rng = np.random.default_rng(0)
    targets = np.repeat([4, 1, 7], 12)
    features = rng.normal(size=(36, 20)) + 0.6 * rng.normal(size=(10, 20))[targets]
    features[:, 3] = 0.25
    features[:, 5] *= 1e4
    return features.astype(np.float32), targets


def test_head_is_the_regularised_optimum(task: Any) -> None:
    features, targets = task
    weight, bias = demo.fit_head(features, targets, 10)
    logits = (features @ weight.T + bias)[:, [1, 4, 7]]
    x = (features - features.mean(0)) / np.where(features.std(0) > 0, features.std(0), 1) / np.sqrt(20)
    x = np.concatenate([x, np.ones((36, 1))], 1)
    truth = np.searchsorted([1, 4, 7], targets)

    def loss(flat: Any) -> Any:
        w = flat.reshape(3, 21)
        scores = x @ w.T
        return (logsumexp(scores, axis=1) - scores[np.arange(36), truth]).mean() + 5e-3 * (w**2).sum()

    best = minimize(loss, np.zeros(63), method="L-BFGS-B", options={"ftol": 1e-12}).x.reshape(3, 21)
    np.testing.assert_allclose(logits, x @ best.T, atol=0.02)


def test_classes_without_examples_never_win(task: Any) -> None:
    features, targets = task
    weight, bias = demo.fit_head(features, targets, 10)
    far = np.random.default_rng(1).normal(size=(500, 20)).astype(np.float32) * 20
    logits = far @ weight.T + bias
    assert set(logits.argmax(1)) <= {1, 4, 7}
    np.testing.assert_allclose(logits[:, [1, 4, 7]].sum(1), 0, atol=1e-2)
    assert (logits[:, 0] == demo.NEVER).all()


def test_calibration_gives_what_reaches_a_norm_variance_one(draw: Draw) -> None:
    views = [parity.parity_inputs(resnext.resnext(), 4, 32, 32, 1, seed)["rgb"][0] for seed in range(3)]
    net = resnext_torch.from_state(draw(resnext.tensor_shapes(3), 5, resnext.random_gains()))
    demo.calibrate(net, views)
    seen: list[Any] = []
    norm = net.get_submodule("layer3.7.bn1").requires_grad_(False)
    assert isinstance(norm, torch.nn.BatchNorm3d)
    norm.register_forward_hook(lambda *call: seen.append(call[2].detach().clone()))
    with torch.inference_mode():
        net(torch.from_numpy(np.stack(views)).permute(0, 4, 1, 2, 3))
    centred = (seen[0] - norm.bias.view(-1, 1, 1, 1)) / norm.weight.view(-1, 1, 1, 1)
    assert float(centred.mean((0, 2, 3, 4)).abs().max()) < 1e-3
    assert float(centred.std((0, 2, 3, 4)).mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("model", "random_network", "shapes", "side"),
    [
        (resnext.resnext(), resnext_demo.random_network, resnext.tensor_shapes(8), 48),
        pytest.param(
            *(i3d.flow(), i3d_demo.random_network, i3d.tensor_shapes(2, 8), 193), marks=pytest.mark.slow
        ),
    ],
    ids=["resnext", "i3d-flow"],
)
def test_demo_network_knows_its_clips(
    model: Any,
    random_network: Any,
    shapes: Any,
    side: int,
    tmp_path: Path,
    draw: Draw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resnext_demo, "random_state", draw)
    ((stream, description),) = model.streams.items()
    views, targets = [], []
    for index in range(4):
        view = parity.parity_inputs(model, 9 + index % 2, side, side, 1, seed=index)[stream][0]
        views.append(view * (0.3 if index % 3 else 1.0))
        targets.append(2 if index % 3 else 5)
    network, again = (random_network(description, 8, 5) for _ in range(2))
    demo.fit(network, views, targets, seed=1)
    demo.fit(again, views[:2], targets[:2], seed=1)
    path = tmp_path / model.demo[stream].file
    network.save(path)
    state = read_state(path, description.format, stream)
    assert {name: tensor.shape for name, tensor in state.items()} == shapes
    assert all(np.isfinite(tensor).all() for tensor in state.values())
    first = next(name for name, parameter in network.net.named_parameters() if parameter.ndim == 5)
    assert torch.equal(network.net.get_parameter(first), again.net.get_parameter(first))
    with torch.inference_mode():
        answers = [int(network.net(torch.from_numpy(v[None]).permute(0, 4, 1, 2, 3)).argmax()) for v in views]
    assert answers == targets
