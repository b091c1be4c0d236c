"""A file on a web server, from some byte on."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

import httpx2

from ...downloads.web import HEADERS, refusal, unreachable, validator, without_secrets
from ...errors import ArchiveError
from .connection import Connection, ends_before

_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_MD5: Final = re.compile(r'"([0-9a-f]{32})"')
_REMEDY: Final = "See whether the address is right and may be read"


class WebFile:
    """A `Connect` for an address that begins with http:// or https://.

    - `url`: the address.
    - `client`: from `downloads.web.web_client`.
    """

    def __init__(self, url: str, client: httpx2.Client) -> None:
        self._shown = without_secrets(url)
        try:
            host = httpx2.URL(url).host
        except httpx2.InvalidURL as error:
            raise ArchiveError("is no address", where=self._shown, found=error) from error
        if not host:
            raise ArchiveError("is no address", where=self._shown, found="no host")
        self._url = url
        self._client = client

    def __call__(self, position: int, identity: str) -> Connection:
        headers = dict(HEADERS)
        if position:
            headers["Range"] = f"bytes={position}-"
            if identity:
                headers["If-Range"] = identity
        try:
            response = self._client.send(
                self._client.build_request("GET", self._url, headers=headers), stream=True
            )
        except httpx2.HTTPError as error:
            raise unreachable(error, self._shown, ArchiveError) from error
        try:
            return _Answer(response, self._shown, position)
        except BaseException:
            response.close()
            raise


class _Answer:
    def __init__(self, response: httpx2.Response, url: str, position: int) -> None:
        headers, status = response.headers, response.status_code
        if status == 416:
            raise ends_before(position, url, headers.get("Content-Range"))
        if status >= 400:
            raise refusal(response, url, ArchiveError, _REMEDY)
        if status not in (200, 206):
            raise ArchiveError("the server sends no file", where=url, found=f"HTTP {status}", remedy=_REMEDY)
        length = headers.get("Content-Length", "")
        self.begin = 0
        self.size = int(length) if length.isdecimal() else None
        if status == 206:
            self.begin, self.size = _extent(headers, url, position)
        self.identity = validator(headers)
        self.md5 = stated_md5(headers)
        self._response, self._url = response, url
        self._chunks = response.iter_raw()

    def chunk(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except httpx2.HTTPError as error:
            raise unreachable(error, self._url, ArchiveError) from error

    def close(self) -> None:
        self._response.close()


def _extent(headers: Mapping[str, str], url: str, position: int) -> tuple[int, int | None]:
    """The first byte of a partial answer, which must be the one that was asked for, and the file's size."""
    stated = headers.get("Content-Range", "")
    match = _RANGE.fullmatch(stated)
    if match is None or int(match[1]) != position:
        raise ArchiveError(
            "the server sends another part of the file than was asked for",
            where=url,
            expected=f"bytes from {position} on",
            found=stated or "no Content-Range",
            remedy="Use another mirror",
        )
    return position, None if match[2] == "*" else int(match[2])


def stated_md5(headers: Mapping[str, str]) -> str | None:
    """The MD5 that a store states of a file, in hex digits; None if it states none.

    Google Cloud Storage has a header of its own. Amazon S3's ETag is an MD5 unless the file was uploaded in
    parts (it then has a hyphen) or is encrypted with a key other than S3's own:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    for value in headers.get("x-goog-hash", "").split(","):
        kind, _, text = value.strip().partition("=")
        if kind == "md5":
            try:
                return base64.b64decode(text, validate=True).hex()
            except binascii.Error:
                return None
    if "x-amz-request-id" not in headers:
        return None
    own_key = headers.get("x-amz-server-side-encryption", "AES256") == "AES256"
    if not own_key or "x-amz-server-side-encryption-customer-algorithm" in headers:
        return None
    match = _MD5.fullmatch(headers.get("ETag", ""))
    return match[1] if match else None
