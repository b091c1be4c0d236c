"""The index of an archive: its members and where they lie, learnt when it is first read, kept for later.

An index is a JSON file in `home()/archives`, under a name that is derived from the archive's address, its
version on the server, and the layout. An archive that has changed has another index.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ....atomic import write_file
from ....home import home
from ....parsing import parse_json
from ....typed_values import typed


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of an archive.

    - `name`: with its folders. `size`: of its content, bytes.
    - `offset`: byte at which a reading can begin with it; None in a compressed archive (`Member.offset`).
    - `text`: its content, where it is the label of a video; else None.
    """

    name: str
    size: int
    offset: int | None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PartIndex:
    """The members of one archive.

    - `entries`: its regular files, in the archive's order.
    - `refused`: members that were not read, with the reason each.
    - `damage`: why the archive could not be read to its end; None if it could.
    - `verified`: what of it was compared with what is published, see `ByteStream.verified`.
    """

    entries: tuple[Entry, ...]
    refused: tuple[str, ...] = ()
    damage: str | None = None
    verified: tuple[str, ...] = ()


def index_file(address: str, version: str, layout: str) -> Path:
    """Where the index of an archive is kept.

    - `address`: of the archive. `version`: what changes with its content: ETag and size.
    - `layout`: what is kept of its members.
    """
    digest = hashlib.sha256("\n".join((address, version, layout)).encode()).hexdigest()
    return home() / "archives" / f"{digest[:32]}.json"


def load_index(path: Path) -> PartIndex | None:
    """The index in a file; None if there is none, or none that this version can read."""
    try:
        return typed(PartIndex, parse_json(path.read_bytes()))
    except (OSError, ValueError):
        return None


def save_index(path: Path, index: PartIndex) -> None:
    """Keep an index; the file is replaced as a whole."""
    write_file(path, json.dumps(asdict(index), ensure_ascii=False))
