"""Reading JSON and YAML, here and nowhere else: any text gives a value or one clear error. Writing YAML."""

from __future__ import annotations

import json
from typing import Any

import yaml


def parse_json(text: str | bytes) -> Any:
    """The value that a JSON text describes.

    Raises ValueError, with a one-line message, for text that is not JSON or nested too deeply.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg}, at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_yaml(text: str) -> Any:
    """The plain value that a YAML text describes, None for an empty one.

    Raises ValueError, with a one-line message, for text that is not YAML and for:

    - nesting deeper than Python's stack;
    - an alias (`*name`): a short text with aliases of aliases can expand to more than fits into memory;
    - a key that occurs twice in a mapping, of which YAML itself would keep the last.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        problem = " ".join((error.problem or "cannot be read").split())
        mark = error.problem_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise ValueError(where + problem) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        # What PyYAML's constructors raise for a value that its tag does not fit, such as 2026-99-99.
        raise ValueError(f"holds a value that cannot be read: {error}") from error


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not read", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key '{key.value}' occurs twice", problem_mark=key.start_mark
                    )
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write a value that stands in several places in each of them: `parse_yaml` reads no alias."""
        return True


def to_yaml(value: Any) -> str:
    """A plain value as YAML text that `parse_yaml` reads, its keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
