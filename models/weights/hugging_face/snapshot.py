"""A folder in the layout of Hugging Face's transformers: config.json and weights as safetensors.

A file of such a folder is text or numbers from a stranger. JSON is checked before it is used, tensors are
read from safetensors alone, and nothing that would run code of the folder is read at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ....errors import WeightsError
from ....parsing import parse_json
from ...spec import Weights, WeightsDescription
from ..formats.safetensors_files import list_safetensors
from ..record import FIRST_USE, difference, digest
from ..sidecar import sidecar_path
from .hub import FILES, Snapshot, records_folder, snapshot_in

FORMAT: Final = "hugging-face"
"""`WeightsDescription.format` of such a folder."""

CONFIG: Final = "config.json"
ONE_FILE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"

_MAX_JSON_BYTES: Final = 16 << 20
_PICKLED: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    - `path`: of the file.

    Raises WeightsError, naming the file, if it is absent, too large or something else.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_JSON_BYTES:
            raise WeightsError(
                "is too large", where=path, expected=f"at most {_MAX_JSON_BYTES} bytes", found=f"{size} bytes"
            )
        value = parse_json(path.read_bytes())
    except FileNotFoundError as error:
        raise WeightsError("there is no such file", where=path) from error
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", where=path) from error
    except ValueError as error:
        raise WeightsError(f"is not JSON that can be read: {error}", where=path) from error
    if not isinstance(value, dict):
        raise WeightsError("is not an object", where=path, found=type(value).__name__)
    return value


def weight_files(folder: Path) -> list[Path]:
    """The files with a folder's tensors, in name order: `model.safetensors`, or those that an index names.

    - `folder`: of the network.

    Raises WeightsError if there are none, only pickles, or one is missing, damaged or outside the folder.
    """
    if (folder / ONE_FILE).is_file():
        names = [ONE_FILE]
    elif (folder / INDEX).is_file():
        names = _indexed(folder / INDEX)
    else:
        pickled = sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern))
        if pickled:
            raise WeightsError(
                "holds weights only as pickles, which can run any code and are not read",
                where=folder,
                expected=ONE_FILE,
                found=", ".join(pickled),
                remedy="Use a revision with safetensors (converted ones are often offered as a pull request: "
                "hf:REPO@refs/pr/N), or convert them where you trust them, with `save_pretrained`",
            )
        raise WeightsError(
            "holds no weights",
            where=folder,
            expected=f"{ONE_FILE}, or {INDEX} and the files that it names",
            remedy="--weights random measures time only",
        )
    files = [folder / name for name in names]
    for file in files:
        list_safetensors(file)
    return files


def _indexed(index: Path) -> list[str]:
    named = read_object(index).get("weight_map")
    if not isinstance(named, dict) or not named or not all(isinstance(each, str) for each in named.values()):
        raise WeightsError("has no `weight_map` from tensors to files", where=index)
    names = sorted(set(named.values()))
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise WeightsError(
                "names a file that is not a safetensors file beside it", where=index, found=name
            )
    return names


def snapshot_weights(description: WeightsDescription, folder: Path) -> Weights:
    """The weights in a folder: of the kind "published" if `Snapshot.published` says so, else "user".

    - `description`: of the folder's network.
    - `folder`: of the network.

    Their SHA-256 is that of all files that say what is computed: tensors, JSON files and the YAML file.
    Raises WeightsError as `weight_files` does, or if a recorded file has changed since it was fetched.
    """
    files = weight_files(folder)
    snapshot = snapshot_in(folder)
    if snapshot is not None:
        for name, record in sorted(snapshot.files.items()):
            if problem := difference(folder / name, name, record):
                raise WeightsError(
                    f"has changed since it was fetched: {problem}",
                    where=folder / name,
                    remedy=f"Fetch it again with `bench weights fetch {snapshot.name}`",
                )
    published = snapshot is not None and snapshot.published
    known = {} if snapshot is None else snapshot.files
    return Weights(
        kind="published" if published else "user",
        description=description,
        path=folder,
        sha256=digest([*files, *_describing(folder, snapshot)]),
        # Another program may have added a file since.
        checked=published
        and all(file.name in known and known[file.name].checked != FIRST_USE for file in files),
    )


def described_at(folder: Path, snapshot: Snapshot | None) -> Path:
    """The folder whose YAML file (`sidecar_path`) describes a network: its own, or one in the store.

    - `folder`: of the network.
    - `snapshot`: its record, if it was fetched; None for a folder of the user.
    """
    return folder if snapshot is None else records_folder(snapshot.repository)


def _describing(folder: Path, snapshot: Snapshot | None) -> list[Path]:
    """The JSON files of a folder that are read, and the YAML files that may describe it, where they exist."""
    named = [folder / name for name in FILES if name.endswith(".json")]
    # A fetched network may also be named by its folder, whose own YAML file describes it then.
    described = dict.fromkeys(map(sidecar_path, (folder, described_at(folder, snapshot))))
    return [path for path in (*named, *described) if path.is_file()]
