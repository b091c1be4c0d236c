"""What the server answers: the page, its state as a stream, pictures, metrics, health."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from importlib.resources import files

import anyio
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Receive, Scope, Send

from .metrics import registry_of
from .picture import Pictures
from .state import NO_FRAMES_AFTER_S, About, LiveState

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


def make_app(state: LiveState, about: About) -> FastAPI:
    """The application; who may use it is decided by `Access`."""
    app = FastAPI(openapi_url=None)
    pictures = Pictures(state)
    registry = registry_of(
        state.measurements, {"source": about.source, "model": about.model, "backend": about.backend}
    )
    for path, (name, media_type) in PAGE.items():
        content = (files(__package__) / "page" / name).read_bytes()
        app.add_route(path, Response(content, media_type=media_type))
    app.add_route("/events", EventStream(state))

    @app.get("/picture")
    async def picture(after: int = -1) -> Response:
        newest = await pictures.other_than(after)
        if newest is None:
            return Response(status_code=204)
        return Response(newest.jpeg, media_type="image/jpeg", headers={"X-Frame-Number": str(newest.number)})

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.get("/health")
    async def health() -> Response:
        age_s = state.frame_age_s
        well = age_s < NO_FRAMES_AFTER_S
        found = {"status": "ok" if well else "no frames", "frame_age_s": round(age_s, 3)}
        return JSONResponse(found, 200 if well else 503)

    return app


class EventStream:
    """The session's state as server-sent events, for MOST_VIEWERS at a time: an ASGI application.

    A message is made when the viewer takes it, from what is new for this viewer: a slow one gets fewer and
    longer messages, none waits in a queue, and one who joins late begins with the history.

    - `state`: what is told.
    """

    def __init__(self, state: LiveState) -> None:
        self._state = state
        self._viewers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One viewer."""
        if self._viewers >= MOST_VIEWERS:
            refusal = PlainTextResponse(f"{MOST_VIEWERS} pages are open, the most there may be.\n", 503)
            return await refusal(scope, receive, send)
        self._viewers += 1
        try:
            stream = StreamingResponse(self._messages(), media_type="text/event-stream")
            return await stream(scope, receive, send)
        finally:
            self._viewers -= 1

    async def _messages(self) -> AsyncIterator[str]:
        known, told, ended = None, 0.0, False
        while not ended:
            ended = self._state.ended
            now = time.monotonic()
            if ended or self._state.changes != known or now - told >= QUIET_S:
                known, message = self._state.message(known)
                told = now
                yield f"data: {json.dumps(message, allow_nan=False, separators=(',', ':'))}\n\n"
            await anyio.sleep(TICK_S)
