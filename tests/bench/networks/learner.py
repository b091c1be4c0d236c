"""A small network in torch that can be trained: two convolutions with batch norm, and a linear layer."""

from dataclasses import replace
from fractions import Fraction

from actionbench.models.spec import Model, Preprocessing, Views, WeightsDescription

PIXELS = Preprocessing(
    modality="rgb",
    rate=Fraction(25),
    short_side=32,
    resize="opencv-bilinear",
    long_side="round",
    crop=24,
    crop_offset="floor",
    scale=1 / 127.5,
    mean=(1.0, 1.0, 1.0),
)
CLASSES = ("abseiling", "air drumming")
VIEWS = Views(window=4, stride=4, tail="loop", average="softmax", min_frames=1)
WEIGHTS = WeightsDescription("learner", "rgb", "own", PIXELS, VIEWS, CLASSES, licence="ours", source="here")


def network(weights, classes, seed):
    import torch
    from safetensors.torch import load_file
    from torch import nn

    from actionbench.models.finetuning.trainable import with_classes

    class Block(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.conv = nn.Conv3d(inputs, outputs, 3, 2, 1, bias=False)
            self.norm = nn.BatchNorm3d(outputs)

        def forward(self, x):
            return torch.relu(self.norm(self.conv(x)))

    class Learner(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.first, self.second = Block(3, 8), Block(8, 16)
            self.head = nn.Linear(16, classes)

        def features(self, x):
            return self.second(self.first(x)).mean((2, 3, 4))

        def forward(self, x):
            return self.head(self.features(x))

        def front(self, x, trained):
            return self.first(x) if trained == 1 else x

        def back(self, x, trained):
            x = self.second(x) if trained == 1 else self.second(self.first(x))
            return self.head(x.mean((2, 3, 4)))

        def blocks(self):
            return [("first", self.first), ("second", self.second)]

    if weights is None or weights.path is None:
        return Learner(classes)
    tensors = load_file(weights.path)
    net = Learner(len(tensors["head.bias"]))
    net.load_state_dict(tensors, strict=False)
    net.head = with_classes(net.head, classes, seed)
    return net


def load(model, weights, options):
    import torch

    from actionbench.models.backends.torch_network import TorchNetwork
    from actionbench.models.labels import labels

    torch.manual_seed(weights["rgb"].seed)
    net = network(weights["rgb"], len(labels(weights["rgb"].description.labels)), 0)
    return TorchNetwork(model, {"rgb": net}, options, weights=weights)


def learner():
    return Model("learner", "two convolutions", {"rgb": WEIGHTS}, {"torch": load}, trainable=network)


def untrainable():
    return Model("untrainable", "two convolutions", {"rgb": WEIGHTS}, {"torch": load})


def patient():
    weights = replace(WEIGHTS, views=replace(VIEWS, min_frames=3))
    return replace(learner(), streams={"rgb": weights})
