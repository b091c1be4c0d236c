"""Where the page is served, and that other machines see nothing without a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from actionbench.errors import BackendUnavailable, UsageError
from actionbench.live.web.address import WebAddress, listen, web_address

TOKEN = "abcdefghijklmnop"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token.txt"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8000", "127.0.0.1", 8000),
        ("8000", "127.0.0.1", 8000),
        ("0", "127.0.0.1", 0),
        ("localhost", "localhost", 8765),
        ("[::1]:8000", "::1", 8000),
    ],
)
def test_addresses_of_this_machine(text: str, host: str, port: int) -> None:
    assert web_address(text) == WebAddress(host, port)


def test_by_default_only_this_machine() -> None:
    assert web_address() == WebAddress("127.0.0.1", 8765)


@pytest.mark.parametrize(
    "text",
    ["", ":", "http://localhost", "localhost:x", "localhost:99999", "a@127.0.0.1", "[::1", "1.2.3.4/x"],
)
def test_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="--web"):
        web_address(text)


def test_an_unknown_host() -> None:
    with pytest.raises(UsageError, match="the host is unknown"):
        web_address("no-such-host.invalid:8000")


@pytest.mark.parametrize("text", ["0.0.0.0:8000", "[::]:8000", "192.0.2.7", "0.0.0.0"])
def test_other_machines_need_a_token(text: str, token_file: Path) -> None:
    with pytest.raises(UsageError, match=r"--web .*has no token.*--token"):
        web_address(text)
    assert web_address(text, token_file).token == TOKEN


def test_listening_checks_once_more() -> None:
    """An address that was made otherwise is not let through."""
    with pytest.raises(UsageError, match="has no token"):
        listen(WebAddress("0.0.0.0", 0))


@pytest.mark.parametrize(
    "text", ["", "too-short-one", "with a space in between", "x" * 257, "two\nlines-of-a-token-file"]
)
def test_no_token(text: str, tmp_path: Path) -> None:
    file = tmp_path / "token.txt"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"token\.txt") as raised:
        web_address("0.0.0.0:8000", file)
    assert not text or text not in str(raised.value)


def test_a_token_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        web_address("8000", tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"\xff" * 20)
    with pytest.raises(UsageError, match="ASCII"):
        web_address("8000", tmp_path / "binary")


def test_no_secret_is_printed(token_file: Path) -> None:
    address = web_address("0.0.0.0:8000", token_file)
    assert TOKEN not in f"{address!r} {address}"


def test_a_port_in_use() -> None:
    with listen(WebAddress("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=f"--web 127.0.0.1:{port}: cannot listen there.*another port"):
            listen(WebAddress("127.0.0.1", port))


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(BackendUnavailable, match=r"not installed: uvicorn\. .*actionbench\[live\]"):
        web_address()
