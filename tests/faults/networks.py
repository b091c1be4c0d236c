"""Networks: by colour; by optical flow; one that the kernel kills on a clip, always or once.

The environment variable FAULTS_ONCE names a file: where it exists, nothing is killed any more.
"""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np

from actionbench.tests.bench.networks import tiny

WEIGHTS = replace(tiny.WEIGHTS, name="steady")

FLOW = replace(WEIGHTS.preprocessing, modality="flow", short_side=32, crop=32, scale=1.0, flow_bound=20.0)


def steady():
    return replace(tiny.tiny(), name="steady", streams={"rgb": WEIGHTS})


class Hungry(tiny.Tiny):
    """Is killed on clips of class 30."""

    def forward(self, inputs):
        logits = super().forward(inputs)
        once = os.environ.get("FAULTS_ONCE")
        if logits[0].argmax() == 30 and (once is None or not Path(once).exists()):
            if once is not None:
                Path(once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return logits


def hungry():
    backends = {"numpy": lambda model, weights, options: Hungry(fragile=False)}
    return replace(steady(), name="hungry", backends=backends)


class Moving(tiny.Tiny):
    """A `Network` that takes optical flow."""

    def upload(self, inputs):
        return inputs["flow"]

    def forward(self, inputs):
        return inputs.mean(axis=(1, 2, 3, 4))[:, None] * np.linspace(-1, 1, self.classes)


def moving():
    weights = replace(WEIGHTS, name="moving", stream="flow", preprocessing=FLOW)
    backends = {"numpy": lambda model, weights, options: Moving(fragile=False)}
    return replace(tiny.tiny(), name="moving", streams={"flow": weights}, backends=backends)
