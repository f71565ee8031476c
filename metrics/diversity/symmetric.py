r"""Symmetric precision and recall: a share, or what the other side's balls say if that is less.

Khayatkhoei & Abdalmageed, Emergent Asymmetry of Precision and Recall for Measuring Fidelity and
Diversity of Generative Models in High Dimensions, ICML 2023, arXiv:2306.09618. In high
dimension the balls of the reference hold samples that lie inside its sphere and none outside; from
the samples' own balls it is the other way round:

    precision = min(precision, complement precision),   recall = min(recall, coverage),

complement precision being the share of samples whose own ball holds a reference point: `coverage`
with the sides exchanged. Precision, recall and coverage are those of `prdc`.
"""

from __future__ import annotations

from torch import Tensor

from ..estimate import Estimate
from .of_neighbours import NeighbourMetric
from .prdc import prdc


def symmetric_precision(
    samples: Tensor, reference: Tensor, k: int = 5, stderr: bool = True
) -> Estimate:
    """Measures fidelity: the smaller of precision and complement precision, with its error bar.

    Args:
        samples: x ~ model, shape `(N, *shape)`.
        reference: y ~ data, shape `(M, *shape)`.
        k: Neighbours that make a ball's radius, the point itself not counted.
        stderr: Whether the standard error is estimated, which takes most of the time; else NaN.

    Returns:
        A share in [0, 1]. Time is that of two calls of `prdc`.

    Raises:
        ValueError: See `prdc`.
    """
    precise = prdc(samples, reference, k, stderr)["precision"]
    exchanged = prdc(reference, samples, k, stderr)["coverage"]
    own = (
        max(exchanged.stderr**2 - exchanged.shared**2, 0.0) ** 0.5
    )  # the samples are its reference
    complement = Estimate(exchanged.value, exchanged.stderr, len(samples), exchanged.note, own)
    return min(precise, complement, key=float)


def symmetric_recall(
    samples: Tensor, reference: Tensor, k: int = 5, stderr: bool = True
) -> Estimate:
    """Measures diversity: the smaller of recall and coverage, with its error bar.

    Args, value and errors as in `symmetric_precision`; time is that of one call of `prdc`.
    """
    found = prdc(samples, reference, k, stderr)
    return min(found["recall"], found["coverage"], key=float)


class SymmetricPrecision(NeighbourMetric):
    """`symmetric_precision` over all the batches seen; arguments as in `NeighbourMetric`."""

    def _estimate(self) -> Estimate:
        return symmetric_precision(*self.both(), self.k, self.stderr)


class SymmetricRecall(NeighbourMetric):
    """`symmetric_recall` over all the batches seen; arguments as in `NeighbourMetric`."""

    def _estimate(self) -> Estimate:
        return symmetric_recall(*self.both(), self.k, self.stderr)
