"""Small videos whose frames carry their own number, in any container and timing; a decoder that fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

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


FAKE = """
import os, signal, sys, time
from actionbench.datasets import decoder_pool
real = decoder_pool.work_of
def work_of(task, target=None):
    def work(clip):
        print("noise")
        os.write(2, b"more noise")
        if clip.id == "hangs":
            time.sleep(1000)
        if clip.id == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        return real(task, target)(clip)
    return work
decoder_pool.work_of = work_of
replies = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
decoder_pool.serve(sys.stdin.buffer, replies)
"""


@pytest.fixture
def bad_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children whose decoder hangs or crashes on clips with these names."""
    real = subprocess.Popen

    def popen(_: object, **options: Any) -> subprocess.Popen[bytes]:
        return real([sys.executable, "-c", FAKE], **options)

    monkeypatch.setattr("actionbench.child_process.subprocess.Popen", popen)
