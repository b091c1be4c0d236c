"""The file of weights that a run uses: fetched into the store, or named by the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import WeightsError
from ...home import home
from ..finetuning.finetuned import WEIGHTS, finetuned_weights, is_finetuned
from ..spec import Weights, WeightsDescription
from .catalogue import CATALOGUE, WeightsSource
from .formats.readers import FORMATS, detect_format, sibling_formats
from .formats.tensor_bundle import files_of, index_path, prefix_of
from .hugging_face.snapshot import FORMAT, snapshot_weights
from .record import FIRST_USE, RECORD, difference, digest, recorded
from .sidecar import described


def weights_folder() -> Path:
    """The store: one folder per source, under ActionBench's home."""
    return home() / "weights"


def stored_weights(description: WeightsDescription) -> Path | None:
    """The path in the store for `resolve_weights`; None if the weights were not fetched."""
    source = CATALOGUE.get(description.name)
    return None if source is None else stored(source)


def stored(source: WeightsSource) -> Path | None:
    """The path in the store that `source` is loaded from; None if it was not fetched."""
    folder = weights_folder() / source.folder
    return folder / source.load if (folder / RECORD).is_file() else None


def resolve_weights(stream: str, description: WeightsDescription, path: Path) -> Weights:
    """The weights at a path, of the kind "published" if they are in the store, else "user".

    - `stream`: that they are for.
    - `description`: of the weights, unless a YAML file beside them says otherwise (`sidecar`).
    - `path`: a file, the prefix or index of a TensorFlow checkpoint, the folder of a TF-Hub module, a folder
      with a file of a known name, the name of weights that were fetched, what `bench finetune` wrote, or the
      folder of a network of Hugging Face (`snapshot`).

    Raises WeightsError if there are no weights, if a folder contains several, or if the file's format is
    unknown.
    """
    if description.format == FORMAT:
        return snapshot_weights(description, path)
    if is_finetuned(path) or (path.name == WEIGHTS and is_finetuned(path.parent)):
        return finetuned_weights(path, stream, description)
    named = CATALOGUE.get(str(path))
    if named is not None and not path.exists():
        found = stored(named)
        if found is None:
            raise WeightsError(
                "these weights have not been fetched",
                where=path,
                remedy=f"Run `bench weights fetch {named.name}`",
            )
        path, description = found, named.description or description
    path = _located(stream, description, path)
    published = _published(path, description)
    if published is not None:
        description = published
    else:
        description = described(
            replace(
                description,
                name=path.name,
                # A user's own network reads its own formats.
                format=detect_format(path) if description.format in FORMATS else description.format,
                licence="not stated",
                source="the user's file",
                accuracy="",
                figures=None,
            ),
            path,
        )
    if description.stream != stream:
        raise WeightsError(
            "these are weights of another stream", where=path, expected=stream, found=description.stream
        )
    return Weights(
        kind="user" if published is None else "published",
        description=description,
        path=path,
        sha256=digest(weights_files(path)),
        checked=published is not None and _as_published(path),
    )


def _as_published(path: Path) -> bool:
    """Whether each stored file of `path` was checked against a checksum of its publisher.

    Raises WeightsError if a file has changed since it was fetched.
    """
    folder = weights_folder().resolve() / path.resolve().relative_to(weights_folder().resolve()).parts[0]
    records = recorded(folder)
    loaded = {file.resolve().relative_to(folder).as_posix() for file in weights_files(path)}
    for name in sorted(loaded & records.keys()):
        if problem := difference(folder / name, name, records[name]):
            raise WeightsError(
                f"has changed since it was fetched: {problem}",
                where=folder / name,
                remedy="Fetch it again with `bench weights fetch`",
            )
    return all(name in records and records[name].checked != FIRST_USE for name in loaded)


def weights_files(path: Path) -> list[Path]:
    """The files that make up the weights `path`, in name order."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path] if path.is_file() else files_of(path)


def _published(path: Path, assumed: WeightsDescription) -> WeightsDescription | None:
    """The catalogue's description of a path in the store; `assumed` if it is one of several that share it."""
    store = weights_folder().resolve()
    if not path.resolve().is_relative_to(store):
        return None
    matching = [
        source.description
        for source in CATALOGUE.values()
        if source.description is not None
        and path.resolve() == (store / source.folder / source.load).resolve()
    ]
    return assumed if assumed in matching else next(iter(matching), None)


def _located(stream: str, description: WeightsDescription, path: Path) -> Path:
    """The file, checkpoint prefix or module folder that `path` means."""
    prefix = prefix_of(path)
    if index_path(prefix).is_file():
        return prefix
    if path.is_file():
        return path
    if not path.is_dir():
        raise WeightsError(
            "there are no such weights",
            where=path,
            expected=f"a file, a folder, a checkpoint prefix (with {index_path(prefix).name} beside it), "
            "or the name of fetched weights",
        )
    if (path / "saved_model.pb").is_file():
        return path
    # The network's own weights come first; other known files are used only without them.
    groups = _known_names(stream, description)
    for known in groups:
        found = [name for name in known if (path / name).is_file()]
        if len(found) == 1:
            return prefix_of(path / found[0])
        if found:
            break
    raise WeightsError(
        f"this folder holds {'several' if found else 'no'} weights for the {stream} stream",
        where=path,
        expected=f"one of {', '.join(name for known in groups for name in known)}",
        found=", ".join(found) or None,
        remedy="Name the file itself",
    )


def _known_names(stream: str, description: WeightsDescription) -> tuple[list[str], list[str]]:
    """Names of files with the weights of `description`, and of others for the same network and stream, as the
    authors' repositories and the store have them."""
    own: dict[str, None] = {}
    others: dict[str, None] = {}
    for source in CATALOGUE.values():
        other = source.description
        if other is None or source.unpack or other.stream != stream:
            continue
        if other.format not in sibling_formats(description.format):
            continue
        names = own if other.name == description.name else others
        file = source.files[0]
        folders = file.path.split("/")
        for at in range(len(folders)):
            names["/".join(folders[at:])] = None
        names[f"{source.folder}/{file.name}"] = None
    return list(own), [name for name in others if name not in own]
