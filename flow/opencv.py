"""OpenCV's optical-flow methods: TV-L1 of opencv-contrib, the project's reference, and two faster ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import cv2

from ..errors import BackendUnavailable, UsageError
from .method import FlowField, GreyFrame, check_pair


class OpenCVFlow:
    """A `FlowMethod` around one of OpenCV's algorithm objects.

    - `create`: makes the algorithm object. The objects keep buffers between calls and are not
      thread-safe, so each Python thread that calls the method gets its own.
    - `threads`: OpenCV's threads. The number belongs to the whole process (`cv2.setNumThreads`): making
      a method sets it, for every other use of OpenCV too, and nothing sets it back. Raises UsageError
      below 1. The flow itself does not depend on it.
    """

    def __init__(self, name: str, create: Callable[[], Any], threads: int) -> None:
        if threads < 1:
            raise UsageError("a flow method needs at least one thread", found=threads)
        cv2.setNumThreads(threads)
        self.name = name
        self._create = create
        self._local = threading.local()

    def __call__(self, previous: GreyFrame, following: GreyFrame) -> FlowField:
        check_pair(previous, following)
        flow: FlowField = self._algorithm().calc(previous, following, None)
        return flow

    def describe(self) -> dict[str, Any]:
        """Name, algorithm, cv2's version and every parameter, as read back from the algorithm object."""
        algorithm = self._algorithm()
        getters = [g for g in dir(algorithm) if g.startswith("get") and g != "getDefaultName"]
        parameters = {getter.removeprefix("get"): getattr(algorithm, getter)() for getter in getters}
        return {
            "name": self.name,
            "algorithm": type(algorithm).__name__,
            "cv2": cv2.__version__,
            "parameters": parameters,
        }

    def _algorithm(self) -> Any:
        if not hasattr(self._local, "algorithm"):
            self._local.algorithm = self._create()
        return self._local.algorithm


def dual_tvl1(threads: int = 1) -> OpenCVFlow:
    """TV-L1 with OpenCV's defaults, as I3D's flow stream was trained on.

    On 8-bit grey, which OpenCV takes as it is (float input it multiplies by 255). Zach, Pock and Bischof
    2007, as implemented by Sánchez, Meinhardt-Llopis and Facciolo, IPOL 2013. Raises BackendUnavailable where
    `cv2` is not that of opencv-contrib.
    """
    if not hasattr(cv2, "optflow"):
        raise BackendUnavailable(
            "this OpenCV has no TV-L1 (cv2.optflow is missing)",
            where=cv2.__file__,
            expected="opencv-contrib-python",
            found=f"cv2 {cv2.__version__} of another package, or several packages written over each other",
            remedy="Uninstall opencv-python, opencv-python-headless, opencv-contrib-python-headless and "
            "opencv-contrib-python, then install opencv-contrib-python alone",
        )
    return OpenCVFlow("opencv", cv2.optflow.DualTVL1OpticalFlow.create, threads)


def dis(threads: int = 1) -> OpenCVFlow:
    """Dense inverse search, OpenCV's "medium" preset (Kroeger et al. 2016, arXiv:1603.03590)."""
    preset = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    return OpenCVFlow("dis", lambda: cv2.DISOpticalFlow.create(preset), threads)


def farneback(threads: int = 1) -> OpenCVFlow:
    """Polynomial expansion with OpenCV's defaults (Farnebäck 2003, DOI 10.1007/3-540-45103-X_50).

    Fast, but no substitute for what I3D was trained on: its authors found that it breaks the model
    (google-deepmind/kinetics-i3d#107).
    """
    return OpenCVFlow("farneback", cv2.FarnebackOpticalFlow.create, threads)
