"""A fake session with its server on a port of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from actionbench.live.web.address import WebAddress
from actionbench.tests.live.web.fake_session import TOKEN, FakeSession


@pytest.fixture
def session() -> Iterator[FakeSession]:
    """One that anybody on this machine may see."""
    made = FakeSession()
    yield made
    made.server.close()


@pytest.fixture
def guarded() -> Iterator[FakeSession]:
    """One with a token."""
    made = FakeSession(address=WebAddress("127.0.0.1", 0, TOKEN))
    yield made
    made.server.close()
