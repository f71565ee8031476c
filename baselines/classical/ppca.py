r"""Probabilistic principal components.

Tipping & Bishop, Probabilistic Principal Component Analysis, Journal of the Royal Statistical
Society B 61 (1999).

With z ~ N(0, I_q) and x = W z + m + noise of variance s^2, x follows N(m, W W^T + s^2 I). The
likelihood has its maximum at (eq. 7 and 8)

    W = U_q (L_q - s^2 I)^{1/2},      s^2 = 1 / (D - q) sum_{j > q} l_j,

the q first axes of the covariance, and the mean of the other variances. Real coordinates are
standardised first, so that units do not matter to the noise. q is chosen on validation rows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...benchmark.contract.task import Domain
from .gaussian import Gaussian

LEAST = 1e-8  # noise variance, in units of the mean variance of a coordinate


class PPCA(Gaussian):
    """A Gaussian whose covariance is of low rank but for even noise.

    Args:
        domain: What one point is.
        latents: Numbers q of latents that are tried, below D; by default powers of 2, and 0.
        max_rows: See `Estimator`.

    Attributes:
        latent: The number q that was chosen.
    """

    paper = "Tipping & Bishop 1999"
    is_floor = False

    def __init__(
        self, domain: Domain, *, latents: tuple[int, ...] = (), max_rows: int | None = None
    ) -> None:
        super().__init__(domain, max_rows=max_rows)
        powers = [2**k for k in range(11)]
        self.latents = tuple(q for q in (latents or (0, *powers)) if 0 <= q < domain.dim)
        if not self.latents:
            raise ValueError(f"Expected latents below {domain.dim} coordinates, got {latents}.")
        self.latent = self.latents[0]

    def estimate(self, train: Tensor, val: Tensor, steps: int) -> None:
        """Fits mean and axes, and chooses the number of latents on val."""
        self.mean = train.mean(0)
        centred = train - self.mean
        values, self.axes = torch.linalg.eigh(centred.mT @ centred / len(train))
        values = values.clamp_min(0)
        floor = LEAST * (float(values.mean()) or 1.0)
        best = -math.inf
        for q in self.latents:
            variances = shrunk(values, q).clamp_min(floor)
            score = float(self._log_normal(val, variances).mean())
            self.curve.append((q, "log-likelihood", score))
            if score > best:
                best, self.variances, self.latent = score, variances, q


def shrunk(variances: Tensor, q: int) -> Tensor:
    """Replaces all but the q greatest of increasing variances `(D,)` by their mean."""
    rest = len(variances) - q
    return torch.cat([variances[:rest].mean().expand(rest), variances[rest:]])
