"""Addresses of receivers: which are taken, and what is shown of them."""

from __future__ import annotations

import pytest

from actionbench.errors import UsageError
from actionbench.live.outputs.address import Address, parse_address

PORTS = {"http": 80, "https": 443}


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("http://x.org/hook", Address("http", "x.org", 80), "http://x.org:80"),
        (
            "https://me:se%40cret@hooks.example.org:8443/T0/secret?token=secret",
            Address("https", "hooks.example.org", 8443, "me", "se@cret"),
            "https://hooks.example.org:8443",
        ),
        ("http://[::1]:8080", Address("http", "::1", 8080), "http://[::1]:8080"),
    ],
)
def test_an_address_is_taken_apart_and_shown_without_secrets(text: str, address: Address, shown: str) -> None:
    found = parse_address("--webhook", text, PORTS)
    assert (found, found.public) == (address, shown)
    assert "cret" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x.org/secret",
        "http://",
        "ftp://me:secret@x.org",
        "file:///secret",
        "http://me:secret@[",
        "http://x:99999/secret",
    ],
)
def test_other_texts_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UsageError, match=r"--webhook: is not an address .*expected http://HOST or") as caught:
        parse_address("--webhook", text, PORTS)
    assert "secret" not in str(caught.value)
