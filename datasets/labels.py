"""Matching class names as people write them to the names of a vocabulary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


class LabelMatcher:
    """`matcher(label)` gives the vocabulary's name for a label, or None.

    - `vocabulary`: the class names.

    Case, spaces, underscores, hyphens and punctuation are ignored: "Playing_Cricket" and "PlayingCricket"
    are "playing cricket". Text in parentheses may be missing, as in "hurling" for "hurling (sport)", unless
    two names would match: "passing American football" matches neither of the two in Kinetics.
    """

    def __init__(self, vocabulary: Iterable[str]) -> None:
        names = list(dict.fromkeys(vocabulary))
        self._exact = set(names)
        self._plain = _unambiguous((_letters(name), name) for name in names)
        self._bare = _unambiguous((_letters(_without_parentheses(name)), name) for name in names)

    def __call__(self, label: str) -> str | None:
        if label in self._exact:
            return label
        plain, bare = _letters(label), _letters(_without_parentheses(label))
        if plain in self._plain:
            return self._plain[plain]
        return self._bare.get(plain) or self._plain.get(bare) if bare else None


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def _without_parentheses(text: str) -> str:
    # Without an opening one between them: of a long row of those, each would be searched to its end.
    return re.sub(r"\([^()]*\)", "", text)


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Key → name; None where several names have the key."""
    found: dict[str, str | None] = {}
    for key, name in pairs:
        found[key] = None if key in found else name
    return found
