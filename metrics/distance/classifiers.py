"""The classifiers of the two-sample test, on points that are drawn in and standardised."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def untrained(classifier: str, seed: int, n: int) -> Any:
    """Returns a classifier of points `(N, D)` with the methods of scikit-learn.

    Args:
        classifier: "mlp" or "logistic", as in `c2st`.
        seed: Of its weights and batches.
        n: How many points it is to learn from.
    """
    if classifier == "logistic":
        return make_pipeline(Within(), StandardScaler(), LogisticRegression(max_iter=1000))
    net = MLPClassifier(
        (64, 64),
        batch_size=min(64, n // 2),
        learning_rate_init=3e-3,
        early_stopping=True,
        n_iter_no_change=25,
        max_iter=1000,
        random_state=seed,
    )
    return make_pipeline(Within(), StandardScaler(), net)


class Within(TransformerMixin, BaseEstimator):
    """Draws far values in: a single one would leave no width to all others.

    The bounds are the quantiles at 0.5 and 99.5 %, moved outwards by ten times their distance.
    """

    def fit(self, x: np.ndarray, y: Any = None) -> Within:
        low, high = np.quantile(x, [0.005, 0.995], axis=0)
        room = 10 * np.where(high > low, high - low, 1.0)
        self.low_, self.high_ = low - room, high + room
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Returns the points within the bounds, shape `(N, D)`."""
        return x.clip(self.low_, self.high_)
