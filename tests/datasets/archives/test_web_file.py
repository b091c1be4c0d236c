"""Which headers of a store state the MD5 of a file."""

from __future__ import annotations

import base64

import httpx2
import pytest

from actionbench.datasets.archives.web_file import stated_md5

HEX = "0123456789abcdef" * 2
S3 = {"x-amz-request-id": "1", "ETag": f'"{HEX}"'}
GCS = base64.b64encode(bytes.fromhex(HEX)).decode()


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (S3, HEX),
        (S3 | {"x-amz-server-side-encryption": "AES256"}, HEX),
        (S3 | {"x-amz-server-side-encryption": "aws:kms"}, None),
        (S3 | {"x-amz-server-side-encryption-customer-algorithm": "AES256"}, None),
        (S3 | {"ETag": f'"{HEX}-20"'}, None),
        (S3 | {"ETag": f'W/"{HEX}"'}, None),
        ({"ETag": f'"{HEX}"'}, None),
        ({"x-goog-hash": f"crc32c=AAAAAA==, md5={GCS}"}, HEX),
        ({"x-goog-hash": "crc32c=AAAAAA=="}, None),
        ({"x-goog-hash": "md5=?"}, None),
        ({}, None),
    ],
)
def test_the_md5_that_a_store_states(headers: dict[str, str], found: str | None) -> None:
    assert stated_md5(httpx2.Headers(headers)) == found
