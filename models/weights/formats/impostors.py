"""Files that are not weights but have their name: left by a failed download, a mirror or a clone."""

from __future__ import annotations

from pathlib import Path

from ....errors import WeightsError

_HEAD_BYTES = 512


def refuse_impostor(path: Path) -> None:
    """Raise WeightsError if `path` is absent, empty, a web page, an error message or a git-lfs pointer."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise WeightsError("there is no such file", where=path) from error
    except OSError as error:
        raise WeightsError("cannot be read", where=path, found=error.strerror) from error
    found = impostor(head)
    if found is not None:
        raise WeightsError(
            "is not a file of weights", where=path, found=found[0], remedy=found[1] + ", then try again"
        )


def impostor(head: bytes) -> tuple[str, str] | None:
    """What a file is instead of weights, by its first bytes, and the remedy; None if nothing is known."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "an empty file", "Fetch it again"
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "a web page, as a failed download leaves it", "Fetch it again, or save the file itself"
    if text.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a git-lfs pointer instead of the file", "Run `git lfs pull` in that repository"
    if text.startswith((b'{"message"', b'{"error"', b"404: not found")):
        return "a server's error message, as a failed download leaves it", "Fetch it again"
    return None
