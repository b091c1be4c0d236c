"""`bench weights`: names that cannot be fetched or verified."""

from __future__ import annotations

import pytest

from ..conftest import Bench


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_an_unknown_network_of_a_family_lists_those_of_the_family(bench: Bench, command: str) -> None:
    done = bench("weights", command, "tv:r3d_81")
    assert done.returncode == 2
    says = done.stderr
    assert "unknown set of weights 'tv:r3d_81'. Did you mean: tv:r3d_18" in says
    assert "Known: tv:mc3_18, " in says
    assert "tv:swin3d_t" in says
    assert "hara" not in says
    done = bench("weights", command, "hara")
    assert done.returncode == 2
    assert "Known: deepmind-" in done.stderr


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_an_onnx_file_is_not_fetched(bench: Bench, command: str) -> None:
    done = bench("weights", command, "hara-resnet-18", "onnx:net.onnx")
    assert (done.returncode, done.stdout) == (2, "")
    assert "onnx:net.onnx: is a file of yours with its weights in it" in done.stderr
    assert "`bench run --models onnx:net.onnx`" in done.stderr
