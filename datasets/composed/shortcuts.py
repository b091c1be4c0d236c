"""Whether something other than the action predicts the class: a network could learn that instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .example import ComposedSet
from .splits import folds

FOLDS = 5


def predict_by_value(composed: ComposedSet, values: Sequence[float], seed: int = 0) -> tuple[str, ...] | None:
    """Labels predicted by one number a clip, each by a tree that was fitted on other groups.

    - `values`: one for each example, all of them labelled.

    The tree (scikit-learn, classes weighted equally) cuts the range of values into at most as many
    intervals as there are labels. None if there are fewer than two groups, or one clip of each class.
    """
    return _predict(composed, [[value] for value in values], len(composed.labels), seed)


def predict_by_source(composed: ComposedSet, seed: int = 0) -> tuple[str, ...] | None:
    """Labels predicted by the name of the source alone, as `predict_by_value`; None with one source."""
    sources = sorted({example.source for example in composed.examples})
    if len(sources) < 2:
        return None
    rows = [[float(example.source == source) for source in sources] for example in composed.examples]
    return _predict(composed, rows, len(sources), seed)


def _predict(
    composed: ComposedSet, rows: Sequence[Sequence[float]], leaves: int, seed: int
) -> tuple[str, ...] | None:
    from sklearn.tree import DecisionTreeClassifier

    labels = Counter(example.clip.label for example in composed.examples)
    groups = {example.group for example in composed.examples}
    count = min(FOLDS, len(groups), max(labels.values()))
    if count < 2:
        return None
    places = {example.clip.id: place for place, example in enumerate(composed.examples)}
    predicted: dict[int, str] = {}
    for split in folds(composed, count, seed):
        fitted = [places[example.clip.id] for example in (*split.train, *split.validation)]
        tested = [places[example.clip.id] for example in split.test]
        tree = DecisionTreeClassifier(
            max_leaf_nodes=max(2, leaves), class_weight="balanced", random_state=seed
        )
        tree.fit([rows[place] for place in fitted], [composed.examples[place].clip.label for place in fitted])
        answers = tree.predict([rows[place] for place in tested])
        predicted |= dict(zip(tested, map(str, answers), strict=True))
    return tuple(predicted[place] for place in range(len(composed.examples)))
