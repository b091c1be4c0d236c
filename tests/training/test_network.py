"""What is frozen stays as it was; what is trained changes; what comes out is the views' mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from actionbench.errors import UsageError
from actionbench.models.finetuning.trainable import saved_state, trainable_network
from actionbench.models.registry import find_model
from actionbench.training.config import FinetuneConfig
from actionbench.training.freezing import freeze

LABELS = ("falling", "walking")

# `training.network` is imported by the tests that use it: it imports Lightning, which takes seconds.


def steps(learner: str, train: str, batch_norm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tensors before and after three steps."""
    from actionbench.training.network import TrainedNetwork

    config = FinetuneConfig(data="x", train=train, batch_norm=batch_norm, learning_rate=0.1)
    net: Any = trainable_network(find_model(learner).model, None, LABELS, 0)
    still = freeze(net, config.trained_blocks, batch_norm)
    module = TrainedNetwork(net, torch.nn.CrossEntropyLoss(), config, 2, still)
    optimizer = module.configure_optimizers()["optimizer"]
    before = saved_state(net)
    module.train()
    for step in range(3):
        x = torch.randn((4, 3, 4, 24, 24), generator=torch.Generator().manual_seed(step))
        module.loss(net(x), torch.tensor([0, 1, 0, 1])).backward()
        optimizer.step()
    return before, saved_state(net)


@pytest.mark.parametrize(
    ("train", "batch_norm", "weights", "statistics"),
    [
        ("head", "frozen", {"head"}, set[str]()),
        ("last:1", "frozen", {"second", "head"}, {"second"}),
        ("last:1", "fixed", {"second", "head"}, set[str]()),
        ("last:1", "moving", {"second", "head"}, {"first", "second"}),
        ("all", "frozen", {"first", "second", "head"}, {"first", "second"}),
        ("all", "fixed", {"first", "second", "head"}, set[str]()),
    ],
)
def test_what_is_frozen_does_not_change(
    learner: str, train: str, batch_norm: str, weights: set[str], statistics: set[str]
) -> None:
    before, after = steps(learner, train, batch_norm)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    running = {name for name in changed if ".running_" in name}
    assert {name.partition(".")[0] for name in running} == statistics
    assert {name.partition(".")[0] for name in changed - running} == weights


def test_more_blocks_than_there_are_are_an_error(learner: str) -> None:
    net: Any = trainable_network(find_model(learner).model, None, LABELS, 0)
    with pytest.raises(UsageError, match=r"last:3: trains more blocks than there are; expected at most 2"):
        freeze(net, 3, "frozen")


def test_the_same_seed_gives_the_same_network(learner: str) -> None:
    model = find_model(learner).model
    one, again, other = (saved_state(trainable_network(model, None, LABELS, seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["head.weight"], other["head.weight"])


def test_a_network_that_cannot_be_trained_says_so(learner: str) -> None:
    model = find_model(learner.replace(":learner", ":untrainable")).model
    with pytest.raises(UsageError, match="untrainable: cannot be trained"):
        trainable_network(model, None, LABELS, 0)


def test_scores_are_the_views_mean_probabilities() -> None:
    from actionbench.training.network import log_probabilities

    logits = torch.randn((2, 3, 4), generator=torch.Generator().manual_seed(0))
    found = log_probabilities(torch.nn.Identity(), logits)
    assert torch.isfinite(log_probabilities(torch.nn.Identity(), 1e4 * logits)).all()
    expected = np.log(np.mean(np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(-1, keepdims=True), 1))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
