"""Logits of several variants of a network; a file of its own, for other processes to run too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from actionbench.models import parity
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Weights

REFERENCE = "torch:fp32:plain"


def answers(name: str, selections: str, cases: str, half: bool) -> dict[str, Any]:
    """Logits of random weights by "selection case", and each selection's precision and parameters.

    - `selections`, `cases`: separated by commas.
    - `half`: also the reference's logits with weights and input rounded to bfloat16, by "rounded case".
    """
    found = {}
    for selection in selections.split(","):
        request = find_model(f"{name}@{selection}")
        weights = {stream: Weights("random", each, seed=5) for stream, each in request.model.streams.items()}
        network = load_network(request, weights, LoadOptions(threads=1))
        for case in cases.split(","):
            inputs = parity.parity_inputs(request.model, *map(int, case.split("x")))
            found[f"{selection} {case}"] = network.download(network.forward(network.upload(inputs)))
            if selection == REFERENCE and half:
                rounded = parity.rounded(inputs, "bf16")
                assert rounded is not None
                bits = parity.mantissa("bf16")
                coarse = {stream: replace(each, mantissa=bits) for stream, each in weights.items()}
                yardstick = load_network(request, coarse, LoadOptions(threads=1))
                logits = yardstick.download(yardstick.forward(yardstick.upload(rounded)))
                found[f"rounded {case}"] = logits
        network.synchronize()
        facts = network.describe()
        found[f"{selection} precision"] = np.array(facts["precision"])
        found[f"{selection} parameters"] = np.array(facts["parameters"])
    return found
