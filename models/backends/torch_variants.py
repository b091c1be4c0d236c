"""Variants of a forward pass that are prepared once for each shape of input: compiled, and CUDA graphs.

Neither falls back: what cannot be compiled or captured is an error.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ...errors import BackendUnavailable, MeasurementError
from ...home import home

Forward = Callable[[dict[str, torch.Tensor]], torch.Tensor]

_CACHE = "TORCHINDUCTOR_CACHE_DIR"
"""Environment variable: where torch keeps what it compiles."""

_Shapes = tuple[tuple[str, torch.dtype, tuple[int, ...], tuple[int, ...]], ...]


def _shapes(inputs: dict[str, torch.Tensor]) -> _Shapes:
    """The types, sizes and strides that a forward pass is prepared for."""
    return tuple((name, x.dtype, tuple(x.shape), x.stride()) for name, x in inputs.items())


class Compiled:
    """`forward` by torch.compile, with the weights frozen into what is compiled.

    `seconds`: of the first calls with each shape, in which it compiles. Raises BackendUnavailable if there is
    no C++ compiler, which torch needs on the CPU, or if a path that torch compiles with has a space.
    """

    _SHAPES = 32

    def __init__(self, forward: Forward) -> None:
        compilers = [os.environ.get("CXX"), "g++", "clang++"]
        if not any(shutil.which(name) for name in compilers if name):
            raise BackendUnavailable(
                "torch.compile needs a C++ compiler, and there is none",
                expected="g++ or clang++, or one named by the environment variable CXX",
                remedy="Debian: apt-get install g++. Or omit `:compiled`.",
            )
        # By default torch keeps the code that it compiles, and looks for it, in a folder of a known name in
        # /tmp, which any user of the machine can make first.
        os.environ.setdefault(_CACHE, str(home() / "torch"))
        _require_paths_without_spaces()
        self._forward = torch.compile(forward, fullgraph=True, dynamic=False)
        self._known: set[_Shapes] = set()
        self.seconds = 0.0

    def __call__(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """See `TorchNetwork.forward`."""
        shapes = _shapes(inputs)
        if shapes in self._known:
            return self._forward(inputs)
        if len(self._known) == self._SHAPES:
            raise MeasurementError(
                f"the compiled variant is compiled for each shape of input, {self._SHAPES} at most",
                remedy="`--views single` gives inputs of one shape; the tuned variant accepts any.",
            )
        begin = time.perf_counter()
        with (
            torch._inductor.config.patch(freezing=True),
            # Beyond its own limit torch would go on uncompiled.
            torch._dynamo.config.patch(recompile_limit=self._SHAPES),
        ):
            logits = self._forward(inputs)
        if logits.is_cuda:
            torch.cuda.current_stream(logits.device).synchronize()
        self.seconds += time.perf_counter() - begin
        self._known.add(shapes)
        return logits


def _require_paths_without_spaces() -> None:
    """Raise BackendUnavailable if the path of a folder that torch compiles with has a space.

    torch writes paths into the compiler's command line without quotes, which is then split as a shell would
    (torch/_inductor/cpp_builder.py in torch 2.13): the compiler gets half of the path.
    """
    environment = "Create the environment again in a folder without one"
    for folder, remedy in (
        (Path(torch.__file__).parent, environment),
        (sysconfig.get_config_var("LIBDIR"), environment),
        (tempfile.gettempdir(), "Set the environment variable TMPDIR to another folder"),
        (os.environ.get(_CACHE), f"Set {_CACHE} to another folder"),
    ):
        if len(shlex.split(f"-L{folder}")) > 1:
            raise BackendUnavailable(
                "torch.compile cannot use a folder whose path has a space",
                where=folder,
                remedy=f"{remedy}, or omit `:compiled`.",
            )


class Graphed:
    """`forward` recorded once for each shape as a CUDA graph, and replayed: one launch in place of hundreds.

    `seconds`: of warming up and recording.
    """

    _WARM = 3  # calls before a recording: libraries choose algorithms and take their memory in the first ones

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._recorded: dict[_Shapes, tuple[torch.cuda.CUDAGraph, dict[str, torch.Tensor], torch.Tensor]] = {}
        # The graphs run one after the other, so they may share their memory.
        self._pool = torch.cuda.graph_pool_handle()
        self.seconds = 0.0

    def __call__(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """See `TorchNetwork.forward`."""
        shapes = _shapes(inputs)
        if shapes not in self._recorded:
            begin = time.perf_counter()
            self._recorded[shapes] = self._record(inputs)
            self.seconds += time.perf_counter() - begin
        graph, fixed_inputs, fixed_logits = self._recorded[shapes]
        for stream, tensor in inputs.items():
            fixed_inputs[stream].copy_(tensor)
        graph.replay()
        return fixed_logits.clone()  # the next replay writes there again

    def _record(
        self, inputs: dict[str, torch.Tensor]
    ) -> tuple[torch.cuda.CUDAGraph, dict[str, torch.Tensor], torch.Tensor]:
        fixed = {stream: tensor.clone() for stream, tensor in inputs.items()}
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(self._WARM):
                self._forward(fixed)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Another thread may use the device meanwhile, for flow: what it does is not to end this recording.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            logits = self._forward(fixed)
        torch.cuda.current_stream().synchronize()
        return graph, fixed, logits
