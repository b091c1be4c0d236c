"""Losses for classes of unequal frequency: by weights of the classes, or by shifted logits.

With fᵢ = nᵢ / Σⱼ nⱼ, the share of class i in the *training* split:

- inverse frequency: wᵢ = (1 / fᵢ) / Σⱼ (1 / fⱼ);
- effective number (Cui et al., "Class-balanced loss based on effective number of samples", CVPR 2019, eq. 4):
  wᵢ ∝ (1 - β) / (1 - β^nᵢ), here too with the sum 1. β = 0 weighs all alike, β → 1 by inverse frequency;
- logit adjustment (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, eq. 10): cross entropy
  of the logits + τ·log f. Scores are taken from the logits as they are.

Weighted losses are means over a batch with the weights of its targets, Σ wₜ·lₜ / Σ wₜ, as torch does it: a
common factor of the weights changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import UsageError, unknown_name

if TYPE_CHECKING:
    from torch import nn

Counts = Mapping[str, int] | Sequence[int]
"""Examples of each class in the training split, in the order of the labels, with or without their names."""

LossRule = Literal["ce", "wce", "effective", "logit-adjustment"]
WeightRule = Literal["none", "inverse", "effective"]
LOSSES: tuple[LossRule, ...] = get_args(LossRule)

_WEIGHTS: dict[LossRule, WeightRule] = {"ce": "none", "wce": "inverse", "effective": "effective"}

BETA = 0.99
"""β of the effective number: differences between counts beyond 1 / (1 - β) = 100 hardly matter, which is
where the classes of small sets lie. Cui et al. try 0.9 to 0.9999, for sets of 10 000 pictures and more."""

TAU = 1.0
"""τ of logit adjustment: 1 makes the loss consistent for the balanced error (Menon et al., section 4.2)."""


def class_weights(counts: Counts, rule: WeightRule, beta: float = BETA) -> tuple[float, ...]:
    """Weight of each class in [0, 1], with the sum 1, in the order of `counts`.

    - `counts`: examples of each class in the training split.
    - `rule`: "none" (all equal), "inverse" frequency or "effective" number, with its `beta` in [0, 1).

    Raises UsageError for a class without examples, which it names, and for values that make no sense.
    """
    numbers = _checked(counts)
    if not 0 <= beta < 1:
        raise UsageError("is out of range", where="beta", expected="0 or more, and less than 1", found=beta)
    if rule == "none":
        raw = [1.0] * len(numbers)
    elif rule == "inverse":
        raw = [1 / n for n in numbers]
    elif rule == "effective":
        raw = [(1 - beta) / (1 - beta**n) for n in numbers]
    else:
        raise unknown_name("class weights", rule, get_args(WeightRule))
    total = math.fsum(raw)
    return tuple(value / total for value in raw)


def make_loss(rule: LossRule, counts: Counts, beta: float = BETA, tau: float = TAU) -> nn.Module:
    """The loss as a module: logits (N, C) float and targets (N,) int64 → a scalar.

    - `rule`: "ce" (cross entropy), "wce" (weighted by inverse frequency), "effective" (weighted by effective
      number, with `beta`), "logit-adjustment" (with `tau`).
    - `counts`: examples of each class in the training split, C of them.

    Raises UsageError as `class_weights` does.
    """
    import torch
    from torch import nn

    if rule == "logit-adjustment":
        from .logit_adjustment import LogitAdjustment

        numbers = _checked(counts)
        return LogitAdjustment(tuple(n / sum(numbers) for n in numbers), tau)
    if rule not in _WEIGHTS:
        raise unknown_name("loss", rule, LOSSES)
    weights = class_weights(counts, _WEIGHTS[rule], beta)
    return nn.CrossEntropyLoss(weight=None if rule == "ce" else torch.tensor(weights))


def _checked(counts: Counts) -> tuple[int, ...]:
    names = list(counts) if isinstance(counts, Mapping) else [str(k) for k in range(len(counts))]
    numbers = tuple(counts.values()) if isinstance(counts, Mapping) else tuple(counts)
    if not numbers:
        raise UsageError("there is no class to learn", where="the training split")
    empty = [name for name, n in zip(names, numbers, strict=True) if n < 1]
    if empty:
        raise UsageError(
            "the training split has no example of it",
            where=("class " if len(empty) == 1 else "classes ") + ", ".join(empty),
            remedy="Leave the class out, or take other folds.",
        )
    return numbers
