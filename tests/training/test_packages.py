"""What is missing for training is named with its remedy, before anything else is looked at."""

from __future__ import annotations

import importlib.util

import pytest

from actionbench.errors import BackendUnavailable
from actionbench.training.packages import require_training


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_training()
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "kornia" else find_spec(name)
    )
    with pytest.raises(BackendUnavailable, match=r"kornia.*pip install 'actionbench\[training\]'"):
        require_training()
