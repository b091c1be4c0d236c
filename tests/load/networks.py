"""The network that `tests/faults` tells colours with; its clips have optical flow too, which it ignores."""

from dataclasses import replace

from actionbench.tests.faults.networks import WEIGHTS, steady

FLOW = replace(WEIGHTS, stream="flow", preprocessing=replace(WEIGHTS.preprocessing, modality="flow"))


def flowing():
    return replace(steady(), name="flowing", streams={"rgb": WEIGHTS, "flow": FLOW})
