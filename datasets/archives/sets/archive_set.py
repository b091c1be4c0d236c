"""An archive set: where the archives of a published set of videos are, and what their members' names mean.

A set is a YAML file: one of `sets/`, or a user's own (docs/archives.md).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ....downloads.web import without_secrets
from ....errors import UsageError, unknown_name
from ....parsing import parse_yaml
from ....typed_values import typed

SETS = Path(__file__).parent
"""Folder of the sets that ActionBench describes."""


@dataclass(frozen=True, slots=True)
class Part:
    """One archive of a split.

    - `address`: of the archive, absolute or relative to the set's `base`.
    - `size`, `sha256`: of the archive, bytes and hex digits; None where they are not published.
    """

    address: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SplitArchives:
    """The archives of one split.

    - `parts`: its archives; with `list`, in addition to those that the list names.
    - `list`: address of a text file with the address of one archive in each line.
    - `annotations`: address of the CSV file that names the videos and their classes; None where the archives
      do so themselves.
    - `corrections`: archives whose videos replace those of the same name in the parts.
    """

    parts: tuple[Part, ...] = ()
    list: str | None = None
    annotations: str | None = None
    corrections: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a member's name, or the members beside it, tell the video and its class.

    - `kind`: "kinetics", `ID_START_END.mp4` in any folder, with annotations; "folders", `class/video`;
      "webdataset", `key.mp4` with `key.cls`, `key.txt` or `key.json` beside it.
    - `label`: for "webdataset": the extension of the member with the class, and for JSON the key in it, such
      as "json:action".
    - `classes`: for "webdataset": class names by the number that the member holds; empty if it holds a name.
    """

    kind: Literal["kinetics", "folders", "webdataset"]
    label: str = "cls"
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArchiveSet:
    """A set as its YAML file describes it.

    - `name`, `title`: for reports and messages.
    - `licence`, `terms`: shown before anything is read.
    - `base`: beginning of all relative addresses: a URL ending in "/", or a folder; relative to the YAML file
      if it is not absolute.
    - `layout`: of the members' names.
    - `splits`: name of a split → its archives.
    - `sources`: fact → where it is published. `unknown`: what is published nowhere.
    """

    name: str
    title: str
    licence: str
    base: str
    layout: Layout
    splits: Mapping[str, SplitArchives]
    terms: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def split(self, name: str) -> SplitArchives:
        """The archives of the split `name`. Raises UsageError for an unknown one."""
        if name not in self.splits:
            raise UsageError(str(unknown_name("split", name, self.splits)), where=f"--split (of {self.name})")
        return self.splits[name]

    def address(self, text: str, base: str | None = None) -> str:
        """The absolute address of `text`, which may be relative.

        - `base`: of the mirror in use, None for the set's own. An absolute address that begins with the set's
          base is taken from the mirror too, as those in published lists do.

        Raises UsageError for one that leads out of the base, and for one that holds a password: addresses are
        recorded.
        """
        base = self.base if base is None else base
        if base != self.base and text.startswith(self.base):
            text = text.removeprefix(self.base)
        for address in (base, text):
            if _holds_password(address):
                raise UsageError(
                    "holds a password, which would be recorded",
                    where=without_secrets(address),
                    remedy="Leave it out: for http:// and https://, those in ~/.netrc are used",
                )
        if is_url(text) or text.startswith("/"):
            return text
        relative = posixpath.normpath(text)
        if relative.startswith(".."):
            raise UsageError("leads out of the set's base", where=self.name, found=text)
        return f"{base.rstrip('/')}/{relative}"


def set_names() -> list[str]:
    """Names of the sets that ActionBench describes."""
    return sorted(file.stem for file in SETS.glob("*.yaml"))


def read_set(name: str) -> ArchiveSet:
    """The set that is named, or described by a YAML file.

    - `name`: of one of `set_names`, or path of a YAML file.

    Raises UsageError for an unknown name, and for a file that cannot be read or describes no set.
    """
    path = SETS / f"{name}.yaml" if name in set_names() else Path(name)
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(
            str(unknown_name("archive set", name, set_names())),
            remedy="A set of your own is a YAML file (docs/archives.md).",
        )
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
        found = typed(ArchiveSet, content)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=path) from error
    except ValueError as error:  # of the text's encoding, of YAML, of the fields
        raise UsageError(f"describes no archive set: {error}", where=path) from error
    _check(found, path)
    if is_url(found.base) or found.base.startswith("/"):
        return found
    return typed(ArchiveSet, content | {"base": str((path.parent / found.base).resolve())})


def is_url(text: str) -> bool:
    """Whether an address has a scheme, such as https:// or s3://."""
    return "://" in text


def _holds_password(address: str) -> bool:
    """Whether an address says more than a name of who reads it. On the web, a name alone may be a key."""
    scheme, _, rest = address.partition("://")
    user, at, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    return bool(at) and (":" in user or scheme.lower() in ("http", "https"))


def _check(found: ArchiveSet, path: Path) -> None:
    kind = found.layout.kind
    for name, split in found.splits.items():
        where = f"{path}: splits.{name}"
        if not split.parts and split.list is None:
            raise UsageError("names no archive", where=where, expected="`parts` or `list`")
        if (split.annotations is not None) != (kind == "kinetics"):
            raise UsageError(
                "annotations belong to the layout `kinetics`, and to no other",
                where=where,
                found=f"layout `{kind}`, annotations {split.annotations}",
            )
    if not found.splits:
        raise UsageError("has no split", where=path, expected="at least one under `splits`")
