"""A file on this machine or in a store of the cloud, from some byte on, by fsspec."""

from __future__ import annotations

from typing import Any, Final

from fsspec.core import url_to_fs

from ...downloads.web import Transient, without_secrets
from ...errors import ArchiveError
from .connection import Connection, ends_before

_CHUNK_BYTES: Final = 1 << 16
_FINAL: Final = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_PACKAGES: Final = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}


class StoredFile:
    """A `Connect` for a path, or for an address of another scheme than HTTP: `s3://`, `gs://`, `file://` …

    - `address`: the path or address. Credentials and the like are those of fsspec's settings and of the
      store's own tools: https://filesystem-spec.readthedocs.io/en/latest/features.html#configuration
    """

    def __init__(self, address: str) -> None:
        self._address = without_secrets(address)
        scheme = address.partition("://")[0] if "://" in address else "file"
        if "::" in address:  # fsspec's chains may keep copies, or read one file through another
            raise ArchiveError("is no address of one file", where=self._address, found="'::'")
        try:
            self._system, self._path = url_to_fs(address)
        except ImportError as error:
            package = _PACKAGES.get(scheme)
            remedy = None if package is None else f"Install it: pip install {package}"
            raise ArchiveError(
                f"{scheme}:// needs a package that is not installed",
                where=self._address,
                found=error,
                remedy=remedy,
            ) from error
        except Exception as error:  # of fsspec and of the stores' packages, which have no class in common
            raise ArchiveError(
                "is no address that can be read",
                where=self._address,
                found=error,
                remedy="Use a path, or an address with http://, https://, s3:// or gs://",
            ) from error

    def __call__(self, position: int, identity: str) -> Connection:  # noqa: ARG002
        return _Open(self._system, self._path, self._address, position)


class _Open:
    def __init__(self, system: Any, path: str, address: str, position: int) -> None:
        self._address = address
        with _explained(address):
            system.invalidate_cache()
            if system.isdir(path):
                raise IsADirectoryError("is a folder")
            size = system.size(path)
            self.identity = str(system.ukey(path))
            self._file = system.open(path, "rb")
            self._file.seek(position)
        self.begin = position
        self.size = None if size is None else int(size)
        if self.size is not None and self.size < position:
            raise ends_before(position, address, f"{size} bytes")
        self.md5: str | None = None

    def chunk(self) -> bytes:
        with _explained(self._address):
            return bytes(self._file.read(_CHUNK_BYTES))

    def close(self) -> None:
        self._file.close()


class _explained:
    """Turns what a file system raises inside the block into what a `Connection` raises."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, _FINAL):
            raise Transient(error) from error
        # Stores have exceptions of their own for what does not pass, such as missing credentials.
        if isinstance(error, Exception):
            raise ArchiveError("cannot be read", where=self._address, found=error) from error
