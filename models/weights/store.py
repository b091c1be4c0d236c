"""Which file of weights a run uses: what `fetch` stored, or what the user names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...errors import WeightsError
from ...home import home
from ..finetuning.finetuned import WEIGHTS, finetuned_weights, is_finetuned
from ..spec import Weights, WeightsDescription
from .catalogue import CATALOGUE, Source
from .formats.readers import FORMATS, detect_format
from .formats.tensor_bundle import files_of, index_path, prefix_of
from .record import FIRST_USE, RECORD, difference, digest, recorded
from .sidecar import described


def weights_folder() -> Path:
    """The store: one folder per source, under ActionBench's home."""
    return home() / "weights"


def stored_weights(description: WeightsDescription) -> Path | None:
    """What `resolve_weights` takes for these weights out of the store; None if they were not fetched."""
    source = CATALOGUE.get(description.name)
    return None if source is None else stored(source)


def stored(source: Source) -> Path | None:
    """The path that loads `source`, if it is in the store."""
    folder = weights_folder() / source.folder
    return folder / source.load if (folder / RECORD).is_file() else None


def resolve_weights(stream: str, description: WeightsDescription, path: Path) -> Weights:
    """The weights of `stream` at `path`, of the kind "published" if they lie in the store, else "user".

    - `description`: what is assumed where no file beside the weights says otherwise (`sidecar`).
    - `path`: a file, the prefix or index of a TensorFlow checkpoint, the folder of a TF-Hub module, a folder
      with a file of a known name, the name of weights that were fetched, or what `bench finetune` wrote.

    Raises WeightsError if there is nothing, if a folder leaves a choice, or if the file is not of a known
    format.
    """
    if is_finetuned(path) or (path.name == WEIGHTS and is_finetuned(path.parent)):
        return finetuned_weights(path, stream, description)
    named = CATALOGUE.get(str(path))
    if named is not None and not path.exists():
        found = stored(named)
        if found is None:
            raise WeightsError(
                "these weights were not fetched yet",
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
                # A network of a user's own reads files of its own.
                format=detect_format(path) if description.format in FORMATS else description.format,
                licence="not stated",
                source="the user's file",
                accuracy="",
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
        sha256=digest(_files(path)),
        checked=published is not None and _as_published(path),
    )


def _as_published(path: Path) -> bool:
    """Whether a checksum of the publisher's stands behind each stored file that `path` loads.

    Raises WeightsError if one has changed since it was fetched.
    """
    folder = weights_folder().resolve() / path.resolve().relative_to(weights_folder().resolve()).parts[0]
    records = recorded(folder)
    loaded = {file.resolve().relative_to(folder).as_posix() for file in _files(path)}
    for name in sorted(loaded & records.keys()):
        if problem := difference(folder / name, name, records[name]):
            raise WeightsError(
                f"has changed since it was fetched: {problem}",
                where=folder / name,
                remedy="Fetch it again with `bench weights fetch`",
            )
    return all(name in records and records[name].checked != FIRST_USE for name in loaded)


def _files(path: Path) -> list[Path]:
    """The files that make up the weights `path`, in name order."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path] if path.is_file() else files_of(path)


def _published(path: Path, assumed: WeightsDescription) -> WeightsDescription | None:
    """What the catalogue says of a path in the store; `assumed` where several descriptions share it."""
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
    """The file, prefix or module folder that `path` stands for."""
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
    # What the network assumes comes first; only without it do the other known files count.
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
    """Where the authors' repositories and the store keep `description`, and what fits in its place."""
    own: dict[str, None] = {}
    others: dict[str, None] = {}
    for source in CATALOGUE.values():
        other = source.description
        if other is None or source.unpack or other.stream != stream:
            continue
        if (other.format == "hara") != (description.format == "hara"):
            continue
        names = own if other.name == description.name else others
        file = source.files[0]
        folders = file.path.split("/")
        for at in range(len(folders)):
            names["/".join(folders[at:])] = None
        names[f"{source.folder}/{file.name}"] = None
    return list(own), [name for name in others if name not in own]
