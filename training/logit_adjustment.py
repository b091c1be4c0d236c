"""The logit-adjusted loss as a torch module: kept apart, so that its name can be read without torch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class LogitAdjustment(nn.Module):
    """Cross entropy of logits + τ·log prior (Menon et al. 2021, eq. 10).

    - `priors`: share of each class in the training split, above 0, with the sum 1.
    - `tau`: strength; 0 is plain cross entropy.
    """

    shift: torch.Tensor

    def __init__(self, priors: tuple[float, ...], tau: float) -> None:
        super().__init__()
        self.register_buffer("shift", tau * torch.tensor(priors).log())

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Logits (N, C) float and targets (N,) int64 → the mean loss of the batch, a scalar."""
        return functional.cross_entropy(logits + self.shift, targets)
