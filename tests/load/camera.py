"""A camera whose hours pass in minutes: it serves drawn segments over TCP, faster than in real time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from ..live.conftest import encode

FPS = 10
"""As many a camera of a building gives. The memory that a frame may cost does not depend on it."""
SIZES = ((48, 64), (64, 96), (48, 64))
"""Height and width of the segments; the last one is damaged."""

ACTION_EVERY_S = 30.0
ACTION_S = 4.0
FIRST_ACTION_S = 10.0
CLASSES = (73, 146, 219, 292)
"""Whose colours are shown, one after the other."""

PACKET = 188
"""Bytes of a packet of MPEG-TS."""

DAMAGED = 100
"""Packets with noise in place of most of what they carry."""

PIECE = 7 * PACKET
"""Bytes that are sent at once, as cameras do."""

BUFFER = 1 << 16
"""Bytes that the connection holds, so that what was sent is about what was received."""


def drawn_segments(folder: Path, seconds: float) -> list[bytes]:
    """Three segments of MPEG-TS with H.264, of `seconds` each.

    They show a colour between those of all classes, and every ACTION_EVERY_S seconds that of a class.
    """
    segments = []
    for number, size in enumerate(SIZES):
        frames = [_picture(n / FPS, *size) for n in range(round(seconds * FPS))]
        content = bytearray(encode(folder / f"{number}.ts", frames, rate=FPS).read_bytes())
        if number == len(SIZES) - 1:
            _damage(content)
        segments.append(bytes(content))
    return segments


def actions_of(seconds: float) -> int:
    """Actions that a segment shows to their end."""
    return max(0, int((seconds - FIRST_ACTION_S - ACTION_S) // ACTION_EVERY_S) + 1)


def _damage(content: bytearray) -> None:
    """Half way, with each packet still recognisable as one, for FFmpeg leaves out what is none."""
    noise = np.random.default_rng(0)
    first = len(content) // PACKET // 2
    for begin in range(first * PACKET, (first + DAMAGED) * PACKET, PACKET):
        content[begin + PACKET // 2 : begin + PACKET] = noise.bytes(PACKET // 2)


_PICTURES: dict[tuple[int, int, int], npt.NDArray[np.uint8]] = {}


def _picture(time_s: float, height: int, width: int) -> npt.NDArray[np.uint8]:
    turn, since_s = divmod(time_s - FIRST_ACTION_S, ACTION_EVERY_S)
    shown = CLASSES[int(turn) % len(CLASSES)] if since_s < ACTION_S else -1
    if (shown, height, width) not in _PICTURES:
        # The network's classes are the middles of the cells of a grid of 8 × 8 × 8 colours.
        colour = (
            np.array([shown // 64, shown // 8 % 8, shown % 8]) / 8 + 1 / 16 if shown >= 0 else np.full(3, 0.5)
        )
        noise = np.random.default_rng(0).normal(0, 8, (height, width, 1))
        pixels = np.clip(255 * colour + noise - noise.mean(), 0, 255)
        _PICTURES[shown, height, width] = pixels.round().astype(np.uint8)
    return _PICTURES[shown, height, width]


class Camera:
    """Gives each connection the next segment, and then hangs up; a context manager.

    - `segments`: MPEG-TS, in turns.
    - `seconds`: of each of them.
    - `connections`: after which nobody is answered any more.
    - `speed`: seconds of the camera that pass in one second, at most.
    """

    def __init__(self, segments: Sequence[bytes], seconds: float, connections: int, speed: float) -> None:
        self._segments, self._seconds, self._speed = segments, seconds, speed
        self._left = connections
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.sent_s = 0.0
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        """Where it is watched."""
        return f"tcp://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left = 0
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        number = 0
        while self._left:
            try:
                connection, _ = self._server.accept()
            except OSError:  # closed
                break
            with connection, suppress(ConnectionError):
                self._send(connection, self._segments[number % len(self._segments)])
            number += 1
            self._left -= 1
        self.ended.set()

    def _send(self, connection: socket.socket, segment: bytes) -> None:
        before_s, begin = self.sent_s, time.monotonic()
        for sent in range(0, len(segment), PIECE):
            passed_s = self._seconds * sent / len(segment)
            if (early_s := passed_s / self._speed - (time.monotonic() - begin)) > 0.01:
                time.sleep(early_s)
            connection.sendall(segment[sent : sent + PIECE])
            self.sent_s = before_s + passed_s
        self.sent_s = before_s + self._seconds
