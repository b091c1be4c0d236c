"""How a setting of a command is declared: once, for its option, its key in a YAML file, and the documents.

The settings of a command are the fields of one frozen dataclass (`setting`).
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .errors import UsageError, did_you_mean, unknown_name
from .parsing import parse_yaml

Record = TypeVar("Record")

WEIGHTS_WORDS = ("random", "demo")
"""Values of `--weights` that are not paths: seeded random weights (for timing only), and demo weights."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of values that a setting takes.

    - `words`: its name in documents, e.g. "names".
    - `expected`: its name in an error, e.g. "a list of names".
    - `option`: type of the option on the command line.
    - `metavar`: placeholder of a value in `--help`; None: that of its type.
    - `parse`: from a plain value, as YAML has it, to the setting's value. Raises ValueError for values of
      another kind.
    - `as_text`: from a default to the text that the command line and documents show.
    """

    words: str
    expected: str
    option: Any
    metavar: str | None
    parse: Callable[[Any], Any]
    as_text: Callable[[Any], Any] = lambda value: value


def _names(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError
    return tuple(item.strip() for item in items if item.strip())


def _pairs(value: Any) -> dict[str, str]:
    # Only --weights takes a single value for all models.
    if isinstance(value, str):
        return {"*": value}
    if not isinstance(value, Mapping):
        raise ValueError
    texts = {str(k): ",".join(map(str, v)) if isinstance(v, list) else v for k, v in value.items()}
    if not all(isinstance(text, str | int | float) for text in texts.values()):
        raise ValueError
    return {name: str(text) for name, text in texts.items()}


def _only_pairs(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        raise ValueError
    return _pairs(value)


def _wholes(value: Any) -> tuple[int, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, int):
        items = [items]
    if not isinstance(items, list | tuple) or not all(type(item) in (int, str) for item in items):
        raise ValueError
    return tuple(int(item) for item in items if str(item).strip())


def _instance(value: Any, *types: type) -> Any:
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ValueError
    return value


NAMES = Kind("names", "a list of names, or names with commas between them", str, "A,B", _names, ",".join)
PAIRS = Kind("pairs", "`name: value` pairs", list[str], "NAME=VALUE", _only_pairs, lambda _: None)
WEIGHTS = dataclasses.replace(PAIRS, parse=_pairs)
TEXT = Kind("text", "text", str, None, lambda value: str(_instance(value, str, int, float)))
WHOLES = Kind(
    "numbers",
    "a list of whole numbers, or such with commas between them",
    str,
    "N,N",
    _wholes,
    lambda value: ",".join(map(str, value)),
)
WHOLE = Kind("number", "a whole number", int, None, lambda value: _instance(value, int))
NUMBER = Kind("number", "a number", float, None, lambda value: float(_instance(value, int, float)))
SWITCH = Kind("true, false", "true or false", bool, None, lambda value: _instance(value, bool))


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as it was declared.

    - `name`: of the dataclass field and of the key in a YAML file; the option is `--name`, with hyphens.
    - `kind`: the values that it takes.
    - `help`: what it means, for `--help`, documents and the dataclass's docstring.
    - `default`: its value if none is given; None where `help` says what happens then.
    """

    name: str
    kind: Kind
    help: str
    default: Any

    @property
    def option(self) -> str:
        """The option on the command line, e.g. "--clip-timeout"."""
        return "--" + self.name.replace("_", "-")

    def parse(self, value: Any, where: str) -> Any:
        """The setting's value from a plain one. Raises UsageError that names `where`."""
        if value is None and self.default is None:
            return None
        try:
            return self.kind.parse(value)
        except ValueError:
            expected = self.kind.expected + (", or null" if self.default is None else "")
            raise UsageError(
                f"`{self.name}` has the wrong type", where=where, expected=expected, found=repr(value)
            ) from None


def setting(kind: Kind, help: str, default: Any) -> Any:
    """A dataclass field that is a setting; the parameters are the fields of `Setting`."""
    metadata = {"kind": kind, "help": help}
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def settings_of(record: type) -> dict[str, Setting]:
    """Name → setting of a dataclass whose fields are settings, in their order."""
    found = {}
    for each in dataclasses.fields(record):
        made = each.default_factory
        default = each.default if made is dataclasses.MISSING else made()
        found[each.name] = Setting(each.name, each.metadata["kind"], each.metadata["help"], default)
    return found


def from_mapping(record: type[Record], raw: Mapping[str, Any], where: str) -> Record:
    """The record of settings from plain values (YAML, run.json, options).

    - `record`: the dataclass whose fields are the settings.
    - `raw`: name of a setting → its plain value.
    - `where`: where the values come from, for errors.

    Raises UsageError for an unknown name or a value of another kind, and as the record itself does.
    """
    known = settings_of(record)
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name not in known:
            raise UsageError(str(unknown_name("key", str(name), known, most=len(known))), where=where)
        values[name] = known[name].parse(value, where)
    try:
        return record(**values)
    except UsageError as error:
        if error.where is None:
            raise UsageError(error.what, where=where, remedy=error.remedy) from error
        raise


def to_plain(settings: Any) -> dict[str, Any]:
    """The values of a record of settings as YAML has them: lists, mappings, texts and numbers."""
    plain: dict[str, Any] = {}
    for name in settings_of(type(settings)):
        value = getattr(settings, name)
        if isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        plain[name] = value
    return plain


def read_config(path: Path, where: str | None = None) -> dict[str, Any]:
    """The plain values of a YAML file by the names of the settings; `from_mapping` checks them.

    - `where`: what errors name; by default the option `--config` with the file.

    Raises UsageError for a file that cannot be read, is not YAML, or has a key twice.
    """
    where = where or f"--config {path}"
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=where) from error
    except ValueError as error:
        raise UsageError(f"is not YAML that can be read: {error}", where=where) from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UsageError("must hold `key: value` lines", where=where, found=type(raw).__name__)
    values: dict[str, Any] = {}
    for key, value in raw.items():
        name = str(key).replace("-", "_")
        if name in values:
            raise UsageError(f"the key '{name}' occurs twice", where=where)
        values[name] = value
    return values


def documented(record: type) -> str:
    """The docstring of the dataclass `record` with a bullet for each of its settings."""
    bullets = [f"- `{each.name}`: {each.help}." for each in settings_of(record).values()]
    return "\n".join([inspect.cleandoc(record.__doc__ or ""), "", *bullets])


def markdown_table(record: type) -> str:
    """The settings of `record` as a table for a document."""
    rows = ["| Key | Value | Default | Meaning |", "|:--|:--|:--|:--|"]
    for each in settings_of(record).values():
        value = None if each.default is None else each.kind.as_text(each.default)
        text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        default = f"`{text}`" if text else ""
        rows.append(f"| `{each.name}` | {each.kind.words} | {default} | {each.help} |")
    return "\n".join(rows) + "\n"


def key_values(option: str, items: list[str]) -> dict[str, str]:
    """The NAME=VALUE items of an option as a mapping.

    - `option`: name of the setting.
    - `items`: as given on the command line; for `weights` also one of WEIGHTS_WORDS alone, which gets the
      name "*".

    Raises UsageError for anything else.
    """
    pairs: dict[str, str] = {}
    for item in items:
        name, _, value = item.partition("=")
        if option == "weights" and item in WEIGHTS_WORDS:
            name, value = "*", item
        elif not name or not value:
            hint = did_you_mean(item, WEIGHTS_WORDS).strip() if option == "weights" else ""
            raise UsageError("is not NAME=VALUE", where=f"--{option}", found=item, remedy=hint or None)
        pairs[name] = value
    return pairs
