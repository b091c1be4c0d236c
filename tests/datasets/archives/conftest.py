"""What the tests of archives share."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from actionbench.datasets.archives import stream
from actionbench.downloads.web import RetryPolicy, secure_redirects
from actionbench.errors import ActionBenchError

from .server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """Reading them takes most of the time of a request to the loopback, which uses none."""
    certificates = httpx2.create_ssl_context()

    def client(
        policy: RetryPolicy, error: type[ActionBenchError], auth: httpx2.Auth | None = None
    ) -> httpx2.Client:
        return httpx2.Client(
            timeout=policy.timeout_s, verify=certificates, auth=auth, **secure_redirects(error)
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "web_client", client)
        yield
