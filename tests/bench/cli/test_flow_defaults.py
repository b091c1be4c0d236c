"""Which methods `bench flow compare` takes when none is named."""

from __future__ import annotations

import pytest
import torch

from actionbench.bench.cli.flow import _default_methods
from actionbench.flow.registry import NEEDS_TORCH, method_names


@pytest.mark.parametrize("cuda", [False, True])
def test_torch_methods_are_compared_where_they_are_at_home(
    monkeypatch: pytest.MonkeyPatch, cuda: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    names, left_out = _default_methods()
    assert set(method_names()) - set(names) == (set() if cuda else NEEDS_TORCH)
    assert (left_out == "") == cuda
    assert all((name in left_out) != cuda for name in NEEDS_TORCH)
