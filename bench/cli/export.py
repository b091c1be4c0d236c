"""`bench export`: a network as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...plain_text import plain_line
from ..plan.config import SETTINGS, from_mapping
from .settings import given_settings, with_settings

_SETTINGS = {name: SETTINGS[name] for name in ("weights", "threads", "python", "calibration", "clip_timeout")}


@with_settings(of=_SETTINGS)
def export(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A result of `bench finetune`, or a network that `bench models` lists; @onnx or @openvino, "
            "and @openvino:int8, may follow."
        ),
    ],
    out: Annotated[Path, typer.Option(help="New file (.onnx, .xml), or a folder for one file a stream.")],
) -> None:
    """Write a network as ONNX or OpenVINO files, and check that they compute what the network does."""
    from ...models.parity import TOLERANCE
    from ..console.progress import Console
    from ..export.export import export as write
    from ..predict import caveat

    config = from_mapping({"models": (model,), **given_settings(context, _SETTINGS)}, "command line")
    exported = write(config, out, Console())
    if (warning := caveat(exported.weights.values())) is not None:
        print(warning)
    for shape, agreement in exported.agreements.items():
        print(f"input {shape}: largest |Δ logit| from {exported.reference} {agreement.max_abs:.1e}")
    limit = "no limit is known for int8" if exported.precision == "int8" else f"limit {TOLERANCE:g}"
    for path in exported.files:
        print(f"{plain_line(str(path))}: checked from disk ({limit})")
