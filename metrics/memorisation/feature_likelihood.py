r"""Feature likelihood divergence: novelty, fidelity and diversity in one number.

Jiralerspong et al., Feature Likelihood Divergence, NeurIPS 2023, arXiv:2302.04440, section 3. A
mixture of isotropic Gaussians sits on the samples,

    p(y) = 1/N sum_j N(y; x_j, s_j^2 I),

each with a variance of its own that is fitted to the *training* set, so that a copy of a training
point gets a vanishing variance and explains nothing held out. With the held-out reference,

    FLD = 100 (NLL(reference; samples) - NLL(reference; half of train, fitted to the other half))
    / D.

As in the authors' code: all sets are standardised by the reference's mean and deviation; the fit
is Adam on log s_j^2 (50 steps of 0.5 from the distance to the nearest training point) beside a
broad Gaussian at the mean of train, which is left out of the likelihood.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..checks import as_pair
from ..estimate import Estimate
from ..numerics.neighbours import nearest_neighbours
from ..numerics.pairwise import squared_distances
from ..numerics.sorting import shuffled_order
from .nearest_neighbour_ratio import TrainedMetric

_STEPS, _RATE, _BETAS, _EPS = 50, 0.5, (0.9, 0.999), 1e-8
_BROAD = 0.9**2  # shrinks the distances to the broad Gaussian, in the authors' code
_BLOCK = 2**22


def feature_likelihood_divergence(
    samples: Tensor, reference: Tensor, train: Tensor, seed: int = 0
) -> Estimate:
    """Compares the likelihood of held-out data under samples with that under training data.

    Args:
        samples: Features of x ~ model, shape `(N, *shape)`; the papers use 10,000.
        reference: Features of held-out data, shape `(M, *shape)`.
        train: Features of the data that the model was fitted to, shape `(T, *shape)`, T >= 4.
        seed: Seed of the split of train into halves.

    Returns:
        FLD in hundredths of a nat a dimension: about 0 for fresh data, large for copies. The
        standard error is over samples and reference at fixed variances s_j; train is held fixed,
        since the model depends on it. Time is O(50 (N + T) T D), memory linear.

    Raises:
        ValueError: See `checks.as_pair`; or fewer than four training points.
    """
    x, y = as_pair(samples, reference)
    t = as_pair(samples, train)[1]
    if len(t) < 4:
        raise ValueError(f"Expected at least 4 points in train, got {len(t)}.")
    t = t[shuffled_order(t, seed)]
    mean, scale = y.mean(dim=0), y.std(dim=0)
    scale = torch.where(scale > 0, scale, 1)
    x, y, t = ((v - mean) / scale for v in (x, y, t))
    half = min(len(x), len(t) // 2)
    log_variance = _log_variances(x, t)
    fitted = _log_likelihood(y, x, log_variance)
    usual = _log_likelihood(y, t[:half], _log_variances(t[:half], t[half:]))
    gain = usual - fitted
    unit = 100 / x.shape[1]
    shared = float(gain.var()) / len(gain)
    own = float(_influence(y, x, log_variance, fitted).var()) / len(x)
    stderr, of_reference = math.sqrt(own + shared), math.sqrt(shared)
    return Estimate(float(gain.mean()), stderr, len(x), shared=of_reference).times(unit)


def _blocks(y: Tensor, centers: int) -> tuple[Tensor, ...]:
    return y.split(max(1, _BLOCK // centers))


def _log_terms(y: Tensor, centers: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Terms log N(y_b; x_j, s_j^2 I) and |y_b - x_j|^2 / s_j^2, shapes `(B, N)`, no constant."""
    ratio = squared_distances(y, centers) * (-log_variance).exp()
    return -0.5 * (ratio + centers.shape[1] * log_variance), ratio


def _log_likelihood(y: Tensor, centers: Tensor, log_variance: Tensor) -> Tensor:
    """Mixture log p(y_b) in nats without the constant of the Gaussians, shape `(M,)`."""
    parts = [
        _log_terms(block, centers, log_variance)[0].logsumexp(dim=1)
        for block in _blocks(y, len(centers))
    ]
    return torch.cat(parts) - math.log(len(centers))


def _influence(y: Tensor, centers: Tensor, log_variance: Tensor, fitted: Tensor) -> Tensor:
    """Share of each centre in the mean likelihood, mean_b N(y_b; x_j) / p(y_b), shape `(N,)`."""
    total = torch.zeros_like(log_variance)
    size = _blocks(y, len(centers))
    for block, level in zip(size, _blocks(fitted, len(centers)), strict=True):
        total += (_log_terms(block, centers, log_variance)[0] - level[:, None]).exp().sum(dim=0)
    return total / len(y)


def _log_variances(centers: Tensor, train: Tensor) -> Tensor:
    """Fits log s_j^2 to the training points, shape `(N,)`."""
    nearest = nearest_neighbours(centers, train)[0][:, 0]
    start = ((nearest.square() + 1e-3) / centers.shape[1]).log()
    parameters = torch.cat([start, start.new_zeros(1)])  # the last is the broad Gaussian's
    first, second = torch.zeros_like(parameters), torch.zeros_like(parameters)
    for step in range(1, _STEPS + 1):
        slope = _slope(parameters, centers, train)
        first = _BETAS[0] * first + (1 - _BETAS[0]) * slope
        second = _BETAS[1] * second + (1 - _BETAS[1]) * slope.square()
        root = (second / (1 - _BETAS[1] ** step)).sqrt() + _EPS
        parameters = parameters - _RATE * first / (1 - _BETAS[0] ** step) / root
        parameters[:-1].clamp_(-40, 20)
    return parameters[:-1]


def _slope(parameters: Tensor, centers: Tensor, train: Tensor) -> Tensor:
    """Derivative of the mean negative log-likelihood a dimension by each log-variance."""
    d, slope = centers.shape[1], torch.zeros_like(parameters)
    middle = train.mean(dim=0, keepdim=True)
    for block in _blocks(train, len(centers)):
        narrow, near = _log_terms(block, centers, parameters[:-1])
        # As in the authors' code, the distances of the broad Gaussian are shrunk and its weight
        # is 1.
        far = _BROAD * squared_distances(block, middle) * (-parameters[-1]).exp()
        broad = -0.5 * (far + d * parameters[-1])
        terms = torch.cat([narrow - math.log(len(centers)), broad], dim=1)
        share = (terms - terms.logsumexp(dim=1, keepdim=True)).exp()
        slope += 0.5 * (share * (d - torch.cat([near, far], dim=1))).sum(dim=0)
    return slope / (len(train) * d)


class FeatureLikelihoodDivergence(TrainedMetric):
    """`feature_likelihood_divergence` over all the batches seen.

    Args:
        seed: See `feature_likelihood_divergence`.
        kwargs: Passed to `torchmetrics.Metric`.
    """

    unit = "0.01 nats/dim"
    higher_is_better = False

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    def _estimate(self) -> Estimate:
        return feature_likelihood_divergence(*self.all_three(), self.seed)
