"""The classifiers of the baselines: scikit-learn's, fitted on rows of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

Rows = npt.NDArray[np.float64]

PROBE_C = 10.0
"""Inverse strength of the probe's L2 penalty: features of length 1 need a weaker one than the usual 1."""

_MOST_ITERATIONS = 10_000


def classifier(baseline: str, weights: Mapping[int, float]) -> Any:
    """What is to be fitted, an estimator of scikit-learn.

    - `baseline`: a word of `training.config.BASELINES`.
    - `weights`: of the classes, by their index; the majority's shares take none.
    """
    if baseline == "majority":
        return DummyClassifier(strategy="prior")
    if baseline == "probe":
        return make_pipeline(Normalizer(), _regression(weights, PROBE_C))
    return make_pipeline(StandardScaler(), _regression(weights, 1.0))


def _regression(weights: Mapping[int, float], c: float) -> LogisticRegression:
    return LogisticRegression(C=c, class_weight=dict(weights), max_iter=_MOST_ITERATIONS)


def log_probabilities(fitted: Any, rows: Rows) -> Rows:
    """The natural logarithms of the classes' probabilities, (N, classes), finite.

    - `fitted`: a fitted `classifier`; `rows`: (N, features).
    """
    if not hasattr(fitted, "decision_function"):
        shares: Rows = fitted.predict_log_proba(rows)
        return shares
    # Not the logarithm of its probabilities, which may be 0.
    decision: Rows = fitted.decision_function(rows)
    if decision.ndim == 1:  # of two classes it gives the logit of the second
        decision = np.stack([np.zeros_like(decision), decision], axis=1)
    return np.asarray(log_softmax(decision, axis=1))
