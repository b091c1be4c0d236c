"""A certificate is read as it was written, and anything else in its file is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.agreement.certificate import certificate, write_certificate
from actionbench.errors import UsageError
from actionbench.models.registry import find_model
from actionbench.models.spec import LoadOptions, Weights

REQUEST = find_model("i3d-rgb@torch")
WEIGHTS = {
    stream: Weights("user", description, sha256="00ff")
    for stream, description in REQUEST.model.streams.items()
}
THIS = (REQUEST, WEIGHTS, LoadOptions(), {"torch": "2.0"})


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path))
    return write_certificate(*THIS, 0.00012)


@pytest.mark.usefixtures("path")
def test_it_is_of_these_weights_packages_and_device() -> None:
    text = certificate(*THIS)
    assert text is not None
    assert text.endswith("largest difference 1.2e-04")
    request, weights, options, packages = THIS
    other = {stream: replace(each, sha256="11") for stream, each in weights.items()}
    assert certificate(request, other, options, packages) is None
    assert certificate(request, weights, replace(options, device="cuda:0"), packages) is None
    assert certificate(request, weights, options, {"torch": "2.1"}) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"largest_difference": "small"}, "largest_difference: expected a number"),
        ({"date": None}, "date: expected a text"),
        ({"more": 1}, "unknown fields"),
    ],
)
def test_a_field_of_another_type_is_named(path: Path, change: dict[str, Any], told: str) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UsageError, match=f"is damaged: {told}") as raised:
        certificate(*THIS)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
def test_a_file_that_is_none_is_damaged(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(UsageError, match=r"is damaged.*bench parity --published"):
        certificate(*THIS)
