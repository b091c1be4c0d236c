"""Finds a file on the package index that this machine's pip uses. Nothing is installed or executed.

`pip download` is not used: for a source distribution it would run the package's build system.
"""

from __future__ import annotations

import ast
import logging
import os
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
from unearth import PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers import PyPIClient
from unearth.utils import split_auth_from_url

from ...child_process import run_captured
from ...downloads.web import RetryPolicy, secure_redirects
from ...errors import WeightsError

_PYPI: Final = "https://pypi.org/simple/"
# Sections of pip's configuration that `pip download` reads; a later one overrides an earlier one.
_SECTIONS: Final = ("global", "download", ":env:")
_PIP_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where pip looks for packages, and how it gets there.

    - `index_urls`: addresses of package indexes (PEP 503 or 691), the first one first; may hold a password.
    - `find_links`: additional pages, folders or files with packages.
    - `trusted_hosts`: hosts, or host:port, whose certificate is not checked.
    - `proxy`: address of a proxy; None for what the environment says (HTTPS_PROXY, …).
    - `certificates`: file of trusted certificates; None for the system's.
    - `client_certificate`: file with a certificate and its key that the client shows; None for none.
    """

    index_urls: tuple[str, ...] = (_PYPI,)
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    proxy: str | None = None
    certificates: str | None = None
    client_certificate: str | None = None


def pip_settings() -> IndexSettings:
    """The settings out of pip's configuration files and its PIP_… variables.

    An interpreter without pip has the variables alone.
    """
    values = _configured() or {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name.startswith("PIP_")
    }

    def words(name: str) -> tuple[str, ...]:
        return tuple(values.get(name, "").split())

    # pip switches an option off by any of these, and on by the rest.
    no_index = values.get("no-index", "").lower() not in ("", "0", "no", "off", "false", "n", "f")
    index = values.get("index-url", _PYPI)
    return IndexSettings(
        index_urls=() if no_index else (index, *words("extra-index-url")),
        find_links=words("find-links"),
        trusted_hosts=words("trusted-host"),
        proxy=values.get("proxy") or None,
        certificates=values.get("cert")
        or os.environ.get("REQUESTS_CA_BUNDLE")
        or os.environ.get("CURL_CA_BUNDLE")
        or None,
        client_certificate=values.get("client-cert") or None,
    )


def _configured() -> Mapping[str, str]:
    """What `pip config list` prints of the sections that concern us; empty where there is no pip."""
    # -P: the working folder may hold a `pip` of its own.
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "config", "list"]
    try:
        answer = run_captured(command, timeout_s=_PIP_TIMEOUT_S)
    except OSError:  # also TimeoutError
        return {}
    if answer.status != 0:
        return {}
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in answer.text.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found:
            found[section][name] = str(ast.literal_eval(value))
    return {name: value for section in _SECTIONS for name, value in found[section].items()}


@contextmanager
def index_client(settings: IndexSettings, policy: RetryPolicy) -> Iterator[PyPIClient]:
    """A client for package indexes, with proxy, certificates, and passwords from addresses and netrc.

    - `settings`: of pip.
    - `policy`: gives the timeout.

    A password is sent only to the host that it is for, also after a redirect to another host.
    """
    client = PyPIClient(
        trusted_hosts=settings.trusted_hosts,
        verify=_certificates(settings),
        proxy=settings.proxy,
        timeout=policy.timeout_s,
        auth=MultiDomainBasicAuth(prompting=False, index_urls=settings.index_urls),
        **secure_redirects(WeightsError),
    )
    with client:
        yield client


def _certificates(settings: IndexSettings) -> ssl.SSLContext | bool:
    trusted = settings.certificates
    if trusted is None and settings.client_certificate is None:
        return True
    try:
        if trusted is not None and Path(trusted).is_dir():
            context = ssl.create_default_context(capath=trusted)
        else:
            context = ssl.create_default_context(cafile=trusted)
        if settings.client_certificate is not None:
            context.load_cert_chain(settings.client_certificate)
    except OSError as error:
        raise WeightsError(
            "the certificates that pip is configured with cannot be read",
            where=settings.client_certificate or trusted,
            found=error,
            remedy="`python -m pip config list` shows where they are configured",
        ) from error
    return context


def locate(project: str, file: str, settings: IndexSettings, client: PyPIClient) -> str:
    """Address of a file on the index, without a password; it may begin with "file:".

    - `project`: name of the package.
    - `file`: name of the file.
    - `settings`: of pip.
    - `client`: from `index_client`.

    Raises WeightsError if an index cannot be reached, or none of them has the file.
    """
    places = ", ".join(split_auth_from_url(url)[1] for url in (*settings.index_urls, *settings.find_links))
    finder = PackageFinder(
        client,  # type: ignore[arg-type]  # unearth's own client, with looser types than its protocol has
        index_urls=settings.index_urls,
        find_links=settings.find_links,
        trusted_hosts=settings.trusted_hosts,
        ignore_compatibility=True,
    )
    remedy = f"Get {file} by other means and name it: --from FILE"
    with _complaints() as complaints:
        try:
            links = [package.link for package in finder.find_all_packages(project, allow_yanked=True)]
        except httpx2.HTTPError as error:
            raise WeightsError(
                "the package index cannot be reached", where=places, found=error, remedy=remedy
            ) from error
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise WeightsError(
                "the package index sent a page that cannot be read", where=places, found=error, remedy=remedy
            ) from error
    address = next((link.url_without_fragment for link in links if link.filename == file), None)
    if address is None:
        raise WeightsError(
            f"the package index does not have {file} of {project}",
            where=places or "no index is configured",
            found="; ".join(complaints) or ", ".join(sorted({link.filename for link in links})) or None,
            remedy=remedy,
        )
    return split_auth_from_url(address)[1]


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """The warnings that unearth logs inside the block: why it skipped an index."""
    said: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    log, keeper = logging.getLogger("unearth"), Keeper(logging.WARNING)
    passed_on = log.propagate
    log.addHandler(keeper)
    log.propagate = False
    try:
        yield said
    finally:
        log.removeHandler(keeper)
        log.propagate = passed_on


def local_path(address: str) -> Path | None:
    """The path that a "file:" address names; None for any other."""
    if not address.startswith("file:"):
        return None
    return Path(httpx2.URL(address).path)
