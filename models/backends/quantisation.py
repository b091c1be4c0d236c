"""Networks quantised to 8-bit integers after training, by NNCF, and kept as OpenVINO's files.

NNCF imports torch and takes its time: quantise in a process of its own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import no_telemetry  # noqa: F401  # isort: skip  # before OpenVINO and NNCF

import nncf
import openvino

from ...atomic import write_file
from ..spec import InputArray


def quantise(graph: bytes, clips: Sequence[InputArray], path: Path, note: str) -> None:
    """Write a network with int8 convolutions.

    - `graph`: the network (`onnx_graphs`).
    - `clips`: (1, T, H, W, C) float32 each, from which the ranges of activations are taken.
    - `path`: the .xml file; a .bin and a .json file are written in the same folder. It is written last.
    - `note`: text that describes the clips, for the record.
    """
    quantised = nncf.quantize(
        openvino.Core().read_model(graph),
        nncf.Dataset(clips, lambda clip: {0: clip}),
        subset_size=len(clips),
    )
    how = {"quantised": f"NNCF {nncf.__version__}, ranges from {note}"}
    with tempfile.TemporaryDirectory() as folder:
        # OpenVINO takes a path, and writes the .bin file beside it.
        made = Path(folder, "network.xml")
        openvino.save_model(quantised, made, compress_to_fp16=False)
        write_file(path.with_suffix(".json"), json.dumps(how))
        for ending in (".bin", ".xml"):
            write_file(path.with_suffix(ending), made.with_suffix(ending).read_bytes())
