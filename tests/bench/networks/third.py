"""A network that declares all that a network can: it tells classes by the mean colour of a clip.

It lies in one file, with a published example and its weights beside it where a test has written them.
"""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from actionbench.models.spec import (
    DemoWeights,
    Model,
    Preprocessing,
    PublishedExample,
    Views,
    WeightsDescription,
)

FOLDER = Path(__file__).parent
PIXELS = Preprocessing(
    modality="rgb",
    rate=Fraction(25),
    short_side=16,
    resize="opencv-bilinear",
    long_side="round",
    crop=16,
    crop_offset="floor",
    scale=1 / 255,
)
CLASSES = ("abseiling", "air drumming", "answering questions", "a class that nobody drew")
VIEWS = Views(window=4, stride=4, tail="loop", average="softmax", min_frames=1)
WEIGHTS = WeightsDescription("third", "rgb", "npz", PIXELS, VIEWS, CLASSES, licence="ours", source="here")


def tensors(weights):
    """Weight (classes, 3) and bias (classes,), float32."""
    if weights.path is None:
        rng = np.random.default_rng(weights.seed)
        return rng.normal(size=(len(CLASSES), 3)).astype(np.float32), np.zeros(len(CLASSES), np.float32)
    with np.load(weights.path) as file:
        return file["weight"], file["bias"]


class Third:
    """A `Network` in NumPy."""

    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def upload(self, inputs):
        return inputs["rgb"]

    def forward(self, inputs):
        return inputs.mean(axis=(1, 2, 3)) @ self.weight.T + self.bias

    def download(self, logits):
        return logits.astype(np.float32)

    def synchronize(self):
        pass

    def describe(self):
        return {"backend": "numpy", "device": "CPU", "precision": "float32", "threads": 1}


def load(model, weights, options):
    return Third(*tensors(weights["rgb"]))


def onnx_graph(weights, wide):
    from onnx import TensorProto

    from actionbench.models.backends.onnx_graphs import INPUT, Graph

    graph = Graph(TensorProto.FLOAT, 3)
    return graph.with_logits(graph.channels_first(INPUT), *tensors(weights))


def random_network(description, classes, seed):
    import torch

    from actionbench.models.demo import RandomNetwork

    torch.manual_seed(seed)
    head = torch.nn.Linear(3, classes)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head

        def features(self, x):
            return x.mean((2, 3, 4))

        def forward(self, x):
            return self.head(self.features(x))

    def save(path):
        np.savez(path, weight=head.weight.detach().numpy(), bias=head.bias.detach().numpy())

    net = Net().eval()
    return RandomNetwork(net, net.features, head, save)


def published():
    values = json.loads((FOLDER / "published.json").read_text())
    return PublishedExample(
        samples=str(FOLDER),
        files={"rgb": "sample.npy"},
        weights={"rgb": str(FOLDER / "third.npz")},
        frames=5,
        norm=values["norm"],
        top=tuple((name, value) for name, value in values["top"]),
    )


def third():
    return Model(
        "third",
        "mean colour",
        {"rgb": WEIGHTS},
        {
            "numpy": load,
            "onnx": "actionbench.models.backends.onnx_network:load",
            "openvino": "actionbench.models.backends.openvino_network:load",
        },
        parameters=lambda stream, classes: 4 * classes,
        onnx=onnx_graph,
        demo={"rgb": DemoWeights("third", "third.npz", random_network)},
        published=published() if (FOLDER / "published.json").exists() else None,
    )


def without():
    """The same network, which declares nothing."""
    backends = {"numpy": load, "onnx": third().backends["onnx"]}
    return Model("without", "mean colour", {"rgb": WEIGHTS}, backends)


def astray():
    """The same network with a graph whose last layer is one percent off."""

    def graph(weights, wide):
        from onnx import TensorProto

        from actionbench.models.backends.onnx_graphs import Graph

        weight, bias = tensors(weights)
        made = Graph(TensorProto.FLOAT, 3)
        return made.with_logits(made.channels_first("input"), 1.01 * weight, bias)

    return replace(third(), name="astray", onnx=graph)
