"""Small videos whose frames carry their own number, in any container and timing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MakeVideo = Callable[..., Path]


@pytest.fixture(scope="session")
def make_video() -> MakeVideo:
    def make(
        path: Path,
        frames: Sequence[np.ndarray] | int,
        rate: Fraction | int = 25,
        *,
        pts: Sequence[int] | None = None,
        time_base: Fraction | None = None,
        codec: str | None = None,
        pix_fmt: str | None = None,
        aspect: Fraction | None = None,
        options: dict[str, str] | None = None,
        matrix: Sequence[int] | None = None,
    ) -> Path:
        """Encode, without loss unless told; frame k appears at pts[k] · time_base, by default at k / rate.

        A number of frames stands for grey ones of 32×24 pixels, frame k with the value 3 k.
        """
        rate = Fraction(rate)
        lossless = ("png", "rgb24") if path.suffix == ".mov" else ("ffv1", "bgr0")
        if isinstance(frames, int):
            frames = [np.full((24, 32, 3), 3 * k, np.uint8) for k in range(frames)]
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec or lossless[0], rate=rate, options=options or {})
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = pix_fmt or lossless[1]
            stream.codec_context.time_base = time_base or 1 / rate
            stream.time_base = time_base or 1 / rate
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            if matrix is not None:
                stream.set_display_matrix(matrix)
            for k, pixels in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.time_base = time_base or 1 / rate
                frame.pts = k if pts is None else pts[k]
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
