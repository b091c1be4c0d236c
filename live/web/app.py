"""What the server answers: the page, the session's state as a stream, pictures, metrics, health."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from importlib.resources import files

import anyio
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..events import SessionHeader
from .metrics import registry_of
from .picture import Pictures
from .state import NO_FRAMES_AFTER_S, LiveState

MOST_VIEWERS = 8
"""Pages that are open at a time."""

TICK_S = 0.1
"""Seconds between two messages to a page at least."""

QUIET_S = 0.5
"""Seconds between two messages at most: the page says that it is cut off where it hears nothing for long."""

PAGE = {
    "/": ("index.html", "text/html"),
    "/live.css": ("live.css", "text/css"),
    "/live.js": ("live.js", "text/javascript"),
}
"""Path → file in page/, and its media type."""


def make_app(state: LiveState, header: SessionHeader) -> Starlette:
    """The application; who may use it is decided by `Access`.

    - `state`: of the session, as it is shown.
    - `header`: what names the session in its metrics.
    """
    pictures = Pictures(state)
    registry = registry_of(state.measurements, {"source": header.source, "model": header.model})

    async def picture(request: Request) -> Response:
        try:
            after = int(request.query_params.get("after", "-1"))
        except ValueError:
            return PlainTextResponse("`after` is the number of a frame.\n", 400)
        newest = await pictures.other_than(after)
        if newest is None:
            return Response(status_code=204)
        return Response(newest.jpeg, media_type="image/jpeg", headers={"X-Frame-Number": str(newest.number)})

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def health(_: Request) -> Response:
        age_s = state.frame_age_s
        well = age_s < NO_FRAMES_AFTER_S
        found = {"status": "ok" if well else "no frames", "frame_age_s": round(age_s, 3)}
        return JSONResponse(found, 200 if well else 503)

    return Starlette(
        routes=[
            *(Route(path, _page_file(name, media_type)) for path, (name, media_type) in PAGE.items()),
            Route("/events", _Events(state)),
            Route("/picture", picture),
            Route("/metrics", metrics),
            Route("/health", health),
        ]
    )


def _page_file(name: str, media_type: str) -> Callable[[Request], Response]:
    content = (files(__package__) / "page" / name).read_bytes()
    return lambda _: Response(content, media_type=media_type)


class _Events:
    """Answers with the session's state as a stream, to MOST_VIEWERS pages at a time.

    - `state`: of the session.
    """

    def __init__(self, state: LiveState) -> None:
        self._state, self._places = state, anyio.Semaphore(MOST_VIEWERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            words = f"{MOST_VIEWERS} pages are open, the most there may be.\n"
            await PlainTextResponse(words, 503)(scope, receive, send)
            return
        try:
            stream = StreamingResponse(_messages(self._state), media_type="text/event-stream")
            await stream(scope, receive, send)
        finally:
            self._places.release()


async def _messages(state: LiveState) -> AsyncIterator[str]:
    """The session's state as server-sent events.

    A message is made when the viewer takes it, from what is new for this viewer: a slow one gets fewer and
    longer messages, none waits in a queue, and one who joins late begins with the history.
    """
    known, told, ended = None, 0.0, False
    while not ended:
        ended = state.ended
        now = time.monotonic()
        if ended or state.changes != known or now - told >= QUIET_S:
            known, message = state.message(known)
            told = now
            yield f"data: {json.dumps(message, allow_nan=False, separators=(',', ':'))}\n\n"
        await anyio.sleep(TICK_S)
