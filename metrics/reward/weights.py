r"""What importance weights say of a sampler: bounds on log Z, and the effective sample size.

With w = R(x) / q of draws from q (q a density of x, or of a whole trajectory against a backward
law), E w = Z, so

    ELBO = E_q log w <= log Z <= E_p log w = EUBO,      p = R / Z,

and both gaps are Kullback-Leibler divergences, reverse and forward (Blessing et al. 2024, Beyond
ELBOs, arXiv:2406.07423, section 3). The effective sample size is (sum w)^2 / sum w^2 (Kong 1992),
here as a share of n: 1 for exact draws.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..estimate import Estimate, EstimatedMetric
from ..numerics.row_mean import RowMean, mean_estimate, row_moments, rows_of

FEW = 200  # effective samples below which their number is no guide


def effective_sample_size(log_weights: Tensor) -> Estimate:
    """Returns the effective sample size as a share of n.

    Args:
        log_weights: log w of draws of the sampler, in nats, shape `(N,)`; -infinity where R is 0.

    Returns:
        In (0, 1], with the standard error of the delta method. That is too small where few draws
        carry the weight, and the note says so; `n` is the effective number itself, since the rest
        of the draws count for nothing.

    Raises:
        ValueError: Not a vector of two rows at least; NaN or +infinity; no finite weight.
    """
    log_w = rows_of("log_weights", log_weights)
    n = len(log_w)
    if n < 2 or not bool(log_w.isfinite().any()):
        raise ValueError(f"Expected 2 rows with a finite log_weights at least, got {n} rows.")
    w = (log_w - log_w.max()).exp()
    first, second = w.mean(), w.square().mean()
    share = float(first.square() / second)
    slope = 2 * first / second * (w - first) - first.square() / second.square() * (w**2 - second)
    stderr = float(slope.square().mean().sqrt()) / math.sqrt(n)
    effective = max(round(share * n), 1)
    note = "" if effective >= FEW else f"{effective} effective samples: too few for its error"
    if stderr == 0:
        note = "all weights are equal"
    return Estimate(share, stderr, effective, note, shared=0.0)


def elbo_gap(log_weights: Tensor, log_z: Tensor | float) -> Estimate:
    """Returns log Z minus the evidence lower bound: KL(q || p) of the sampler, in nats.

    Args:
        log_weights: log w of draws of the sampler, in nats, shape `(N,)`.
        log_z: The exact log Z, in nats.

    Returns:
        The gap; infinite where a draw has no reward.

    Raises:
        ValueError: See `nll`; log Z is not finite.
    """
    return _own(mean_estimate(row_moments(_gap(log_weights, log_z))))


def eubo_gap(log_weights_test: Tensor, log_z: Tensor | float) -> Estimate:
    """Returns the evidence upper bound minus log Z: KL(p || q) of the sampler, in nats.

    Args:
        log_weights_test: log w of exact draws of p, in nats, shape `(B,)`.
        log_z: The exact log Z, in nats.

    Raises:
        ValueError: Rows that are NaN or -infinity; log Z is not finite.
    """
    return mean_estimate(row_moments(_gap(-log_weights_test, -float(log_z), "log_weights_test")))


def importance_log_z_error(log_weights: Tensor, log_z: Tensor | float) -> Estimate:
    """Returns the absolute error of log of the mean weight as an estimate of log Z.

    Args:
        log_weights: log w of draws of the sampler, in nats, shape `(N,)`.
        log_z: The exact log Z, in nats.

    Returns:
        In nats; the standard error is that of log mean w, by the delta method (see
        `effective_sample_size`, also for its note and its `n`).

    Raises:
        ValueError: See `effective_sample_size`; log Z is not finite.
    """
    gap = _gap(log_weights, log_z)
    size = effective_sample_size(log_weights)
    log_mean = math.log(len(gap)) - float(torch.logsumexp(-gap, 0))
    stderr = math.sqrt(max(1 / size.value - 1, 0.0) / len(gap))
    return Estimate(abs(log_mean), stderr, size.n, size.note, shared=0.0)


def _gap(log_weights: Tensor, log_z: Tensor | float, name: str = "log_weights") -> Tensor:
    exact = float(log_z)
    if not math.isfinite(exact):
        raise ValueError(f"Expected a finite log_z, got {exact}.")
    return exact - rows_of(name, log_weights)


def _own(estimate: Estimate) -> Estimate:
    return Estimate(estimate.value, estimate.stderr, estimate.n, estimate.note, shared=0.0)


class EffectiveSampleSize(EstimatedMetric):
    """`effective_sample_size` of all weights seen."""

    higher_is_better = True
    shares = "none"

    log_weights: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_rows("log_weights")

    def update(self, log_weights: Tensor) -> None:
        """Adds log w, in nats, shape `(N,)`."""
        self.append_rows(log_weights=log_weights)

    def _estimate(self) -> Estimate:
        return effective_sample_size(self.rows("log_weights"))


class ELBOGap(RowMean):
    """`elbo_gap` over all the batches seen."""

    shares = "none"

    def update(self, log_weights: Tensor, log_z: Tensor | float) -> None:
        """Adds log w of draws of the sampler, in nats, shape `(N,)`, beside the exact log Z."""
        self._add(_gap(log_weights, log_z))

    def _estimate(self) -> Estimate:
        return _own(mean_estimate(self.moments))


class EUBOGap(RowMean):
    """`eubo_gap` over all the batches seen."""

    def update(self, log_weights_test: Tensor, log_z: Tensor | float) -> None:
        """Adds log w of exact draws, in nats, shape `(B,)`, beside the exact log Z."""
        self._add(_gap(-log_weights_test, -float(log_z), "log_weights_test"))

    def _estimate(self) -> Estimate:
        return mean_estimate(self.moments)


class ImportanceLogZError(EstimatedMetric):
    """`importance_log_z_error` of all weights seen."""

    unit = "nats"
    higher_is_better = False
    shares = "none"

    log_weights: list[Tensor]
    log_z: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_rows("log_weights")
        self.add_state("log_z", default=[], dist_reduce_fx=None)

    def update(self, log_weights: Tensor, log_z: Tensor | float) -> None:
        """Adds log w, in nats, shape `(N,)`; takes the exact log Z."""
        self.append_rows(log_weights=log_weights)
        self.log_z = [torch.as_tensor(log_z, device=self.device)]

    def _estimate(self) -> Estimate:
        log_weights = self.rows("log_weights")
        return importance_log_z_error(log_weights, self.log_z[0])
