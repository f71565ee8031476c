r"""Classifier two-sample test: how often can a classifier tell a sample from the reference?

Lopez-Paz & Oquab, Revisiting classifier two-sample tests, ICLR 2017, arXiv:1610.06545: the
accuracy on held-out points, 1/2 where the classifier finds no difference and 1 where it tells them
all. An accuracy a below 1/2 by more than two standard errors is a difference, too (samples that
copy the reference make one): 1 - a is returned, with a note.

Standard error. The accuracy varies with the points that are tested and with those that the
classifiers learnt from. The first part is the variance of the hits. A jackknife over folds (fold j
is left out everywhere: the classifiers that learnt without l and j are tested on l) sees both, but
the second, which comes from points acting together, it counts twice (Efron & Stein, The jackknife
estimate of variance, Annals of Statistics 9, 1981); the mean of the two variances counts each
once. Which side's points a classifier learnt its part from is not told: of the variance, the hits
on samples alone are certain to be drawn anew with the samples, and all else counts as shared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate, TwoSampleMetric, share_estimate
from ..numerics.moments import centred
from ..numerics.sorting import shuffled_order


def c2st(
    samples: Tensor,
    reference: Tensor,
    classifier: str = "mlp",
    folds: int = 5,
    seed: int = 0,
) -> Estimate:
    """Returns the cross-validated accuracy of a classifier on standardised features.

    Both sides count alike: of the larger one, as many points as the smaller has are drawn. Costs
    folds (folds + 1) / 2 fits on the processor; two thirds of them serve the standard error.

    Args:
        samples: Points or features, shape `(N, *shape)` or `(N,)`.
        reference: Points or features, shape `(M, *shape)` or `(M,)`.
        classifier: "mlp" (two hidden layers of 64 ReLU units, stopped early) or "logistic".
        folds: Number of folds, at least 3.
        seed: Seed of folds and classifiers; the folds do not depend on the order of the rows.

    Raises:
        ValueError: See `checks.as_pair`; an unknown classifier; or too few points for the folds.
    """
    if classifier not in ("mlp", "logistic"):
        raise ValueError(f'Expected classifier "mlp" or "logistic", got {classifier!r}.')
    if folds < 3:
        raise ValueError(f"Expected at least 3 folds, got {folds}.")
    x, y = as_pair(samples, reference, least=4 * folds)
    n = min(len(x), len(y))
    x, y = centred(x[shuffled_order(x, seed)[:n]], y[shuffled_order(y, seed + 1)[:n]])
    points, is_sample = torch.cat([x, y]).cpu().numpy(), np.repeat([True, False], n)
    fold = np.tile(np.arange(n) % folds, 2)
    hits = _hits(points, is_sample, fold, folds, classifier, seed)
    single = hits[fold, fold, np.arange(2 * n)]
    variance, shared = _variances(hits, single, fold)
    found = share_estimate(float(single.mean()), variance, n, shared)
    if found.value >= 0.5 - 2 * found.stderr:
        return found
    # A classifier that learnt a point misjudges its copy on the other side.
    note = f"accuracy {found.value:.3g}, below 1/2 by more than chance: points of both sides agree"
    return Estimate(1 - found.value, found.stderr, n, note, found.shared)


class C2ST(TwoSampleMetric):
    """`c2st` of all points seen.

    Args:
        classifier: As in `c2st`.
        folds: As in `c2st`.
        seed: As in `c2st`.
        kwargs: See `torchmetrics.Metric`.
    """

    higher_is_better = False

    def __init__(
        self, classifier: str = "mlp", folds: int = 5, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.classifier, self.folds, self.seed = classifier, folds, seed

    def _estimate(self) -> Estimate:
        return c2st(*self.both(), self.classifier, self.folds, self.seed)


def _hits(
    points: np.ndarray,
    is_sample: np.ndarray,
    fold: np.ndarray,
    folds: int,
    classifier: str,
    seed: int,
) -> np.ndarray:
    """Returns whether the classifier that has not seen folds j and k is right on each point.

    Shape `(folds, folds, 2 N)`.
    """
    from .classifiers import untrained  # slow to import, and other metrics do without

    hits = np.empty((folds, folds, len(points)), dtype=bool)
    for j in range(folds):
        for k in range(j + 1):
            seen = (fold != j) & (fold != k)
            model = untrained(classifier, seed, int(seen.sum())).fit(points[seen], is_sample[seen])
            hits[j, k] = hits[k, j] = model.predict(points) == is_sample
    return hits


def _variances(hits: np.ndarray, single: np.ndarray, fold: np.ndarray) -> tuple[float, float]:
    """Variance of the accuracy, and the most of it that the reference can make."""
    folds, n = len(hits), len(single) // 2
    of_samples, of_reference = (float(side.var(ddof=1)) / (4 * n) for side in np.split(single, 2))
    without = np.array([_accuracy_without(hits, fold, j) for j in range(folds)])
    jackknife = (folds - 1) * float(without.var())
    variance = (of_samples + of_reference + jackknife) / 2
    return variance, max(variance - of_samples, of_reference)


def _accuracy_without(hits: np.ndarray, fold: np.ndarray, j: int) -> float:
    """Cross-validated accuracy had fold j never been."""
    left = np.flatnonzero(fold != j)
    return float(hits[j, fold[left], left].mean())
