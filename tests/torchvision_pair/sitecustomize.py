"""Lets torchvision's networks be imported beside a torch that its wheel was not built for; for tests only.

The wheel on the package index is built for CUDA. Beside a torch without CUDA its extension cannot be loaded,
and its import ends at operators that the extension would have declared. The video networks use none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_kept: list[Any] = []


class _DeclaresOperators(MetaPathFinder):
    """Finds nothing, but declares the operators before torchvision is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torchvision":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.submodule_search_locations:
            import torch

            (extension,) = Path(spec.submodule_search_locations[0]).glob("_C*.so")
            try:
                torch.ops.load_library(extension)  # type: ignore[no-untyped-call]
            except OSError:
                library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
                for operator in _OPERATORS:
                    library.define(operator)  # type: ignore[no-untyped-call]
                _kept.append(library)
        return None


sys.meta_path.insert(0, _DeclaresOperators())
