"""Networks: by colour; by optical flow; one that the kernel kills on a clip, always or once.

The environment variable FAULTS_ONCE names a file: where it exists, nothing is killed any more.
"""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np

from actionbench.models.spec import Model, Preprocessing, Views, WeightsDescription

WEIGHTS = WeightsDescription(
    name="steady",
    stream="rgb",
    format="colours",
    preprocessing=Preprocessing(
        modality="rgb",
        rate=None,
        short_side=16,
        resize="opencv-bilinear",
        long_side="round",
        crop=16,
        crop_offset="floor",
        scale=1 / 255,
    ),
    views=Views(window=4, stride=4, tail="loop", average="softmax", min_frames=1),
    labels="kinetics-400",
    licence="ours",
    source="here",
)


FLOW = replace(WEIGHTS.preprocessing, modality="flow", short_side=32, crop=32, scale=1.0, flow_bound=20.0)


class Steady:
    """A `Network` in NumPy."""

    classes = 400
    concurrent = True

    def __init__(self, hungry):
        self.hungry = hungry
        indices = np.arange(self.classes)
        self.colours = np.stack([indices // 64, indices // 8 % 8, indices % 8], 1) / 8 + 1 / 16

    def upload(self, inputs):
        return inputs["rgb"]

    def forward(self, inputs):
        distances = ((inputs.mean(axis=(1, 2, 3))[:, None] - self.colours[None]) ** 2).sum(-1)
        if self.hungry and distances.argmin() == 30:
            self.eat()
        return -200 * distances

    def eat(self):
        once = os.environ.get("FAULTS_ONCE")
        if once is None or not Path(once).exists():
            if once is not None:
                Path(once).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def download(self, logits):
        return logits.astype(np.float32)

    def synchronize(self):
        pass

    def describe(self):
        return {"backend": "numpy", "device": "CPU", "precision": "float32", "threads": 1, "parameters": 1200}


def steady():
    return Model(
        "steady", "nearest colour", {"rgb": WEIGHTS}, {"numpy": lambda model, weights, options: Steady(False)}
    )


def hungry():
    return replace(steady(), name="hungry", backends={"numpy": lambda model, weights, options: Steady(True)})


class Moving(Steady):
    """A `Network` that takes optical flow."""

    def upload(self, inputs):
        return inputs["flow"]

    def forward(self, inputs):
        return inputs.mean(axis=(1, 2, 3, 4))[:, None] * np.linspace(-1, 1, self.classes)


def moving():
    weights = replace(WEIGHTS, name="moving", stream="flow", preprocessing=FLOW)
    backends = {"numpy": lambda model, weights, options: Moving(False)}
    return Model("moving", "mean flow", {"flow": weights}, backends)
