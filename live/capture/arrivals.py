"""When the pictures of a stream were there, also where decoding is slower than the stream and they wait."""

from __future__ import annotations

import math

SPAN_S = 1.0
"""Seconds over which it is judged whether decoding keeps up."""

WAITING_SHARE = 0.25
"""Share of that time for which the stream must have been waited for: then nothing waits to be decoded."""


class Arrivals:
    """Tells when each picture of a stream was there, from its stamp and its reading.

    A picture that is read may have waited in the buffers of the system and of FFmpeg. Its stamp tells for how
    long: pictures come at the pace of their stamps, with the least delay that was seen since decoding last
    kept up. Where stamps do not run at the pace of a clock, this only holds while decoding keeps up.

    `keeps_up`: whether the stream was waited for in the last span, so that nothing waits to be decoded.
    """

    def __init__(self) -> None:
        self.keeps_up = True
        self._offset_s = math.inf  # from a picture's stamp to its arrival, by two clocks
        self._least_s = math.inf  # of this span
        self._begin_s = self._waited_s = 0.0

    def place(self, stamp_s: float | None, read_s: float, waited_s: float, continues: bool) -> float:
        """When a picture was there, on the clock of `read_s`, and not after it; without a stamp `read_s`.

        - `stamp_s`: by the source's clock, seconds; None where it gives none.
        - `read_s`: when the picture was read, before it was decoded.
        - `waited_s`: seconds that the reader waited for it.
        - `continues`: False for the first picture, and where the source's clock is another one than before.
        """
        if not continues:
            self.keeps_up, self._offset_s = True, math.inf
            self._begin_span(read_s)
        if stamp_s is not None and math.isfinite(stamp_s):
            offset_s = read_s - stamp_s
            self._offset_s, self._least_s = min(self._offset_s, offset_s), min(self._least_s, offset_s)
            arrived_s = stamp_s + self._offset_s
        else:
            arrived_s = read_s
        self._waited_s += waited_s
        passed_s = read_s - self._begin_s
        if passed_s >= SPAN_S:
            self.keeps_up = self._waited_s >= WAITING_SHARE * passed_s
            if self.keeps_up:
                # The two clocks may have drifted apart, and the line may have become slower.
                self._offset_s = self._least_s
            self._begin_span(read_s)
        return arrived_s

    def _begin_span(self, now_s: float) -> None:
        self._least_s, self._begin_s, self._waited_s = math.inf, now_s, 0.0
