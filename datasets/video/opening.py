"""Opening a file or an address with PyAV (FFmpeg), and choosing its video stream.

The stream is the first video stream that is not a cover picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av

from ...errors import ClipError
from .pictures import MAX_PIXELS, check_pixels
from .sampling import MAX_RATE

# Containers that contain their pictures. Left out on purpose: playlists and scripts, which make FFmpeg open
# other files or addresses, still images, and text (FFmpeg can render .txt as video). Audio formats are listed
# so that the error can say that there is no video stream.
FORMATS = (
    "mov,mp4,matroska,webm,avi,gif,apng,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,rm,ivf,dv,mxf,nut,wtv,"
    "h264,hevc,av1,obu,mjpeg,vc1,yuv4mpegpipe,mp3,aac,flac,wav"
)

_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Metadata such as titles need not be UTF-8: PyAV 19 accepts this by default, earlier versions with this."""


def open_container(
    address: str,
    where: object,
    options: Mapping[str, str],
    formats: str = FORMATS,
    timeout: tuple[float, float] | None = None,
) -> av.container.InputContainer:
    """An open container.

    - `address`: as FFmpeg takes it.
    - `where`: what errors name in place of it.
    - `options`: of FFmpeg; `protocol_whitelist` among them, since a container may name further addresses.
    - `formats`: that are accepted, with commas between them.
    - `timeout`: seconds that opening, and later each read, may wait for data; None for no limit.

    Raises ClipError if it cannot be opened.
    """
    try:
        return av.open(address, options={"format_whitelist": formats, **options}, timeout=timeout, **_LENIENT)
    except av.FFmpegError as error:
        raise ClipError(
            "not a video that can be opened",
            where=where,
            found=error.strerror,
            remedy="The file is damaged, or not a video",
        ) from None


def video_stream(container: av.container.InputContainer, where: object, threads: int) -> av.VideoStream:
    """The container's video stream, its decoder set up.

    - `where`: what errors name.
    - `threads`: of the decoder.

    Raises ClipError if it has none that can be decoded.
    """
    videos = container.streams.video
    cover = av.stream.Disposition.attached_pic
    moving = [stream for stream in videos if not stream.disposition & cover]
    if not moving:
        if videos:
            found = "a cover picture only"
        else:
            found = ", ".join(sorted({s.type for s in container.streams})) or "no streams"
        raise ClipError("no video stream", where=where, found=found)
    stream = moving[0]
    context = stream.codec_context
    if context is None:
        raise ClipError("no decoder for its video codec", where=where)
    check_pixels(where, context.width, context.height)
    context.thread_count = threads
    context.thread_type = "AUTO" if threads > 1 else "NONE"
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def stated_rate(stream: av.VideoStream) -> Fraction | None:
    """Frames per second that the container states; None where it states none, or an impossible value."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate is not None and 0 < rate <= MAX_RATE:
            return Fraction(rate)
    return None
