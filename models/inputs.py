"""What every backend checks of its inputs and its device before it computes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import replace

from ..errors import ClipError, UsageError
from .spec import InputArray, Model


def check_inputs(
    model: Model, inputs: Mapping[str, InputArray], uint8_streams: Set[str] = frozenset()
) -> None:
    """Raise an error unless `inputs` are what `Network.upload` takes for `model`.

    - `model`: the network with its `details`.
    - `inputs`: stream → (N, T, H, W, C).
    - `uint8_streams`: streams that may be uint8 pixels (`PixelNetwork`).

    Raises UsageError for wrong streams, types or ranks, ClipError for a view that is too short or too small,
    or not of the one size that the network takes.
    """
    if inputs.keys() != model.streams.keys():
        raise UsageError(
            "wrong streams", where=model.name, expected=sorted(model.streams), found=sorted(inputs)
        )
    min_side = int(model.details.get("min_side", 1))
    for stream, array in inputs.items():
        where = f"{model.name}, stream {stream}"
        channels = model.streams[stream].preprocessing.channels
        taken = ("float32", "uint8") if stream in uint8_streams else ("float32",)
        # A tensor that is on the device already names its type otherwise.
        dtype = str(array.dtype).removeprefix("torch.")
        if dtype not in taken or array.ndim != 5 or array.shape[-1] != channels:
            raise UsageError(
                "wrong input",
                where=where,
                expected=f"{' or '.join(taken)} (N, T, H, W, {channels})",
                found=f"{array.dtype} {array.shape}",
            )
        batch, frames, height, width, _ = array.shape
        fitted = replace(model.sizes, batch=None).fitted((frames, height, width, batch))
        if fitted != (frames, height, width, batch):
            raise ClipError(
                "another size than the network takes",
                where=where,
                expected="{}×{}×{}".format(*fitted),
                found=f"{frames}×{height}×{width} (frames×height×width)",
            )
        if frames < model.views.min_frames:
            raise ClipError("too few frames", where=where, expected=model.views.min_frames, found=frames)
        if min(height, width) < min_side:
            raise ClipError(
                "frames too small",
                where=where,
                expected=f"{min_side} pixels or more",
                found=f"{height}×{width}",
            )


def gpu_index(device: str) -> int | None:
    """N of "cuda:N", None of "cpu". Raises UsageError for anything else."""
    if device == "cpu":
        return None
    match = re.fullmatch(r"cuda:(\d+)", device)
    if match is None:
        raise UsageError("unknown device", where="--device", expected="cpu or cuda:N", found=device)
    return int(match[1])
