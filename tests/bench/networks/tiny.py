"""A network that needs no framework: it tells classes by the mean colour of the middle frame.

`fragile` is the same, and dies, hangs or runs out of memory on clips of certain colours.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import numpy as np

from actionbench.models.spec import Model, Preprocessing, PublishedFigures, Views, WeightsDescription

PIXELS = Preprocessing(
    modality="rgb",
    rate=None,
    short_side=16,
    resize="opencv-bilinear",
    long_side="round",
    crop=16,
    crop_offset="floor",
    scale=1 / 255,
)
VIEWS = Views(window=4, stride=4, tail="loop", average="softmax", min_frames=1)
WEIGHTS = WeightsDescription(
    name="tiny",
    stream="rgb",
    format="colours",
    preprocessing=PIXELS,
    views=VIEWS,
    labels="kinetics-400",
    licence="ours",
    source="here",
)


def colour_of(index):
    """The colour (3,) in 0–1 that stands for class `index`: a grid of 8×8×8, in steps of 1/8 + 1/16."""
    return np.array([index // 64, index // 8 % 8, index % 8]) / 8 + 1 / 16


class Tiny:
    """A `Network` in NumPy."""

    classes = 400
    concurrent = True

    def __init__(self, fragile):
        self.fragile = fragile
        self.colours = np.stack([colour_of(i) for i in range(self.classes)])

    def upload(self, inputs):
        return inputs["rgb"]

    def forward(self, inputs):
        colours = inputs.mean(axis=(1, 2, 3))
        if self.fragile:
            self._break(colours[0])
        return -200 * ((colours[:, None] - self.colours[None]) ** 2).sum(-1)

    def _break(self, colour):
        nearest = int(((self.colours - colour) ** 2).sum(1).argmin())
        if nearest == 1:
            os.abort()
        if nearest == 2:
            time.sleep(600)
        if nearest == 3:
            raise MemoryError

    def download(self, logits):
        return logits.astype(np.float32)

    def synchronize(self):
        pass

    def describe(self):
        return {"backend": "numpy", "device": "CPU", "precision": "float32", "threads": 1, "parameters": 1200}


def load(model, weights, options):
    return Tiny(fragile=model.name == "fragile")


def tiny():
    return Model("tiny", "nearest colour", {"rgb": WEIGHTS}, {"numpy": load})


def fragile():
    return replace(tiny(), name="fragile")


def broken():
    def fail(model, weights, options):
        raise ValueError("this network does not load")

    return replace(tiny(), name="broken", backends={"numpy": fail})


class Odd(Tiny):
    """Gives what `change` makes of the right logits."""

    def __init__(self, change):
        super().__init__(fragile=False)
        self.change = change

    def forward(self, inputs):
        return self.change(super().forward(inputs))


def odd(name, change):
    return replace(tiny(), name=name, backends={"numpy": lambda model, weights, options: Odd(change)})


def nan():
    return odd("nan", lambda logits: logits * np.nan)


def slow():
    """Takes a tenth of a second to answer."""

    def pause(logits):
        time.sleep(0.1)
        return logits

    return odd("slow", pause)


def few():
    return odd("few", lambda logits: logits[:, :7])


def raises():
    return odd("raises", lambda logits: 1 / 0)


class Lethal(Tiny):
    """Kills what started its worker, on clips of class 1: on a cluster that is an actor."""

    def forward(self, inputs):
        logits = super().forward(inputs)
        if logits[0].argmax() == 1:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        return logits


def lethal():
    backends = {"numpy": lambda model, weights, options: Lethal(fragile=False)}
    return replace(tiny(), name="lethal", backends=backends)


def lethal_to_load():
    """Kills what started its worker while it loads: on a cluster that is an actor."""

    def kill(model, weights, options):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)

    return replace(tiny(), name="lethal_to_load", backends={"numpy": kill})


def leaves_a_child():
    def load_and_fork(model, weights, options):
        subprocess.Popen(["sleep", "60"])
        return Tiny(fragile=False)

    return replace(tiny(), name="leaves_a_child", backends={"numpy": load_and_fork})


def two():
    wrong = odd("two", lambda logits: logits + 0.01).backends["numpy"]
    return replace(tiny(), name="two", backends={"right": load, "wrong": wrong})


def half():
    return replace(two(), name="half", backends={"right": load, "bad": broken().backends["numpy"]})


def always():
    """Takes every clip for class 10."""
    return odd("always", lambda logits: 0 * logits + 9 * np.eye(400)[10])


class Vanishing(Tiny):
    """Removes the folder that the environment variable TINY_VANISHES names, in its 9th forward pass."""

    def __init__(self):
        super().__init__(fragile=False)
        self.left = 9

    def forward(self, inputs):
        self.left -= 1
        if self.left == 0 and "TINY_VANISHES" in os.environ:
            shutil.rmtree(os.environ["TINY_VANISHES"])
        return super().forward(inputs)


def vanishing():
    backends = {"numpy": lambda model, weights, options: Vanishing()}
    return replace(tiny(), name="vanishing", backends=backends)


def precise():
    """Answers in float16 are a little off."""

    def load_in(model, weights, options):
        if options.precision == "fp32":
            return Tiny(fragile=False)
        return Odd(lambda logits: logits * (1 + 0.004 * np.cos(np.arange(logits.shape[1]))))

    backends = {"numpy": load_in}
    return replace(tiny(), name="precise", backends=backends, precisions={"numpy": ("fp32", "fp16")})


FIGURES = PublishedFigures(90.0, None, "Kinetics-400 validation set", "a page")


def reported(name, **changes):
    """With what a publisher reports: the network is always right on videos of one colour."""
    return replace(tiny(), name=name, streams={"rgb": replace(WEIGHTS, **changes)})


def reached():
    return reported("reached", figures=FIGURES)


def missed():
    return reported("missed", figures=replace(FIGURES, top1=50.0))


def in_words():
    return reported("in_words", accuracy="78.4 mean of top-1 and top-5")


def two_streams():
    described = replace(WEIGHTS, figures=FIGURES)
    return replace(
        tiny(), name="two_streams", streams={"rgb": described, "flow": replace(described, stream="flow")}
    )
