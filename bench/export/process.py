"""The child processes of `bench export`: one writes the files, a fresh one computes what they give.

A task is a pickle on the standard input of `PYTHON -m actionbench.bench.export.process`, from its own parent.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ActionBenchError, MeasurementError
from ...models.spec import Weights


@dataclass(frozen=True, slots=True)
class WriteTask:
    """Write each stream of a network as a file.

    - `request`: names the network. `weights`: stream → its weights.
    - `quantised`: stream → OpenVINO's file of its network in int8; empty for float32.
    - `facts`: stream → (name → text), what the file says of itself. `files`: stream → the file.
    """

    request: str
    weights: Mapping[str, Weights]
    quantised: Mapping[str, Path]
    facts: Mapping[str, Mapping[str, str]]
    files: Mapping[str, Path]

    def run(self) -> None:
        """Write them. Raises as `stream_graph` does."""
        from ...models.backends.onnx_graphs import stream_graph, stream_pixels
        from ...models.registry import find_model, keep_importable

        request = find_model(self.request)
        keep_importable(request)
        for stream, path in self.files.items():
            weights = self.weights[stream]
            network = self.quantised.get(stream) or stream_graph(request.model, weights)
            _files(path).write(network, stream_pixels(weights), self.facts[stream], path)


@dataclass(frozen=True, slots=True)
class ComputeTask:
    """Compute what files give, each loaded from disk, and read what they say of themselves.

    - `files`: stream → the file; logits of several are added. `facts`: as in `WriteTask`.
    - `arrays`: pairs of a file with input, .npz of stream → (N, T, H, W, C) uint8 or float32, and the .npy
      file that its logits are written to.
    """

    files: Mapping[str, Path]
    facts: Mapping[str, Mapping[str, str]]
    arrays: tuple[tuple[Path, Path], ...]
    threads: int

    def run(self) -> None:
        """Write the logits of each file of input. Raises MeasurementError if facts have changed in a file."""
        for stream, path in self.files.items():
            if (found := _files(path).read_facts(path)) != self.facts[stream]:
                differ = [name for name, text in self.facts[stream].items() if found.get(name) != text]
                raise MeasurementError(
                    "does not say of itself what was written", where=path.name, found=", ".join(differ)
                )
        for source, destination in self.arrays:
            with np.load(source, allow_pickle=False) as inputs:
                logits = [
                    _files(path).compute(path, inputs[stream], self.threads)
                    for stream, path in self.files.items()
                ]
            np.save(destination, np.sum(logits, axis=0), allow_pickle=False)


def _files(path: Path) -> Any:
    """The module that writes and computes files with this ending; each imports its runtime."""
    if path.suffix == ".onnx":
        from ...models.backends import onnx_files

        return onnx_files
    from ...models.backends import openvino_files

    return openvino_files


def main() -> None:
    task: WriteTask | ComputeTask = pickle.load(sys.stdin.buffer)
    try:
        task.run()
    except ActionBenchError as error:
        # The parent shows the last lines of what is printed here.
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
