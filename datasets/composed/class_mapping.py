"""Which classes of a network stand for which classes of a set: Kinetics' "jogging" for "running"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import UsageError, unknown_name
from ...parsing import parse_yaml
from ..labels import LabelMatcher

EVERYTHING_ELSE = "*"
"""In place of a list of classes: all that no other label names."""


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """Label of a set → the network's classes that stand for it.

    - `classes`: each class stands for one label; a label may have no class, and is never predicted then.
    - `rest`: the label of all classes that are not named; None if these are ignored.
    - `where`: the file it was read from, which errors name.
    """

    classes: Mapping[str, tuple[str, ...]]
    rest: str | None
    where: str

    def matrix(self, labels: Sequence[str], vocabulary: Sequence[str]) -> npt.NDArray[np.float64]:
        """(classes of the network, labels) of 0 and 1: which class stands for which label.

        - `labels`: the set's. `vocabulary`: the network's classes, in the order of its scores.

        Raises UsageError for a label that the set does not have, and a class that the network does not have.
        """
        columns = {label: column for column, label in enumerate(labels)}
        for label in (*self.classes, *(() if self.rest is None else (self.rest,))):
            if label not in columns:
                raise UsageError(str(unknown_name("label", label, columns)), where=self.where)
        matcher = LabelMatcher(vocabulary)
        rows = {name: row for row, name in enumerate(vocabulary)}
        matrix = np.zeros((len(vocabulary), len(labels)))
        for label, names in self.classes.items():
            for name in names:
                known = matcher(name)
                if known is None:
                    raise UsageError(str(unknown_name("class", name, vocabulary)), where=self.where)
                if matrix[rows[known]].any():
                    raise UsageError(f"class '{known}' stands for two labels", where=self.where)
                matrix[rows[known], columns[label]] = 1
        if self.rest is not None:
            matrix[~matrix.any(1), columns[self.rest]] = 1
        return matrix


def read_mapping(path: Path) -> ClassMapping:
    """The mapping in a YAML file: `label: [class, …]`, and `label: "*"` for all other classes.

    Raises UsageError, with the key, for anything else.
    """
    where = f"--mapping {path}"
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=where) from error
    except ValueError as error:
        raise UsageError(f"is not YAML that can be read: {error}", where=where) from error
    if not isinstance(content, dict) or not content:
        raise UsageError("must hold `label: [class, class]` lines", where=where)
    classes: dict[str, tuple[str, ...]] = {}
    rest = []
    for label, names in content.items():
        if names == EVERYTHING_ELSE:
            rest.append(str(label))
            continue
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UsageError(
                f"`{label}` names no classes", where=where, expected="a list of names, or '*'", found=names
            )
        classes[str(label)] = tuple(names)
    if len(rest) > 1:
        raise UsageError("more than one label has all other classes", where=where, found=", ".join(rest))
    return ClassMapping(classes, rest[0] if rest else None, where)


def same_names(labels: Sequence[str], vocabulary: Sequence[str], network: str) -> ClassMapping:
    """The mapping of each label to the network's class of that name, for a network of the set's own classes.

    - `network`: which one, for the error.

    Raises UsageError if the network lacks one of the labels.
    """
    matcher = LabelMatcher(vocabulary)
    if lacking := [label for label in labels if matcher(label) is None]:
        raise UsageError(
            f"{network} has no class '{lacking[0]}'",
            where="--mapping",
            remedy="Say in a YAML file which of its classes stand for each label: "
            f"{lacking[0]}: [class, class]",
        )
    return ClassMapping({label: (label,) for label in labels}, None, network)
