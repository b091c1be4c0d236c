"""A detector of persons in an ONNX file, computed by OpenVINO or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...errors import WeightsError
from .detector import Boxes, Detector, FloatArray, Frame, suppressed
from .graph import DetectorGraph, read_graph

LEAST, OVERLAP = 0.3, 0.45
"""Lowest score, and largest overlap of two persons: those of YOLOX's demo (tools/demo.py, `--score_thr`;
yolox/utils/demo_utils.py, `nms_thr`)."""

GREY = 114
"""Value of the pixels around a letterboxed picture (yolox/data/data_augment.py, `preproc`)."""

Compute = Callable[[FloatArray], list[npt.NDArray[Any]]]
"""From the input (1, 3, H, W) float32 to the outputs, in the order of `DetectorGraph.outputs`."""

ENGINES = {"openvino": "openvino_engine", "onnx": "onnxruntime_engine"}
"""Backend that computes it → module with `engine`; the first one that is installed is used."""


class OnnxDetector:
    """The detector of `graph`, computed by `compute`. `where`: its file, for errors."""

    def __init__(self, graph: DetectorGraph, compute: Compute, engine: str, where: Path) -> None:
        self._graph, self._compute, self._engine, self._where = graph, compute, engine, where

    def detect(self, frame: Frame) -> Boxes:
        """See `Detector.detect`. Scores are 0–1. Raises WeightsError for output that is none of its form."""
        graph = self._graph
        picture, scale = _placed(frame, graph.size, graph.form.letterboxed)
        outputs = self._compute(self._input(picture))
        if not all(np.isfinite(array).all() for array in outputs):
            raise WeightsError("gives numbers that are not finite", where=self._where)
        try:
            corners, scores = graph.form.found(outputs, graph.size, graph.description)
        except WeightsError as error:
            raise WeightsError(
                error.what, where=self._where, expected=error.expected, found=error.found
            ) from error
        corners = (corners / np.array([*scale, *scale])).astype(np.float32)
        return suppressed(corners, scores, frame, LEAST, OVERLAP)

    def _input(self, picture: Frame) -> FloatArray:
        how = self._graph.description
        ordered = picture[..., ::-1] if how.colour == "bgr" else picture
        mean, std = np.asarray(how.mean, np.float32), np.asarray(how.std, np.float32)
        values = (ordered.astype(np.float32) * np.float32(how.scale) - mean) / std
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])

    def describe(self) -> dict[str, Any]:
        """See `Detector.describe`."""
        return {"detector": "onnx", "engine": self._engine, **self._graph.description.plain()}


def _placed(frame: Frame, size: tuple[int, int], letterboxed: bool) -> tuple[Frame, tuple[float, float]]:
    """The frame as a picture of `size` (height, width), and by what its x and y are multiplied in it."""
    height, width = frame.shape[:2]
    if not letterboxed:
        resized = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8), (size[1] / width, size[0] / height)
    ratio = min(size[0] / height, size[1] / width)
    inner = max(1, int(width * ratio)), max(1, int(height * ratio))
    picture = np.full((*size, 3), GREY, np.uint8)
    picture[: inner[1], : inner[0]] = cv2.resize(frame, inner, interpolation=cv2.INTER_LINEAR)
    return picture, (ratio, ratio)


def onnx(file: Path, engine: str, threads: int, at_once: int) -> Detector:
    """An ONNX file with the outputs of YOLOX or SSD, computed by OpenVINO or ONNX Runtime on the CPU."""
    graph = read_graph(file)
    module = import_module(f"{__package__}.{ENGINES[engine]}")
    try:
        compute: Compute = module.engine(graph, threads, at_once)
    except Exception as error:  # each engine has its own classes
        raise WeightsError(f"cannot be loaded by {engine}", where=file, found=error) from error
    return OnnxDetector(graph, compute, engine, file)
