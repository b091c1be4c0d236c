"""Lists of class names, in the order of a network's outputs.

`kinetics-400` and `kinetics-600` are `label_map.txt` and `label_map_600.txt` of
google-deepmind/kinetics-i3d, both sorted. They share 368 names only, so an index means nothing without
its list: compare by name. Hara's Kinetics-400 networks are taken to use the sorted list too, as their
demonstration code does; of the authors' later Kinetics-700 networks the order is known to be another
(kenshohara/3D-ResNets-PyTorch#211). Weights with another order bring their own file of labels.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError, unknown_name

_FOLDER = Path(__file__).parent / "labels"


def label_lists() -> tuple[str, ...]:
    """Names of the lists that come with ActionBench."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.txt")))


def labels(source: str | tuple[str, ...]) -> tuple[str, ...]:
    """The class names of a list.

    - `source`: name of a list (`label_lists`), path of a text file, or the names themselves.

    A text file has one name per line; empty lines and lines that begin with "#" are skipped. Raises
    UsageError if there is no such list or file, if it is no text, or if it has no name or one name twice.
    """
    if isinstance(source, tuple):
        return _checked(source, "labels")
    if source in label_lists():
        return _read(_FOLDER / f"{source}.txt")
    if not Path(source).is_file():
        if source.endswith(".txt"):
            raise UsageError("there is no such file of labels", where=source)
        raise unknown_name("list of labels", source, label_lists())
    return _read(Path(source))


def _read(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=path) from error
    except UnicodeDecodeError as error:
        raise UsageError("is not a text file", where=path, expected="UTF-8, one name a line") from error
    lines = (line.strip() for line in text.splitlines())
    return _checked(tuple(line for line in lines if line and not line.startswith("#")), path)


def _checked(names: tuple[str, ...], where: object) -> tuple[str, ...]:
    if not names:
        raise UsageError("names no class", where=where)
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UsageError(f"classes named twice: {', '.join(twice)}", where=where)
    return names
