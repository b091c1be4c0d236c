"""Pictures of a video file or of a stream, through PyAV (FFmpeg)."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av

from ...datasets.video.opening import FORMATS, open_container, stated_rate, video_stream
from ...datasets.video.pictures import Converter
from ...errors import ClipError
from ..frame import FALLBACK_FPS
from .picture import Picture, SourceLost
from .source import PROTOCOLS, Source

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
"""Seconds without data after which a stream counts as lost."""

STREAM_FORMATS = f"{FORMATS},rtsp,mpjpeg"
"""No playlists (HLS, DASH): they make FFmpeg open further addresses."""

_STREAM_OPTIONS = {
    # Packets are not lost on the way, and a firewall need not let UDP through.
    "rtsp_transport": "tcp",
    # By default FFmpeg looks at up to 5 seconds of a stream before it gives the first packet.
    "analyzeduration": "1000000",
}


def read_video(source: Source, damaged: Callable[[], None]) -> Iterator[Picture]:
    """The pictures of a file or a stream, in presentation order; it is closed at the end.

    - `damaged`: is called for each packet that is incomplete, or does not decode without errors.

    Ends at the end of the source. Raises SourceLost if it cannot be opened, holds no video, or if no data
    comes for READ_TIMEOUT_S seconds.
    """
    try:
        container = _open(source)
    except ClipError as error:
        raise SourceLost(_reason(error)) from None
    with container:
        try:
            stream = video_stream(container, source.public, threads=1)
            yield from _pictures(container, stream, source, damaged)
        except ClipError as error:
            raise SourceLost(_reason(error)) from None


def _open(source: Source) -> av.container.InputContainer:
    if source.kind == "file":
        return open_container(f"file:{source.address}", source.public, {"protocol_whitelist": "file"})
    scheme, _, _ = source.address.partition("://")
    options = {**_STREAM_OPTIONS, "protocol_whitelist": PROTOCOLS[scheme]}
    if scheme == "https":
        # FFmpeg checks no certificate of itself, and the address may hold a password.
        options["tls_verify"] = "1"
        if (authorities := _authorities()) is not None:
            options["ca_file"] = str(authorities)
    return open_container(
        source.address, source.public, options, STREAM_FORMATS, (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    )


def _authorities() -> Path | None:
    """File of the authorities whose certificates Python trusts, which SSL_CERT_FILE may name; None: FFmpeg's.

    On Debian and Ubuntu, Python knows only a folder of certificates, which FFmpeg does not read; a file of
    all of them lies in it.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return Path(paths.cafile)
    if paths.capath and (bundle := Path(paths.capath, "ca-certificates.crt")).is_file():
        return bundle
    return None


def _reason(error: ClipError) -> str:
    """Without the remedies of a file, and with what FFmpeg calls an interrupt in other words."""
    found = "no answer in time" if error.found == "Immediate exit requested" else error.found
    return error.what if found is None else f"{error.what}: {found}"


def _pictures(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    source: Source,
    damaged: Callable[[], None],
) -> Iterator[Picture]:
    # AVI stores decoding times only (`datasets.video.container`).
    keeps_no_pts = container.format.name == "avi"
    step_s = float(1 / (stated_rate(stream) or FALLBACK_FPS))
    convert: Converter | None = None
    before_s = 0.0  # decoding of packets that gave no picture yet
    for packet in _packets(container, stream, source, damaged):
        begin = time.perf_counter()
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged()
            continue
        if packet.is_corrupt or any(frame.is_corrupt for frame in frames):
            damaged()
        for frame in frames:
            if convert is None or convert.coded != (frame.width, frame.height):
                # A stream may change its size at any time.
                convert = Converter(source.public, stream.sample_aspect_ratio, 1, [])
            pixels = convert(frame)
            ticks = frame.dts if keeps_no_pts or frame.pts is None else frame.pts
            tick = frame.time_base or stream.time_base
            stamp_s = None if ticks is None or tick is None else float(ticks * tick)
            decode_s = before_s + time.perf_counter() - begin
            yield Picture(pixels, stamp_s, step_s, decode_s)
            before_s, begin = 0.0, time.perf_counter()
        before_s += time.perf_counter() - begin


def _packets(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    source: Source,
    damaged: Callable[[], None],
) -> Iterator[av.Packet]:
    """The stream's packets, the last one empty: it makes the decoder give what it still holds."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            if source.live:
                words = f"no data for {READ_TIMEOUT_S:g} s" if _timed_out(error) else error.strerror
                raise SourceLost(f"the stream broke off: {words}") from None
            damaged()
            packet = av.Packet()
            packet.stream = stream
            yield packet
            return
        if packet is None:
            return
        yield packet


def _timed_out(error: av.FFmpegError) -> bool:
    return isinstance(error, av.error.ExitError)
