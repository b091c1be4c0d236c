"""How a network is described: its inputs, its weights, how it scores a video, and what a backend provides.

Descriptions only: nothing here imports a framework. A backend turns a `Model` and its weights into a
`Network` that computes.
"""

from .model import DemoWeights, InputSizes, Loader, Model, OnnxGraph, PublishedExample, Trainable
from .network import (
    ConcurrentNetwork,
    FloatArray,
    InputArray,
    LoadOptions,
    Network,
    PixelNetwork,
    TorchDeviceNetwork,
)
from .pixels import MOST_FRAMES_PER_S, Channels, Colour, Filter, Modality, Offset, Preprocessing, Rounding
from .views import MOST_CLIPS, Average, Crops, Tail, Views
from .weights import PublishedFigures, Weights, WeightsDescription

__all__ = [
    "MOST_CLIPS",
    "MOST_FRAMES_PER_S",
    "Average",
    "Channels",
    "Colour",
    "ConcurrentNetwork",
    "Crops",
    "DemoWeights",
    "Filter",
    "FloatArray",
    "InputArray",
    "InputSizes",
    "LoadOptions",
    "Loader",
    "Modality",
    "Model",
    "Network",
    "Offset",
    "OnnxGraph",
    "PixelNetwork",
    "Preprocessing",
    "PublishedExample",
    "PublishedFigures",
    "Rounding",
    "Tail",
    "TorchDeviceNetwork",
    "Trainable",
    "Views",
    "Weights",
    "WeightsDescription",
]
