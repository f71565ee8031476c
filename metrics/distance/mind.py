r"""Monge Inception distance: a sliced Wasserstein distance of features, on the scale of FID.

Berthet et al., MIND: Monge Inception Distance for Generative Models Evaluation, 2026,
arXiv:2605.06797:

    MIND(P, Q) = 3 D SW_2^2(P, Q)

for features of D dimensions; two laws that differ by a shift m alone have 3 ||m||^2. Its name is
that of Inception features: with others it is a scaled sliced Wasserstein distance.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..estimate import Estimate
from .sliced_wasserstein import SlicedWasserstein, squared_sliced


def mind(samples: Tensor, reference: Tensor, directions: int = 1000, seed: int = 0) -> Estimate:
    """Returns the Monge Inception distance of features; two sides may differ in number.

    The standard error is over fresh points with these directions.

    Args:
        samples: Features, shape `(N, D)`.
        reference: Features, shape `(M, D)`.
        directions: Number of directions; the paper takes 100 to 1,000.
        seed: Seed of the directions; the caller's random state is left alone.

    Returns:
        A number >= 0, high by what finite samples of one law are apart. Time is O(L N (D + log
        N)).

    Raises:
        ValueError: See `checks.as_pair`; or no direction.
    """
    square, variances = squared_sliced(samples, reference, directions, seed)
    dims = torch.Size(samples.shape[1:]).numel()
    own, shared = (math.sqrt(v) for v in (sum(variances), variances[1]))
    return Estimate(square, own, len(samples), shared=shared).times(3 * dims)


class MIND(SlicedWasserstein):
    """`mind` of all points seen; arguments as in `SlicedWasserstein`."""

    def _estimate(self) -> Estimate:
        return mind(*self.both(), self.directions, self.seed)
